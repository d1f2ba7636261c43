"""Publishing to everybody who lives in a 동: from the officer's request to the last alert in the inboxes, and memory.

    ./dev bench notices [--residents 100000] [--notices 3] [--json OUT]

Residents chose their 동 by hand; nobody's position is known. Notices, engine and inbox are processes of their own on a
stack of their own, and the load comes over HTTP from this process: all share the machine. Quiet hours are off.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import psutil

from deploy.local import ports
from shared.contracts import Watch
from shared.geo import district
from shared.messaging import kafka, topics
from tests.bench.loading import send_events
from tests.databases import Databases
from tests.issuer import AUDIENCE, Issuer, token
from tests.publishers import notice_draft
from tests.stacks import Addresses, open_stack
from tests.waiting import until

HOME, PROBE = district().dongs[5].code, district().dongs[9].code
OFFICER = "officer:수완동"
SOUGHT_S = 10.0
LOOK_EVERY_S = 0.25
PROCESSES = {
    "notices": ["services.notices.app"], "engine": ["services.matching.worker", "engine"],
    "inbox": ["services.matching.worker", "inbox"],
}  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """The running processes, and the database of inboxes."""

    http: httpx.AsyncClient
    inboxes: asyncpg.Connection
    processes: dict[str, psutil.Process]
    issuer: Issuer

    async def publish(self, dong: str, headline: str) -> str:
        headers = {"Authorization": f"Bearer {token(self.issuer, OFFICER)}", "Idempotency-Key": uuid4().hex}
        body = notice_draft(headline=headline, target={"dongs": [dong]}, topics=[])
        answer = await self.http.post("/notices", json=body, headers=headers)
        answer.raise_for_status()
        return str(answer.json()["id"])

    async def changes(self) -> int:
        """The number of the inbox's last change: looking often must not cost what is measured."""
        number: int = await self.inboxes.fetchval("SELECT last_value FROM inbox_change")
        return number

    async def told(self, notice: str) -> int:
        counted: int = await self.inboxes.fetchval("SELECT count(*) FROM inbox_item WHERE posting_id = $1", notice)
        return counted

    def memory_mib(self) -> dict[str, int]:
        return {name: round(process.memory_info().rss / 2**20) for name, process in self.processes.items()}

    async def cpu_s(self) -> dict[str, float]:
        """Of our processes, and of all PostgreSQL's servers that are alive now."""
        own = {name: sum(process.cpu_times()[:2]) for name, process in self.processes.items()}
        pids = await self.inboxes.fetch("SELECT pid FROM pg_stat_activity")
        return own | {"postgres": sum(sum(psutil.Process(row["pid"]).cpu_times()[:2]) for row in pids)}


def residents(count: int, now: datetime) -> Iterable[Watch]:
    """So many in one 동, and one in another, who shows that matching has read all of them."""
    for number in range(count):
        yield Watch(
            citizen_id=f"r{number}", version=1, consent_epoch=0, located=False, home_dongs=(HOME,), changed_at=now
        )
    for partition in range(64):
        yield Watch(
            citizen_id=f"probe{partition}",
            version=1,
            consent_epoch=0,
            located=False,
            home_dongs=(PROBE,),
            changed_at=now,
        )


async def one(stage: Stage, count: int, nth: int) -> dict[str, Any]:
    """One notice to all: seconds until the first and the last is in an inbox, memory meanwhile, CPU of each process."""
    before, cpu, peak, changes = stage.memory_mib(), await stage.cpu_s(), stage.memory_mib(), await stage.changes()
    began, first_s, told = time.monotonic(), None, 0
    notice = await stage.publish(HOME, f"모두에게 {nth}")
    while told < count and time.monotonic() - began < 120:
        await asyncio.sleep(LOOK_EVERY_S)
        told = await stage.changes() - changes
        told = await stage.told(notice) if told >= count else told  # what was drawn may not be committed
        first_s = time.monotonic() - began if told and first_s is None else first_s
        peak = {name: max(peak[name], now) for name, now in stage.memory_mib().items()}
    seconds, used = time.monotonic() - began, await stage.cpu_s()
    return {
        "told": told, "first_s": round(first_s or 0, 2), "last_s": round(seconds, 2), "alerts_per_s": round(told / seconds),
        "cpu_s": {name: round(used[name] - cpu[name], 2) for name in used},
        "memory_mib": {"before": before, "peak": peak, "after": stage.memory_mib()},
    }  # fmt: skip


