"""What a person is told when the stack cannot do what was asked: one sentence, and where to look."""

import errno
from collections.abc import Sequence
from pathlib import Path


class LocalError(Exception):
    """Carries the sentence in Korean and English, and the log that explains it."""

    def __init__(self, korean: str, english: str, log: Path | None = None, tail: Sequence[str] = ()) -> None:
        super().__init__(english)
        self.korean = korean
        self.english = english
        self.log = log
        self.tail = tuple(tail)

    def lines(self) -> list[str]:
        """The whole message, as plain lines."""
        told = [f"✗ {self.korean}", f"  {self.english}"]
        if self.log is not None:
            told.append(f"  로그 log: {self.log}")
        told += [f"  │ {line}" for line in self.tail]
        return told


def tail_of(log: Path, count: int = 5) -> list[str]:
    """The last lines that say something; an absent log says nothing."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - max(16_384, count * 512)))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return [line[:240] for line in lines if line.strip()][-count:]


def unwritable(error: OSError, place: object) -> LocalError:
    """A full disk, said as that; anything else as the system says it."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return LocalError(f"디스크가 가득 찼습니다: {place}", f"The disk is full: {place}")
    return LocalError(f"{place}에 쓸 수 없습니다: {error.strerror}", f"Cannot write to {place}: {error.strerror}")
