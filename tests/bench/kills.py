"""What is told when things are killed amid a stream of fixes: the inbox in PostgreSQL against brute force.

./dev bench kills [--scenario worker …] [--fixes 200000] [--json OUT]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import numpy as np
from redis.asyncio import Redis
from redis.exceptions import RedisError

from deploy.local import artifacts, ports
from deploy.local.home import ROOT
from deploy.local.secrets import write_private
from deploy.local.stack import Stack
from deploy.local.stack import running as stack_running
from shared.contracts.location import LOCATIONS
from tests.bench.arena import Arena
from tests.bench.contestants import OURS, taken
from tests.bench.loading import posting_id
from tests.bench.workload import Spec, generate, truth

POSTINGS = 300
AMID = 0.3  # of the fixes are taken when it happens
PATIENCE_S = 170.0
CONSENTS = """
INSERT INTO consent (citizen_id, purpose, epoch, terms_version, granted_at)
SELECT 'c' || n, 'location', 1, '1', now() - interval '1 day' FROM generate_series(0, $1 - 1) AS n
"""


class Scene:
    """A stack with an inbox worker, and engines that come and go."""

    def __init__(self, stack: Stack, log: Path) -> None:
        self.stack, self._log = stack, log
        self.engines: list[tuple[subprocess.Popen[bytes], str]] = []
        self._all: list[subprocess.Popen[bytes]] = []
        self.notes: dict[str, Any] = {}
        self._before = 0.0

    def keep(self) -> None:
        """In the place of the stack's Redis one that loses nothing when it is killed."""
        self.stack.processes.kill("redis")
        self.start_redis()

    def start_redis(self) -> None:
        folder, url = self.stack.home / "kept", urlsplit(self.stack.redis_url)
        folder.mkdir(exist_ok=True)
        config = folder / "redis.conf"
        write_private(config, f"dir {folder}\nbind 127.0.0.1\nport {url.port}\nrequirepass {url.password}\nappendonly yes\n"
                              'appendfsync always\nsave ""\n')  # fmt: skip
        self.redis = subprocess.Popen([artifacts.redis(), config], stdout=subprocess.DEVNULL)
        self._all.append(self.redis)

    def start(self, name: str) -> None:
        port = ports.pick(None, ())
        child = subprocess.Popen(
            [sys.executable, "-m", "services.matching.worker", name], cwd=ROOT, stdout=self._log.open("ab"),
            stderr=subprocess.STDOUT,
            env={**os.environ, **self.stack.env(), **OURS, "GWANGSAN_BUDGET_PER_DAY": "100000", "GWANGSAN_PORT": str(port),
                 "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        self._all.append(child)
        if name == "engine":
            self.engines.append((child, f"http://127.0.0.1:{port}/metrics"))

    def leave(self, how: Callable[[subprocess.Popen[bytes]], None]) -> None:
        """The first engine goes; what it took stays counted."""
        child, url = self.engines.pop(0)
        self._before += taken(url)
        how(child)
        child.wait(30)

    def taken(self) -> float:
        return self._before + sum(taken(url) for _, url in self.engines)

    async def amid(self, fixes: int, share: float = AMID) -> None:
        ends = time.monotonic() + PATIENCE_S
        while self.taken() < fixes * share and time.monotonic() < ends:
            await asyncio.sleep(0.05)

    def end(self) -> None:
        for child in self._all:
            child.kill()
            child.wait(10)


Disturb = Callable[[Scene, int], Awaitable[None]]


async def worker(scene: Scene, fixes: int) -> None:
    """kill -9 amid a batch; another starts."""
    await scene.amid(fixes)
    scene.leave(subprocess.Popen.kill)
    scene.start("engine")


async def worker_twice(scene: Scene, fixes: int) -> None:
    await worker(scene, fixes)
    await worker(scene, fixes * 2)


async def redis_kept(scene: Scene, fixes: int) -> None:
    """kill -9 of a Redis that writes each command to its file before it answers; it comes back with what it held."""
    await scene.amid(fixes)
    held = await _keys(scene)
    scene.redis.kill()
    scene.redis.wait(10)
    await asyncio.sleep(1.0)
    scene.start_redis()
    kept = await _keys(scene)
    scene.notes["redis_keys"] = {"before": held, "after": kept}


async def redis_emptied(scene: Scene, fixes: int) -> None:
    """The embedded one keeps nothing on disk, so that whoever kills it empties it."""
    await scene.amid(fixes)
    scene.stack.processes.kill("redis")
    await asyncio.sleep(1.0)
    await asyncio.to_thread(scene.stack.processes.start, "redis")


async def _index_written(scene: Scene) -> None:
    """Or Redis would be killed before it holds anything: an engine takes all the fixes in little more than a second."""
    ends = time.monotonic() + PATIENCE_S
    while await _keys(scene) < LOCATIONS.partitions + POSTINGS and time.monotonic() < ends:
        await asyncio.sleep(0.05)


async def _keys(scene: Scene) -> int:
    """How many there are, once it answers."""
    redis, ends = Redis.from_url(scene.stack.redis_url), time.monotonic() + PATIENCE_S
    try:
        while True:
            try:
                return int(await redis.dbsize())
            except (RedisError, OSError):
                if time.monotonic() > ends:
                    raise
                await asyncio.sleep(0.05)
    finally:
        await redis.aclose()


async def broker(scene: Scene, fixes: int) -> None:
    await scene.amid(fixes)
    scene.stack.processes.kill("kafka")
    await asyncio.sleep(1.0)
    await asyncio.to_thread(scene.stack.processes.start, "kafka")


async def rebalance(scene: Scene, fixes: int) -> None:
    """A second engine joins, and takes half of the partitions over."""
    await scene.amid(fixes, AMID / 3)
    scene.start("engine")


async def moved(scene: Scene, fixes: int) -> None:
    """A second engine joins, and the first leaves: every partition moves."""
    await rebalance(scene, fixes)
    await asyncio.sleep(4.0)
    scene.leave(subprocess.Popen.terminate)


SCENARIOS: dict[str, Disturb] = {
    "none": lambda scene, fixes: scene.amid(fixes), "worker": worker, "worker-twice": worker_twice, "redis": redis_kept,
    "redis-emptied": redis_emptied, "broker": broker, "rebalance": rebalance, "partitions-moved": moved,
}  # fmt: skip


async def played(name: str, spec: Spec) -> dict[str, Any]:
    """One scenario on a stack of its own; the counts are of the inbox."""
    work = generate(spec)
    known = truth(work)
    with stack_running(services=False) as stack:
        env = {**os.environ, **stack.env(), "PYTHONPATH": str(ROOT)}
        migrate = [sys.executable, "-m", "shared.database", "migrate", "matching"]
        subprocess.run(migrate, cwd=ROOT, env=env, check=True, capture_output=True)
        arena, index_first = Arena(stack), SCENARIOS[name] in (redis_kept, redis_emptied)
        await arena.fill(work, fixes=not index_first)
        inbox = await asyncpg.connect(f"{stack.postgres_url}/matching")
        await inbox.execute(CONSENTS, spec.citizens)
        scene, began = Scene(stack, stack.home / "kills.log"), time.monotonic()
        try:
            if SCENARIOS[name] is redis_kept:
                scene.keep()
            scene.start("inbox")
            scene.start("engine")
            async with asyncio.TaskGroup() as tasks:
                if index_first:
                    await _index_written(scene)
                    tasks.create_task(arena.send_fixes(work))
                await SCENARIOS[name](scene, spec.fixes)
            rows = await _settled(inbox, len(known.must))
        finally:
            scene.end()
            await inbox.close()
    number = {posting_id(i): i for i in range(spec.postings)}
    pairs = np.array([int(row["citizen_id"][1:]) << 32 | number[row["posting_id"]] for row in rows], np.int64)
    return {
        "scenario": name,
        "params": {"postings": spec.postings, "citizens": spec.citizens, "fixes": spec.fixes},
        "seconds": round(time.monotonic() - began, 1),
        **known.judge(pairs),
        **scene.notes,
    }


async def _settled(inbox: asyncpg.Connection[asyncpg.Record], expected: int) -> list[asyncpg.Record]:
    """All rows, once there are enough and no more have come for some seconds."""
    ends = time.monotonic() + PATIENCE_S
    last, since = -1, time.monotonic()
    while time.monotonic() < ends:
        count = await inbox.fetchval("SELECT count(*) FROM inbox_item")
        if count != last:
            last, since = count, time.monotonic()
        if time.monotonic() - since > (4.0 if count >= expected else 30.0):
            break
        await asyncio.sleep(0.5)
    rows: list[asyncpg.Record] = await inbox.fetch("SELECT citizen_id, posting_id FROM inbox_item")
    return rows


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev bench kills", description=__doc__)
    parser.add_argument("--scenario", action="append", choices=list(SCENARIOS))
    parser.add_argument("--fixes", type=int, default=200_000)
    parser.add_argument("--json", metavar="OUT")
    parser.add_argument("--add", action="store_true", help="to what OUT holds already")
    options = parser.parse_args(arguments)
    kept = []
    for name in options.scenario or SCENARIOS:
        kept.append(asyncio.run(played(name, Spec(POSTINGS, options.fixes // 10, options.fixes))))
        sys.stderr.write(json.dumps(kept[-1]) + "\n")
    if options.json:
        out = Path(options.json)
        before = json.loads(out.read_text()) if options.add and out.exists() else []
        out.write_text(json.dumps(before + kept, indent=1) + "\n")
    return 1 if any(line["missing"] or line["extra"] or line["duplicate"] for line in kept) else 0
