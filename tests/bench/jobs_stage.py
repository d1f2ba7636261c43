"""What the benchmarks of jobs run on: a stack, the service as its own process, tokens made beforehand."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import psutil

from deploy.local import ports
from shared.messaging import topics
from tests.databases import Databases
from tests.issuer import AUDIENCE, Issuer, token
from tests.stacks import Addresses, open_stack
from tests.waiting import until

UNLIMITED = {f"GWANGSAN_JOBS_{act}_PER_MINUTE": "100000000" for act in ("WRITES", "CLAIMS", "REPORTS")}


@dataclass(frozen=True)
class Stage:
    """The running service."""

    http: httpx.AsyncClient
    issuer: Issuer
    dsn: str
    service: psutil.Process

    def bearer(self, as_: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token(self.issuer, as_)}"}

    async def post(self, path: str, body: object, headers: dict[str, str]) -> dict[str, Any]:
        answer = await self.http.post(path, json=body, headers=headers | {"Idempotency-Key": uuid4().hex})
        answer.raise_for_status()
        made: dict[str, Any] = answer.json()
        return made

    def cpu_s(self) -> float:
        """What the service itself has used of a processor: unlike the clock, it does not mind neighbours."""
        used = self.service.cpu_times()
        return float(used.user + used.system)

    async def sql(self, statement: str, *values: object) -> Any:
        connection = await asyncpg.connect(self.dsn)
        try:
            return await connection.fetch(statement, *values)
        finally:
            await connection.close()


@asynccontextmanager
async def staged(name: str = "jobs") -> AsyncIterator[Stage]:
    with open_stack("embedded") as addresses:
        await topics.ensure(addresses.kafka_url)
        issuer, databases = Issuer(), Databases(addresses.postgres_url)
        url = await databases.migrated(name)
        port = ports.pick(None, ())
        service = subprocess.Popen(
            [sys.executable, "-m", f"services.{name}.app"], env=_environment(addresses, issuer, databases, port),
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            limits = httpx.Limits(max_connections=512, max_keepalive_connections=512)
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60, limits=limits) as http:
                await until(lambda: _alive(http), 60)
                yield Stage(http, issuer, url.replace("+asyncpg", ""), psutil.Process(service.pid))
        finally:
            service.terminate()
            await asyncio.to_thread(service.wait, 20)
            issuer.stop()
            await databases.drop()


def _environment(addresses: Addresses, issuer: Issuer, databases: Databases, port: int) -> dict[str, str]:
    return {
        **os.environ, **UNLIMITED, "GWANGSAN_KAFKA_URL": addresses.kafka_url, "GWANGSAN_REDIS_URL": addresses.redis_url,
        "GWANGSAN_POSTGRES_URL": addresses.postgres_url, "GWANGSAN_DATABASE_PREFIX": databases.prefix,
        "GWANGSAN_OIDC_ISSUER": issuer.url, "GWANGSAN_OIDC_AUDIENCE": AUDIENCE, "GWANGSAN_PORT": str(port),
        "GWANGSAN_LOG_LEVEL": "WARNING",
    }  # fmt: skip


async def _alive(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/healthz")).status_code == 200
    except httpx.HTTPError:
        return False


def percentile_ms(seconds: Sequence[float], part: float) -> float:
    """A latency that so large a part of all does not exceed."""
    ordered = sorted(seconds)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000, 1) if ordered else 0.0
