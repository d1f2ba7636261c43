"""The state file: how other commands find a running stack, and how the next start finds what a killed one left."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from deploy.local.home import Home
from deploy.local.secrets import write_private

Status = Literal["starting", "ready", "stopping"]


@dataclass(frozen=True)
class Recorded:
    """One process as it was started."""

    pid: int
    created: float
    port: int | None = None
    wave: int = 0
    stop_signal: int = 15
    restarts: int = 0

    def alive(self) -> bool:
        """The same process, not another that got its number."""
        import psutil

        try:
            found = psutil.Process(self.pid)
            return abs(found.create_time() - self.created) < 2.0 and found.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


@dataclass(frozen=True)
class State:
    """A stack as its supervisor last told it."""

    status: Status
    supervisor: Recorded
    gateway_url: str
    env: dict[str, str]
    external: list[str] = field(default_factory=list)
    processes: dict[str, Recorded] = field(default_factory=dict)


def write(home: Home, state: State) -> None:
    """0600: the environment in it holds the passwords."""
    write_private(home.state, json.dumps(asdict(state), ensure_ascii=False, indent=1))


def read(home: Home) -> State | None:
    """None when no stack ran here, or the file tells nothing."""
    try:
        told: dict[str, Any] = json.loads(home.state.read_text(encoding="utf-8"))
        return State(
            status=told["status"],
            supervisor=Recorded(**told["supervisor"]),
            gateway_url=told["gateway_url"],
            env=told["env"],
            external=told["external"],
            processes={name: Recorded(**process) for name, process in told["processes"].items()},
        )
    except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError):
        return None


def running(home: Home) -> State | None:
    """The state, if its supervisor is alive."""
    state = read(home)
    return state if state is not None and state.supervisor.alive() else None


def forget(home: Home) -> None:
    home.state.unlink(missing_ok=True)


def end_orphans(home: Home) -> list[str]:
    """End what a killed supervisor left, in the order it would have. Returns the names."""
    import psutil

    state = read(home)
    if state is None:
        return []
    left = {name: process for name, process in state.processes.items() if process.alive()}
    for wave in sorted({process.wave for process in left.values()}):
        members = [psutil.Process(process.pid) for process in left.values() if process.wave == wave and process.alive()]
        for name, process in left.items():
            if process.wave == wave and process.alive():
                os.kill(process.pid, left[name].stop_signal)
        _, stubborn = psutil.wait_procs(members, timeout=15)
        for member in stubborn:
            member.kill()
        psutil.wait_procs(stubborn, timeout=5)
    forget(home)
    _forget_postmaster(home.folder / "postgres" / "data" / "postmaster.pid")
    return list(left)


def _forget_postmaster(path: Path) -> None:
    """PostgreSQL refuses to start while this file names a living process, though it be a stranger with the old number."""
    import psutil

    if not path.exists():
        return
    pid = int(path.read_text(encoding="utf-8").split("\n", 1)[0] or 0)
    if not psutil.pid_exists(pid) or "postgres" not in psutil.Process(pid).name():
        path.unlink(missing_ok=True)
