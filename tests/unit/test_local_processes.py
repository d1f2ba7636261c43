"""Children: what a person is told when one dies, and in which order they end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local import state
from deploy.local.errors import LocalError
from deploy.local.fleet import Fleet
from deploy.local.home import Home
from deploy.local.processes import Launch, Process, Task, created_at, run_once
from deploy.local.report import Quiet

SLEEPS = "import time; open({flag!r}, 'w').close(); time.sleep(60)"
Start = Callable[..., Fleet]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    made.prepare()
    return made


@pytest.fixture
def start(home: Home) -> Iterator[Start]:
    made: list[Fleet] = []

    def begin(*steps: Process | Task) -> Fleet:
        made.append(Fleet(home, steps, Quiet(), lambda: None))
        made[-1].start_all()
        return made[-1]

    yield begin
    for fleet in made:
        fleet.stop_all()


def sleeper(home: Home, name: str, wave: int = 0, after: tuple[str, ...] = ()) -> Process:
    """A real process that is ready once its flag is there."""
    flag = home.folder / name
    launch = Launch((sys.executable, "-c", SLEEPS.format(flag=str(flag))))
    return Process(name, lambda: launch, lambda: None if flag.exists() else "no flag", after, wave=wave, ready_s=20)


def script(name: str, code: str, ready_s: float = 20) -> Process:
    return Process(name, lambda: Launch((sys.executable, "-c", code)), lambda: "never ready", ready_s=ready_s)


def test_a_child_that_dies_is_told_with_its_log_and_last_lines(home: Home, start: Start) -> None:
    dying = script("jobs", "for n in range(9): print('line', n, flush=True)\nraise SystemExit(3)")
    with pytest.raises(LocalError, match=r"The process jobs died \(exit code 3\)") as told:
        start(dying)
    assert told.value.log == home.log("jobs")
    assert told.value.tail == tuple(f"line {n}" for n in range(4, 9))


def test_a_child_that_never_gets_ready_is_told_with_what_is_missing(start: Start) -> None:
    with pytest.raises(LocalError, match=r"was not ready within 0 s: never ready"):
        start(script("jobs", "import time; time.sleep(60)", ready_s=0.2))


def test_one_failure_gives_up_what_waits_for_it(home: Home, start: Start) -> None:
    failing = Task("topics", lambda: run_once("topics", Launch((sys.executable, "-c", "1/0")), home.log("topics")))
    with pytest.raises(LocalError, match="The step topics failed") as told:
        start(failing, sleeper(home, "jobs", after=("topics",)))
    assert "ZeroDivisionError" in told.value.tail[-1]
    assert not (home.folder / "jobs").exists()


def test_a_program_that_is_not_there_is_told(start: Start) -> None:
    absent = Process("gateway", lambda: Launch(("/nonexistent/caddy",)), lambda: None)
    with pytest.raises(LocalError, match="Could not start gateway"):
        start(absent)


def test_stopping_goes_wave_by_wave(home: Home, start: Start) -> None:
    fleet = start(sleeper(home, "postgres", wave=3), sleeper(home, "jobs", wave=0), sleeper(home, "kafka", wave=2))
    ended: list[str] = []
    fleet.stop_all(lambda name, _: ended.append(name))
    assert ended == ["jobs", "kafka", "postgres"]


def test_a_killed_child_stays_dead_until_it_is_started(home: Home, start: Start) -> None:
    fleet = start(sleeper(home, "jobs"))
    before = fleet.pid("jobs")
    fleet.kill("jobs", signal.SIGKILL)
    assert fleet.children()["jobs"].exit_code == -signal.SIGKILL
    fleet.start("jobs")
    assert fleet.pid("jobs") != before


def test_orphans_are_ended_by_pid_and_birth_and_strangers_are_spared(home: Home, start: Start) -> None:
    fleet = start(sleeper(home, "jobs"), sleeper(home, "stranger"))
    orphan, stranger = fleet.pid("jobs"), fleet.pid("stranger")
    left = {
        "jobs": state.Recorded(orphan, created_at(orphan)),
        "reused-number": state.Recorded(stranger, created_at(stranger) - 1000),
    }
    state.write(home, state.State("ready", state.Recorded(1, 0.0), "", {}, [], left))
    assert state.running(home) is None
    assert state.end_orphans(home) == ["jobs"]
    assert fleet.children()["jobs"].exit_code is not None
    assert fleet.children()["stranger"].exit_code is None
    assert state.read(home) is None


def test_a_damaged_state_file_is_no_state(home: Home) -> None:
    home.state.write_text('{"status": "ready"', encoding="utf-8")
    assert state.read(home) is None
    assert state.end_orphans(home) == []
