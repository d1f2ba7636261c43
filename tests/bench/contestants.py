"""The systems that are measured side by side, as processes: the engine itself, the floor, and its peers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.request import urlopen

import numpy as np

from deploy.local import ports
from deploy.local.home import ROOT
from deploy.local.stack import Stack
from shared.contracts.location import LOCATIONS
from tests.bench.backends import BACKENDS, PATIENCE_S, end
from tests.bench.workload import Workload

# One filling of the topics serves all rounds; as long as they last no fix may become too old to match.
OURS = {"GWANGSAN_POSITION_TTL_S": "86400"}


@dataclass
class Running:
    """Processes by name, to begin at `go`."""

    pids: dict[str, int]
    go: Callable[[], None] = lambda: None
    done: Callable[[], bool] = lambda: True  # has it taken all fixes
    quiet_s: float = 1.0  # how long no alert may come before it counts as finished


@dataclass(frozen=True)
class System:
    """`module` of tests.bench.peers, or None for the engine; `backend` is what it stands on. `share` is the part of the
    citizens, with all of their fixes, that a stream of fixes is cut down to for a system too slow for all.
    """

    name: str
    module: str | None = None
    backend: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    quiet_s: float = 1.0
    workers: int = 1
    share: float = 1.0


SYSTEMS = {
    system.name: system
    for system in (
        System("engine", backend="redis"),
        System("engine-2", backend="redis", workers=2),
        System("engine-4", backend="redis", workers=4),
        System("floor", "floor"),
        System("floor-written", "floor", options={"reads": "written"}),
        System("floor-batches", "floor", options={"reads": "batches"}),
        System("geosearch", "geosearch", "redis", {"wire": "packed"}),
        System("geosearch-redis-py", "geosearch", "redis", {"wire": "redis-py"}),
        System("postgis", "postgis", "postgis"),
        System("tile38", "tile38", "tile38", {"out": "channel"}, 3.0),
        System("tile38-hooks", "tile38", "tile38", {"out": "hooks"}, 8.0, share=0.01),
        System("tile38-nearby", "tile38", "tile38", {"out": "nearby"}),
    )
}


@contextmanager
def running(system: System, stack: Stack, config: Mapping[str, Any]) -> Iterator[Running]:
    """The system holding the postings and ready to begin, what it stands on started afresh. Raises Unavailable."""
    with ExitStack() as ends, tempfile.TemporaryDirectory() as folder:
        if system.module is None:
            yield _engines(stack, system.workers, config["fixes"], ends, Path(folder))
            return
        pids: dict[str, int] = {}
        told = {**config, **system.options, "kafka_url": stack.kafka_url, "redis_url": stack.redis_url}
        if system.backend is not None and system.backend in BACKENDS:
            told[f"{system.backend}_url"], pids[system.backend] = ends.enter_context(
                BACKENDS[system.backend](Path(folder))
            )
        elif system.backend == "redis":
            pids["redis"] = stack.processes.pid("redis")
        peer = subprocess.Popen(
            [sys.executable, "-m", f"tests.bench.peers.{system.module}", json.dumps(told)], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        ends.callback(end, peer)
        assert peer.stdin is not None
        assert peer.stdout is not None
        words = _Words(peer.stdout)
        words.expect("ready")
        stdin = peer.stdin

        def go() -> None:
            stdin.write("go\n")
            stdin.flush()

        yield Running({"peer": peer.pid, **pids}, go, lambda: words.said("done"), system.quiet_s)


@contextmanager
def hearing(stack: Stack, work: Workload) -> Iterator[dict[str, Any]]:
    """Alerts heard by a process of its own (ear.py): `pairs` and `at`, once it is over."""
    heard: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "heard.npz"
        ear = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.ear", stack.kafka_url, str(work.spec.postings), str(out)], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        try:
            assert ear.stdout is not None
            _Words(ear.stdout).expect("ready")
            yield heard
            ear.communicate(timeout=PATIENCE_S)
            heard.update(np.load(out))
        finally:
            end(ear)


class _Words:
    """What a process says, line by line."""

    def __init__(self, stdout: IO[str]) -> None:
        os.set_blocking(stdout.fileno(), False)
        self._stdout, self._heard = stdout, set[str]()

    def said(self, word: str) -> bool:
        while line := self._stdout.readline():
            self._heard.add(line.strip())
        return word in self._heard

    def expect(self, word: str) -> None:
        ends = time.monotonic() + PATIENCE_S
        while not self.said(word):
            if time.monotonic() > ends:
                raise TimeoutError(f"no {word!r} within {PATIENCE_S:g} s")
            time.sleep(0.02)


def _engines(stack: Stack, workers: int, fixes: int, ends: ExitStack, folder: Path) -> Running:
    pids, urls, all_words, begin = {"redis": stack.processes.pid("redis")}, [], [], []
    for nth in range(workers):
        port = ports.pick(None, ())
        log = ends.enter_context((folder / f"engine-{nth}.log").open("wb"))
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.held"], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=log, env={**os.environ, **stack.env(), **OURS, "GWANGSAN_PORT": str(port), "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        ends.callback(end, child)
        assert child.stdin is not None
        assert child.stdout is not None
        pids[f"worker-{nth}"] = child.pid
        urls.append(f"http://127.0.0.1:{port}/metrics")
        all_words.append(_Words(child.stdout))
        begin.append(child.stdin)
    for words in all_words:
        words.expect(f"holds {LOCATIONS.partitions // workers}")

    def go() -> None:
        for stdin in begin:
            stdin.write("go\n")
            stdin.flush()

    return Running(pids, go, lambda: sum(map(taken, urls)) >= fixes)


def taken(url: str) -> float:
    """Fixes that an engine has taken in, by its own count; 0 while it is not up."""
    try:
        with urlopen(url, timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return 0
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("gwangsan_fixes_total"))
