"""What the stack tells while it works. `screen` shows it; tests listen to nothing."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol


class Report(Protocol):
    """Called from several threads at once."""

    def fetching(self, what: str, size: int) -> AbstractContextManager[Callable[[int], None]]:
        """A download of `size` bytes; call the result with each number of bytes that arrived."""

    def begun(self, name: str) -> None:
        """A step began."""

    def done(self, name: str, detail: str, seconds: float) -> None:
        """A step ended well."""

    def note(self, korean: str, english: str, log: Path | None = None) -> None:
        """Something a person should know, that stops nothing."""


def ignore(_arrived: int) -> None:
    """Nobody looks at the progress."""


class Quiet:
    """Says nothing."""

    def fetching(self, what: str, size: int) -> AbstractContextManager[Callable[[int], None]]:
        return nullcontext(ignore)

    def begun(self, name: str) -> None: ...

    def done(self, name: str, detail: str, seconds: float) -> None: ...

    def note(self, korean: str, english: str, log: Path | None = None) -> None: ...
