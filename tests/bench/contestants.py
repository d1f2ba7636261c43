"""The systems that are measured side by side, as processes: the engine itself, the floor, and its peers."""

from __future__ import annotations

import json
import os
import shutil
import socket
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
from tests.bench.workload import Workload

PATIENCE_S = 120.0
# One filling of the topics serves all rounds; as long as they last no fix may become too old to match.
OURS = {"GWANGSAN_POSITION_TTL_S": "86400"}


class Unavailable(Exception):  # noqa: N818 no fault: it is skipped with one line
    """What a peer needs is not on this machine."""


@dataclass
class Running:
    """Processes by name, to begin at `go`."""

    pids: dict[str, int]
    go: Callable[[], None] = lambda: None
    done: Callable[[], bool] = lambda: True  # has it taken all fixes
    quiet_s: float = 1.0  # how long no alert may come before it counts as finished


@dataclass(frozen=True)
class System:
    """`module` of tests.bench.peers, or None for the engine; `backend` is what it stands on."""

    name: str
    module: str | None = None
    backend: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    quiet_s: float = 1.0


ENGINE = System("engine", backend="redis")
SYSTEMS = {
    system.name: system
    for system in (
        ENGINE,
        System("floor", "floor"),
        System("geosearch", "geosearch", "redis", {"wire": "packed"}),
        System("geosearch-redis-py", "geosearch", "redis", {"wire": "redis-py"}),
        System("postgis", "postgis", "postgis"),
        System("tile38", "tile38", "tile38", {"out": "channel"}, 3.0),
        System("tile38-hooks", "tile38", "tile38", {"out": "hooks"}, 8.0),
        System("tile38-nearby", "tile38", "tile38", {"out": "nearby"}),
    )
}


@contextmanager
def running(system: System, stack: Stack, config: Mapping[str, Any], workers: int = 1) -> Iterator[Running]:
    """The system ready to begin, what it stands on started afresh. Raises Unavailable."""
    with ExitStack() as ends, tempfile.TemporaryDirectory() as folder:
        if system.module is None:
            yield _engines(stack, workers, config["fixes"], ends, Path(folder))
            return
        pids: dict[str, int] = {}
        told = {**config, **system.options, "kafka_url": stack.kafka_url, "redis_url": stack.redis_url}
        if system.backend in BACKENDS:
            told[f"{system.backend}_url"], pids[system.backend] = ends.enter_context(
                BACKENDS[system.backend](Path(folder))
            )
        elif system.backend == "redis":
            pids["redis"] = stack.processes.pid("redis")
        peer = subprocess.Popen(
            [sys.executable, "-m", f"tests.bench.peers.{system.module}", json.dumps(told)], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        ends.callback(_end, peer)
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
            _end(ear)


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
    pids, urls = {"redis": stack.processes.pid("redis")}, []
    for nth in range(workers):
        port = ports.pick(None, ())
        log = ends.enter_context((folder / f"engine-{nth}.log").open("wb"))
        child = subprocess.Popen(
            [sys.executable, "-m", "services.matching.worker", "engine"], cwd=ROOT, stdout=log, stderr=log,
            env={**os.environ, **stack.env(), **OURS, "GWANGSAN_PORT": str(port), "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        ends.callback(_end, child)
        pids[f"worker-{nth}"] = child.pid
        urls.append(f"http://127.0.0.1:{port}/metrics")
    return Running(pids, done=lambda: sum(map(taken, urls)) >= fixes)


def taken(url: str) -> float:
    """Fixes that an engine has taken in, by its own count; 0 while it is not up."""
    try:
        with urlopen(url, timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return 0
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("gwangsan_fixes_total"))


def _end(child: subprocess.Popen[Any]) -> None:
    child.terminate()
    try:
        child.wait(20)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait(5)


@contextmanager
def tile38(folder: Path) -> Iterator[tuple[str, int]]:
    binary = shutil.which(os.environ.get("GWANGSAN_BENCH_TILE38", "tile38-server"))
    if binary is None:
        raise Unavailable("no tile38-server on the path, and GWANGSAN_BENCH_TILE38 names none")
    port = ports.pick(None, ())
    child = subprocess.Popen(
        [binary, "-h", "127.0.0.1", "-p", str(port), "-d", str(folder / "tile38"), "--appendonly", "no"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _await(port, child)
        yield f"redis://127.0.0.1:{port}", child.pid
    finally:
        _end(child)


@contextmanager
def postgis(folder: Path) -> Iterator[tuple[str, int]]:
    """A PostgreSQL of its own, which must have the extension; as root it runs as the user `postgres`."""
    found = shutil.which(os.environ.get("GWANGSAN_BENCH_POSTGRES", "postgres"))
    programs = Path(found).resolve().parent if found else None
    if programs is None or not _has_postgis(programs):
        raise Unavailable("no PostgreSQL with PostGIS: GWANGSAN_BENCH_POSTGRES may name its program `postgres`")
    user = "postgres" if os.getuid() == 0 else None
    folder.chmod(0o755)
    data = folder / "postgres"
    data.mkdir()
    if user:
        shutil.chown(data, user)
    how: dict[str, Any] = {"user": user, "cwd": data, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}}
    subprocess.run([programs / "initdb", "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--no-sync"],
                   check=True, capture_output=True, **how)  # fmt: skip
    port = ports.pick(None, ())
    settings = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": data, "synchronous_commit": "off",
                "shared_buffers": "1GB", "work_mem": "64MB", "max_wal_size": "8GB", "jit": "off",
                "max_parallel_workers_per_gather": 0, "random_page_cost": 1.1}  # fmt: skip
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    child = subprocess.Popen([programs / "postgres", "-D", data, *options], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, **how)  # fmt: skip
    try:
        _await(port, child)
        yield f"postgresql://bench@127.0.0.1:{port}/postgres", child.pid
    finally:
        _end(child)


BACKENDS = {"tile38": tile38, "postgis": postgis}


def _has_postgis(programs: Path) -> bool:
    told = subprocess.run([programs / "pg_config", "--sharedir"], capture_output=True, text=True, check=False)
    return (Path(told.stdout.strip()) / "extension" / "postgis.control").exists()


def _await(port: int, child: subprocess.Popen[Any]) -> None:
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if child.poll() is not None:
            raise RuntimeError(f"it ended with {child.returncode}")
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on {port}")
