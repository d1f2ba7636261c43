"""Free times of 500 spaces for a week: the one statement, and the whole request."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine

from services.spaces.availability.store import BY_ID, times_of
from services.spaces.calendars.domain import Span
from tests.bench.jobs_stage import Stage, percentile_ms
from tests.bench.spaces_stage import SPACES

ROUNDS = 21
SOUGHT_MS = 50.0


def _week(now: datetime) -> Span:
    return Span(now, now + timedelta(days=7))


async def week_of_all(stage: Stage, connection: asyncpg.Connection) -> dict[str, Any]:
    """`query_p50_ms` is the statement to the last row, by the client; `read_p50_ms` with rows made into objects."""
    ids = [row["id"] for row in await connection.fetch("SELECT id FROM space ORDER BY id LIMIT $1", SPACES)]
    query, read, request = [], [], []
    now = datetime.now(UTC)
    asked, values = _week(now), _positional(now, ids)
    statement = await connection.prepare(values[0])
    engine, sent = create_async_engine(stage.dsn.replace("postgresql://", "postgresql+asyncpg://")), []
    event.listen(engine.sync_engine, "before_cursor_execute", lambda *told: sent.append(told[2]))
    headers = stage.bearer("citizen:보는이")
    async with engine.connect() as tx:
        for _ in range(ROUNDS):
            started = time.perf_counter()
            rows = await statement.fetch(*values[1])
            query.append(time.perf_counter() - started)
            started = time.perf_counter()
            times = await times_of(tx, ids, asked, now, 900)
            read.append(time.perf_counter() - started)
            started = time.perf_counter()
            answer = await stage.http.get("/availability", params={"limit": SPACES}, headers=headers)
            answer.raise_for_status()
            request.append(time.perf_counter() - started)
    await engine.dispose()
    taken = sum(len(spans) for one in times for spans in one.busy.values())
    return {
        "spaces": len(rows), "taken_in_the_week": taken, "statements": len(sent) // ROUNDS,
        "query_p50_ms": percentile_ms(query, 0.5), "read_p50_ms": percentile_ms(read, 0.5),
        "request_p50_ms": percentile_ms(request, 0.5), "sought_ms": SOUGHT_MS,
    }  # fmt: skip


def _positional(now: datetime, ids: list[Any]) -> tuple[str, list[Any]]:
    """The service's statement as PostgreSQL itself is told it."""
    asked = _week(now)
    known = {
        "ids": ids,
        "since": asked.starts_at,
        "until": asked.ends_at,
        "now": now,
        "come_by": now - timedelta(minutes=15),
    }
    names = list(known)
    numbered = re.sub(r"(?<!:):([a-z_]+)", lambda found: f"${names.index(found[1]) + 1}", BY_ID)
    return numbered, list(known.values())


async def explained(connection: asyncpg.Connection) -> str:
    """The plan of the statement as it is executed."""
    ids = [row["id"] for row in await connection.fetch("SELECT id FROM space ORDER BY id LIMIT $1", SPACES)]
    statement, values = _positional(datetime.now(UTC), ids)
    rows = await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {statement}", *values)
    return "\n".join(row[0] for row in rows) + "\n"
