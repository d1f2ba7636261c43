"""`./dev up`: starts the stack, restarts what dies, stops everything in order."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from threading import Event, Thread
from types import FrameType

from deploy.local import kafka, state
from deploy.local.accounts import data_folder, unprivileged
from deploy.local.errors import LocalError
from deploy.local.home import Home
from deploy.local.processes import Cancelled, Child
from deploy.local.screen import Screen
from deploy.local.stack import Session

LOOK_EVERY_S = 0.3
BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 4.0)
WINDOW_S = 120.0
INFRASTRUCTURE = frozenset({"kafka", "postgres", "redis", "gateway"})


class Supervisor:
    """Watches the children of one session. More deaths than BACKOFF_S within WINDOW_S and it gives up on that one."""

    def __init__(self, session: Session, screen: Screen) -> None:
        self._session = session
        self._screen = screen
        self._deaths: defaultdict[str, list[float]] = defaultdict(list)
        self._given_up: set[str] = set()
        self._reviving: set[str] = set()
        self.stopping = Event()
        self.fatal: LocalError | None = None

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        """The first asks for an orderly stop; a second one no longer waits for anything."""
        if self.stopping.is_set():
            self._session.fleet.stop_all()
            os._exit(130)
        self.stopping.set()
        self._session.fleet.cancel()

    def watch(self) -> None:
        """Until told to stop, or until something the stack cannot be without stays dead."""
        while not self.stopping.wait(LOOK_EVERY_S):
            for name, child in self._session.fleet.children().items():
                if child.exit_code is not None and name not in self._given_up | self._reviving:
                    self._mourn(name, child)

    def _mourn(self, name: str, child: Child) -> None:
        now = time.monotonic()
        recent = [death for death in self._deaths[name] if now - death < WINDOW_S]
        self._deaths[name] = [*recent, now]
        error = child.died()
        if len(recent) >= len(BACKOFF_S):
            self._given_up.add(name)
            self._screen.failed(error)
            if name in INFRASTRUCTURE:
                self.fatal = error
                self.stopping.set()
            return
        self._screen.note(f"{error.korean} 다시 시작합니다.", f"{error.english} Restarting it.", error.log)
        self._reviving.add(name)
        Thread(target=self._revive, args=(name, BACKOFF_S[len(recent)]), daemon=True).start()

    def _revive(self, name: str, pause_s: float) -> None:
        try:
            if self.stopping.wait(pause_s):
                return
            self._session.restarts[name] = self._session.restarts.get(name, 0) + 1
            self._session.fleet.start(name)
            self._session.record()
            self._screen.done(name, "다시 시작됨 restarted", 0.0)
        except LocalError as error:
            self._screen.failed(error)
        except Cancelled:
            return
        finally:
            self._reviving.discard(name)


def up(home: Home, screen: Screen) -> int:
    """Run the stack in the foreground until a signal. Returns the exit code."""
    running = state.running(home)
    if running is not None:
        screen.already(running)
        return 0
    began = time.monotonic()
    with screen:
        session = Session(home, screen, services=True, fixed_ports=True)
        if session.recovered:
            names = ", ".join(session.recovered)
            screen.note("지난번에 남은 프로세스를 정리했습니다.", f"Ended what an interrupted run left: {names}.")
        for korean, english in session.plan.notes:
            screen.note(korean, english)
        supervisor = Supervisor(session, screen)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, supervisor.on_signal)
        try:
            session.start(screen.stopped)
        except Cancelled:
            return 130
    screen.ready(session.plan, time.monotonic() - began)
    training = Thread(target=kafka.train, args=(supervisor.stopping, screen))
    if "kafka" not in session.plan.external:
        training.start()
    supervisor.watch()
    screen.say("멈추는 중… stopping")
    session.stop(screen.stopped)
    return 1 if supervisor.fatal else 0


def down(home: Home, screen: Screen, *, erase: bool = False, within_s: float = 60.0) -> int:
    """Ask the supervisor to stop and wait; without one, end what it left."""
    running = state.running(home)
    if running is None:
        left = state.end_orphans(home)
        screen.say(f"꺼져 있습니다. Not running.{' Ended: ' + ', '.join(left) if left else ''}")
    else:
        _ask_to_stop(running, within_s)
        screen.say("✓ 멈췄습니다. Stopped.")
    if erase:
        for folder in (data_folder(home.folder, unprivileged()), home.folder / "kafka", home.folder / "logs"):
            shutil.rmtree(folder, ignore_errors=True)
        screen.say("✓ 자료를 지웠습니다. The data is deleted.")
    return 0


def _ask_to_stop(running: state.State, within_s: float) -> None:
    os.kill(running.supervisor.pid, signal.SIGTERM)
    deadline = time.monotonic() + within_s
    while running.supervisor.alive():
        if time.monotonic() > deadline:
            pid = running.supervisor.pid
            raise LocalError("스택이 제때 멈추지 않았습니다.", f"The stack (pid {pid}) did not stop in time.")
        time.sleep(0.05)


def detached(home: Home, screen: Screen) -> int:
    """Start the supervisor in the background, show what it says until it is ready or has failed."""
    running = state.running(home)
    if running is not None:
        screen.already(running)
        return 0
    home.prepare()
    log = home.log("supervisor")
    with log.open("wb") as output:
        command = [sys.executable, "-P", "-m", "deploy.local", "up"]
        supervisor = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    with log.open("r", encoding="utf-8", errors="replace") as told:
        while True:
            code = supervisor.poll()
            found = state.read(home)
            ready = found is not None and found.status == "ready" and found.supervisor.pid == supervisor.pid
            sys.stdout.write(told.read())
            sys.stdout.flush()
            if code is not None:
                return code
            if ready and "what to try" in log.read_text(encoding="utf-8", errors="replace"):
                sys.stdout.write(told.read())
                return 0
            time.sleep(0.1)
