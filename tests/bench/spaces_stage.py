"""What the benchmarks of spaces run on: a stack, the service as its own process, as many bookings as are asked for."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import httpx
import psutil

from deploy.local import ports
from shared.messaging import topics
from tests.bench.jobs_stage import Stage
from tests.databases import Databases
from tests.issuer import AUDIENCE, Issuer
from tests.stacks import Addresses, open_stack
from tests.waiting import until

SPACES = 500
_SPACE = """
    INSERT INTO space (id, version, urgency_epoch, status, institution, posted_by, headline, description, place_name, lat, lon,
        radius_m, space_kind, capacity, price_krw, price_per, interests, expires_at, created_at, changed_at, units, min_minutes,
        max_minutes, before_min, after_min, ahead_days)
    SELECT gen_random_uuid(), 1, 0, 'open', '기관 ' || n % 20, 'officer:표본', '표본 공간 ' || n, '', '표본 장소',
        35.08 + (n % 25) * 0.007, 126.66 + (n / 25) * 0.009, 700, CASE WHEN n % 4 = 0 THEN 'desk' ELSE 'room' END,
        4, 1000, 'hour', '{}', now() + interval '300 days', now() - n * interval '1 second', now(),
        CASE WHEN n % 4 = 0 THEN 4 ELSE 1 END, 30, 480, 0, 0, 366
    FROM generate_series(1, $1) AS n
"""
_CALENDAR = """
    INSERT INTO space_calendar (space_id, version, hours, rest_text, changed_by, changed_at)
    SELECT id, 1, '{"weekdays": [[[540, 1320]], [[540, 1320]], [[540, 1320]], [[540, 1320]], [[540, 1320]], [[600, 1080]], []],
        "holidays": []}'::jsonb, '매월 첫째 월요일, 설날, 추석', 'officer:표본', now() FROM space
"""
_COLUMNS = (
    "id", "space_id", "unit_id", "institution", "citizen_id", "version", "state", "starts_at", "ends_at", "occupied",
    "before_min", "after_min", "people", "price_krw", "created_at", "changed_at",
)  # fmt: skip


async def open_samples(connection: asyncpg.Connection, spaces: int = SPACES) -> None:
    """So many spaces, one in four with four desks, each with hours by weekday and rest days."""
    await connection.execute(_SPACE, spaces)
    await connection.execute(_CALENDAR)


async def fill(connection: asyncpg.Connection, bookings: int) -> None:
    """As many bookings, spread over the units: an hour each, three a day, as far back and as far ahead as it takes.

    By COPY, as a dump would be read; what is past is done, the rest confirmed.
    """
    units = await connection.fetch("SELECT id, space_id FROM space_unit ORDER BY id")
    have = await connection.fetchval("SELECT count(*) FROM booking")
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    out = io.StringIO()
    for n in range(have, bookings):
        turn, unit = divmod(n, len(units))
        days, slot = divmod(turn, 3)
        # two weeks ahead come first, then further and further back
        day = days + 1 if days < 14 else 13 - days
        starts = today + timedelta(days=day, hours=1 + 4 * slot)
        ends = starts + timedelta(hours=1)
        state = "confirmed" if day > 0 else "done"
        row = (uuid4(), units[unit]["space_id"], units[unit]["id"], "기관", f"citizen:{n % 40_000}", 2, state, starts, ends,
               f'["{starts}","{ends}")', 0, 0, 1, 1000, starts, starts)  # fmt: skip
        out.write("\t".join(str(cell) for cell in row) + "\n")
    source = io.BytesIO(out.getvalue().encode())
    await connection.copy_to_table("booking", source=source, columns=list(_COLUMNS), timeout=600)
    await connection.execute("VACUUM ANALYZE booking", timeout=600)
    await connection.execute("ANALYZE space")


async def some_spaces(connection: asyncpg.Connection, most: int = SPACES) -> list[UUID]:
    rows = await connection.fetch("SELECT id FROM space WHERE space_kind = 'room' ORDER BY id LIMIT $1", most)
    return [row["id"] for row in rows]


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    with open_stack("embedded") as addresses:
        await topics.ensure(addresses.kafka_url)
        issuer, databases = Issuer(), Databases(addresses.postgres_url)
        url = await databases.migrated("spaces")
        port = ports.pick(None, ())
        service = subprocess.Popen(
            [sys.executable, "-m", "services.spaces.app"], env=_environment(addresses, issuer, databases, port),
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
        **os.environ, "GWANGSAN_KAFKA_URL": addresses.kafka_url, "GWANGSAN_REDIS_URL": addresses.redis_url,
        "GWANGSAN_POSTGRES_URL": addresses.postgres_url, "GWANGSAN_DATABASE_PREFIX": databases.prefix,
        "GWANGSAN_OIDC_ISSUER": issuer.url, "GWANGSAN_OIDC_AUDIENCE": AUDIENCE, "GWANGSAN_PORT": str(port),
        "GWANGSAN_LOG_LEVEL": "WARNING", "GWANGSAN_SPACES_HOLDS_AT_ONCE": "100000",
    }  # fmt: skip


async def _alive(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/healthz")).status_code == 200
    except httpx.HTTPError:
        return False
