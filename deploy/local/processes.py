"""Child processes: how one is described, started, waited for and ended."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from deploy.local.errors import LocalError, tail_of
from deploy.local.home import ROOT
from deploy.local.probes import Probe

LOG_KEPT_BYTES = 10_000_000
POLL_S = (0.02, 0.25)  # the first pause between two probes and the longest: each costs the starting process time


@dataclass(frozen=True)
class Launch:
    """What to execute. `user` is given only when this process is root and the program refuses to be."""

    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    user: tuple[int, int] | None = None


@dataclass(frozen=True)
class Process:
    """A long-running child. `prepare` fetches, formats and configures what it needs, then says what to execute."""

    name: str
    prepare: Callable[[], Launch]
    ready: Probe
    after: tuple[str, ...] = ()
    port: int | None = None
    wave: int = 0  # stopping goes from wave 0 upwards
    stop_signal: signal.Signals = signal.SIGTERM
    stop_s: float = 10.0
    ready_s: float = 120.0


@dataclass(frozen=True)
class Task:
    """Something done once at start."""

    name: str
    run: Callable[[], str]
    after: tuple[str, ...] = ()


class Cancelled(Exception):  # noqa: N818 it is no error: another step failed and tells why
    """The start was given up while this step waited."""


class Child:
    """One run of a process."""

    def __init__(self, process: Process, log: Path) -> None:
        self.process = process
        self.log = log
        launch = process.prepare()
        if log.exists() and log.stat().st_size > LOG_KEPT_BYTES:
            log.replace(log.with_suffix(".log.1"))
        user, group = launch.user or (None, None)
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                launch.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=ROOT if launch.user is None else "/",
                env={**os.environ, **launch.env},
                # A Ctrl-C in the terminal reaches the supervisor alone, which stops the others in order.
                start_new_session=True,
                user=user,
                group=group,
                extra_groups=[] if launch.user else None,
            )
        self.created = created_at(self._popen.pid)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        return self._popen.poll()

    def await_ready(self, cancelled: Event) -> None:
        """Returns when the probe is content; raises when the child dies or its time is over."""
        deadline = time.monotonic() + self.process.ready_s
        pause, longest = POLL_S
        while (missing := self.process.ready()) is not None:
            if self.exit_code is not None:
                raise self.died()
            if time.monotonic() > deadline:
                raise self._late(missing)
            if cancelled.wait(pause):
                raise Cancelled
            pause = min(longest, pause * 1.3)
        if self.exit_code is not None:
            raise self.died()

    def await_exit(self, cancelled: Event) -> None:
        """Returns when it has ended by itself."""
        while self.exit_code is None:
            if cancelled.wait(POLL_S[1]):
                raise Cancelled

    def send(self, sent: signal.Signals) -> None:
        self._popen.send_signal(sent)

    def end(self, sent: signal.Signals | None = None) -> float:
        """Ask, wait, insist. Returns the seconds it took."""
        began = time.monotonic()
        self._popen.send_signal(sent or self.process.stop_signal)
        try:
            self._popen.wait(self.process.stop_s)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        return time.monotonic() - began

    def died(self) -> LocalError:
        how = exit_text(self.exit_code or 0)
        return LocalError(
            f"{self.process.name} 프로세스가 멈췄습니다 ({how}).",
            f"The process {self.process.name} died ({how}).",
            log=self.log,
            tail=tail_of(self.log),
        )

    def _late(self, missing: str) -> LocalError:
        return LocalError(
            f"{self.process.name} 프로세스가 {self.process.ready_s:.0f}초 안에 준비되지 않았습니다.",
            f"The process {self.process.name} was not ready within {self.process.ready_s:.0f} s: {missing}",
            log=self.log,
            tail=tail_of(self.log),
        )


def exit_text(code: int) -> str:
    """An exit code as a person reads it."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def created_at(pid: int) -> float:
    """With the pid, what names a process for good: pids come round again. 0 when it is gone already."""
    import psutil

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return 0.0


def run_once(name: str, launch: Launch, log: Path, timeout_s: float = 120.0) -> str:
    """Run to the end; the last line it printed, or a clear sentence."""
    user, group = launch.user or (None, None)
    with log.open("ab") as output:
        start = output.tell()
        try:
            code = subprocess.run(
                launch.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=ROOT if launch.user is None else "/",
                env={**os.environ, **launch.env},
                timeout=timeout_s,
                check=False,
                user=user,
                group=group,
                extra_groups=[] if launch.user else None,
            ).returncode
        except subprocess.TimeoutExpired:
            code = -signal.SIGKILL
    if code != 0:
        raise LocalError(
            f"{name} 단계가 실패했습니다 ({exit_text(code)}).",
            f"The step {name} failed ({exit_text(code)}).",
            log=log,
            tail=tail_of(log),
        )
    said = log.read_bytes()[start:].decode("utf-8", "replace").strip().splitlines()
    return said[-1] if said else ""
