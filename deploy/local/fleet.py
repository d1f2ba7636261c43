"""All processes of one stack: started as soon as what they need is there, stopped in order."""

import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path
from threading import Event, Lock

from deploy.local.errors import LocalError
from deploy.local.home import Home
from deploy.local.processes import Cancelled, Child, Process, Task
from deploy.local.report import Report

ENDING = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT})


class Fleet:
    """Starts, ends and names processes. Deciding when to restart is `supervise`'s part."""

    def __init__(
        self, home: Home, steps: Sequence[Process | Task], report: Report, changed: Callable[[], None]
    ) -> None:
        self._home = home
        self._steps = {step.name: step for step in steps}
        self._report = report
        self._changed = changed
        self._lock = Lock()
        self._children: dict[str, Child] = {}
        self._cancelled = Event()

    def start_all(self) -> None:
        """Start everything, each as soon as what it comes after is done; at the first failure give up the rest."""
        finished = {name: Event() for name in self._steps}
        with ThreadPoolExecutor(len(self._steps) or 1) as pool:
            running = [pool.submit(self._in_turn, step, finished) for step in self._steps.values()]
            done, _ = wait(running, return_when=FIRST_EXCEPTION)
            if any(future.exception() for future in done):
                self._cancelled.set()
        _raise_first(running)

    def _in_turn(self, step: Process | Task, finished: dict[str, Event]) -> None:
        for earlier in step.after:
            while earlier in finished and not finished[earlier].wait(0.1):
                if self._cancelled.is_set():
                    raise Cancelled
        began = time.monotonic()
        self._report.begun(step.name)
        if isinstance(step, Task):
            detail = step.run()
        else:
            child = self._spawn(step)
            child.await_ready(self._cancelled)
            detail = f":{step.port}" if step.port else ""
        self._report.done(step.name, detail, time.monotonic() - began)
        finished[step.name].set()

    def _spawn(self, process: Process) -> Child:
        try:
            child = Child(process, self._home.log(process.name))
        except OSError as error:
            raise LocalError(
                f"{process.name} 프로세스를 시작하지 못했습니다: {error}", f"Could not start {process.name}: {error}"
            ) from error
        with self._lock:
            self._children[process.name] = child
        self._changed()
        return child

    def children(self) -> dict[str, Child]:
        with self._lock:
            return dict(self._children)

    def names(self) -> list[str]:
        """Every process, started or not."""
        return [name for name, step in self._steps.items() if isinstance(step, Process)]

    def pid(self, name: str) -> int:
        return self._child(name).pid

    def log_path(self, name: str) -> Path:
        return self._home.log(name)

    def kill(self, name: str, sent: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal; if it is one that ends processes, return when the process is gone."""
        child = self._child(name)
        if sent in ENDING:
            child.end(sent)
        else:
            child.send(sent)

    def stop(self, name: str) -> float:
        """End one process the way it wants to be ended."""
        return self._child(name).end()

    def start(self, name: str) -> None:
        """Start one process and wait until it is ready. One that runs stays as it is."""
        step = self._steps.get(name)
        if not isinstance(step, Process):
            raise KeyError(name)
        running = self.children().get(name)
        if running is None or running.exit_code is not None:
            self._spawn(step).await_ready(self._cancelled)

    def restart(self, name: str) -> None:
        self.stop(name)
        self.start(name)

    def cancel(self) -> None:
        """Give up a start that is under way."""
        self._cancelled.set()

    def stop_all(self, told: Callable[[str, float], None] | None = None) -> None:
        """Wave by wave; within a wave all at once."""
        self._cancelled.set()
        children = self.children()
        for number in sorted({child.process.wave for child in children.values()}):
            wave = [c for c in children.values() if c.process.wave == number and c.exit_code is None]
            if not wave:
                continue
            with ThreadPoolExecutor(len(wave)) as pool:
                for child, seconds in zip(wave, pool.map(Child.end, wave), strict=True):
                    if told is not None:
                        told(child.process.name, seconds)

    def _child(self, name: str) -> Child:
        child = self.children().get(name)
        if child is None:
            raise KeyError(f"{name} is not one of {', '.join(self.names())}")
        return child


def _raise_first(running: Sequence[Future[None]]) -> None:
    """The failure that has something to tell, before those that only followed from it."""
    failures = [error for future in running if (error := future.exception()) is not None]
    told = [error for error in failures if not isinstance(error, Cancelled)]
    for error in told + failures:
        raise error
