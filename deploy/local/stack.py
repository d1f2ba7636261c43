"""The stack as other code uses it: start a private one, or attach to the one `./dev up` runs."""

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Protocol

from deploy.local import locks, plan, state
from deploy.local.errors import LocalError
from deploy.local.fleet import Fleet
from deploy.local.home import Home, default_home
from deploy.local.keys import Keys, identity
from deploy.local.processes import created_at
from deploy.local.report import Quiet, Report
from deploy.local.sweeper import erase, sweeping


class Processes(Protocol):
    """The stack's processes by name; `./dev status` lists the names."""

    def names(self) -> list[str]: ...
    def pid(self, name: str) -> int: ...
    def log_path(self, name: str) -> Path: ...
    def kill(self, name: str, sent: signal.Signals = signal.SIGKILL) -> None: ...
    def start(self, name: str) -> None: ...
    def restart(self, name: str) -> None: ...


@dataclass(frozen=True)
class Stack:
    """A running stack. `gateway_url` is empty when it was started without services."""

    home: Path
    gateway_url: str
    settings: dict[str, str] = field(repr=False)
    processes: Processes = field(repr=False)

    @property
    def kafka_url(self) -> str:
        return self.settings["GWANGSAN_KAFKA_URL"]

    @property
    def postgres_url(self) -> str:
        return self.settings["GWANGSAN_POSTGRES_URL"]

    @property
    def redis_url(self) -> str:
        return self.settings["GWANGSAN_REDIS_URL"]

    @property
    def issuer_url(self) -> str:
        return self.settings["GWANGSAN_OIDC_ISSUER"]

    def env(self) -> dict[str, str]:
        """What a process of the product needs in its environment to be part of this stack."""
        return dict(self.settings)

    def token(self, who: str) -> str:
        """A token of this stack's issuer for citizen:NAME, officer:INSTITUTION, moderator or admin."""
        return Keys(Home(self.home).issuer).sign(identity(who), self.issuer_url)


class Session:
    """One start of one stack in one home, from taking the home's lock to giving it back."""

    def __init__(self, home: Home, report: Report, *, services: bool, fixed_ports: bool) -> None:
        home.prepare()
        held = locks.try_hold(home.lock)
        if held is None:
            raise LocalError("이 폴더의 스택이 이미 돌고 있습니다.", f"A stack is already running in {home.folder}.")
        self._lock = held
        self.home = home
        self._status: state.Status = "starting"
        self._recording = Lock()
        self.restarts: dict[str, int] = {}
        try:
            self.recovered = state.end_orphans(home)
            given = os.environ if fixed_ports else None
            self.plan = plan.make(home, report, services=services, fixed_ports=fixed_ports, given=given)
        except BaseException:
            os.close(held)
            raise
        self.fleet = Fleet(home, self.plan.steps, report, self.record)
        self.stack = Stack(home.folder, self.plan.gateway_url, self.plan.env, self.fleet)

    def start(self, told: Callable[[str, float], None] | None = None) -> None:
        """Everything up, or nothing: a failed start stops what it started."""
        self.record()
        try:
            self.fleet.start_all()
        except BaseException:
            self.stop(told)
            raise
        self._status = "ready"
        self.record()

    def stop(self, told: Callable[[str, float], None] | None = None) -> None:
        self._status = "stopping"
        self.record()
        self.fleet.stop_all(told)
        self.release()

    def release(self) -> None:
        state.forget(self.home)
        os.close(self._lock)

    def record(self) -> None:
        """Write down what runs, so that others find it, and so that nothing is lost if this process is killed."""
        with self._recording:
            self._record()

    def _record(self) -> None:
        recorded = {
            name: state.Recorded(
                child.pid,
                child.created,
                child.process.port,
                child.process.wave,
                child.process.stop_signal,
                self.restarts.get(name, 0),
            )
            for name, child in self.fleet.children().items()
        }
        me = state.Recorded(os.getpid(), created_at(os.getpid()))
        state.write(
            self.home, state.State(self._status, me, self.plan.gateway_url, self.plan.env, self.plan.external, recorded)
        )


@contextmanager
def running(home: Path | None = None, services: bool = True, quiet: bool = True) -> Iterator[Stack]:
    """A private stack on free ports, stopped on leaving. Without `home` it lives in a folder that is deleted then.

    Nothing is restarted by itself here: what a test kills stays dead until the test starts it.
    """
    folder = home or Path(tempfile.mkdtemp(prefix="gwangsan-"))
    place = Home(folder.resolve())
    report = Quiet() if quiet else _plain()
    try:
        with sweeping(place, delete=home is None):
            session = Session(place, report, services=services, fixed_ports=False)
            session.start()
            try:
                yield session.stack
            finally:
                session.stop()
    finally:
        if home is None:
            erase(place)


def _plain() -> Report:
    from deploy.local.screen import Screen

    return Screen(drawn=False)


def attach(home: Path | None = None) -> Stack | None:
    """The stack that `./dev up` runs, once it is ready; None when there is none."""
    place = Home(home) if home else default_home()
    found = state.running(place)
    if found is None or found.status != "ready":
        return None
    return Stack(place.folder, found.gateway_url, found.env, Attached(place))


@dataclass(frozen=True)
class Attached:
    """Processes of another supervisor: it restarts what is killed, so to start means to wait until it did."""

    home: Home

    def _state(self) -> state.State:
        found = state.running(self.home)
        if found is None:
            raise LocalError("스택이 멈췄습니다.", "The stack is not running any more.")
        return found

    def names(self) -> list[str]:
        return list(self._state().processes)

    def pid(self, name: str) -> int:
        return self._state().processes[name].pid

    def log_path(self, name: str) -> Path:
        return self.home.log(name)

    def kill(self, name: str, sent: signal.Signals = signal.SIGKILL) -> None:
        os.kill(self.pid(name), sent)

    def start(self, name: str, within_s: float = 60.0) -> None:
        deadline = time.monotonic() + within_s
        while not self._state().processes[name].alive():
            if time.monotonic() > deadline:
                raise LocalError(
                    f"{name} 프로세스가 돌아오지 않았습니다.", f"{name} did not come back.", self.home.log(name)
                )
            time.sleep(0.1)

    def restart(self, name: str) -> None:
        self.kill(name, signal.SIGTERM)
        self.start(name)