async def measured(count: int, notices: int) -> dict[str, Any]:
    with open_stack("embedded") as addresses:
        await topics.ensure(addresses.kafka_url)
        async with staged(addresses) as stage:
            producer, now = kafka.producer(addresses.kafka_url, linger_ms=20), datetime.now(UTC)
            await producer.start()
            await send_events(producer, residents(count, now), now)
            await producer.stop()
            probe = await stage.publish(PROBE, "시작")
            await until(lambda: _all_of(stage, probe, 64), 120, what="matching has read every watch")
            return {"residents": count, "runs": [await one(stage, count, nth) for nth in range(notices)]}


async def _all_of(stage: Stage, notice: str, count: int) -> bool:
    return await stage.told(notice) == count


@asynccontextmanager
async def staged(addresses: Addresses) -> AsyncIterator[Stage]:
    issuer, databases = Issuer(), Databases(addresses.postgres_url)
    urls = {name: await databases.migrated(name) for name in ("notices", "matching")}
    port = {name: ports.pick(None, ()) for name in PROCESSES}
    shared = {
        **os.environ, "GWANGSAN_KAFKA_URL": addresses.kafka_url, "GWANGSAN_REDIS_URL": addresses.redis_url,
        "GWANGSAN_POSTGRES_URL": addresses.postgres_url, "GWANGSAN_DATABASE_PREFIX": databases.prefix,
        "GWANGSAN_OIDC_ISSUER": issuer.url, "GWANGSAN_OIDC_AUDIENCE": AUDIENCE, "GWANGSAN_LOG_LEVEL": "WARNING",
        "GWANGSAN_QUIET_FROM": "0", "GWANGSAN_QUIET_TO": "0",
    }  # fmt: skip
    children = {
        name: subprocess.Popen(
            [sys.executable, "-m", *command], env=shared | {"GWANGSAN_PORT": str(port[name])}, stdout=subprocess.DEVNULL
        )
        for name, command in PROCESSES.items()
    }
    inboxes = await asyncpg.connect(urls["matching"].replace("+asyncpg", ""))
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port['notices']}", timeout=60) as http:
            for name in PROCESSES:
                await until(lambda name=name: _ready(http, port[name]), 120, what=name)  # type: ignore[misc]
            yield Stage(http, inboxes, {name: psutil.Process(c.pid) for name, c in children.items()}, issuer)
    finally:
        await inboxes.close()
        for child in children.values():
            child.terminate()
        for child in children.values():
            await asyncio.to_thread(child.wait, 30)
        issuer.stop()
        await databases.drop()


async def _ready(http: httpx.AsyncClient, port: int) -> bool:
    try:
        return (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
    except httpx.HTTPError:
        return False


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev bench notices", description=__doc__)
    parser.add_argument("--residents", type=int, default=100_000)
    parser.add_argument("--notices", type=int, default=3)
    parser.add_argument("--json", metavar="OUT")
    options = parser.parse_args(arguments)
    figures = asyncio.run(measured(options.residents, options.notices))
    figures |= {"sought_s": SOUGHT_S, "load_1_min": round(os.getloadavg()[0], 1)}
    figures["held"] = all(run["told"] == options.residents and run["last_s"] < SOUGHT_S for run in figures["runs"])
    for run in figures["runs"]:
        sys.stdout.write(f"{json.dumps(run, ensure_ascii=False)}\n")
    if options.json:
        Path(options.json).write_text(json.dumps(figures, ensure_ascii=False, indent=2), encoding="utf-8")
    return 0 if figures["held"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
