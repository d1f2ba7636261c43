"""Our own processes as children of a test, so that they can be killed for real."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


class Running:
    """One child; its output goes to a file that a failing test can show."""

    def __init__(
        self, module: str, arguments: list[str], output: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.output = output
        with output.open("ab") as written:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
            )

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    def said(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")

    def send(self, sent: signal.Signals) -> None:
        self._popen.send_signal(sent)

    def kill(self) -> None:
        """-9, and gone when this returns."""
        self._popen.kill()
        self._popen.wait()

    def terminate(self, within_s: float = 15.0) -> int:
        self._popen.terminate()
        return self._popen.wait(within_s)


class Nursery:
    """Starts children; whatever is alive in the end is killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: list[Running] = []

    def start(self, module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Running:
        output = self._folder / f"{module}-{len(self._children)}.log"
        child = Running(module, list(arguments), output, environment)
        self._children.append(child)
        return child

    def end(self) -> None:
        for child in self._children:
            child.kill()


@contextmanager
def nursery(folder: Path) -> Iterator[Nursery]:
    children = Nursery(folder)
    try:
        yield children
    finally:
        children.end()
