"""Every SQL statement about feeds that the hub is to be told of: a mark per feed, in the transaction that changes a notice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_MARK = text("""
    INSERT INTO feed_ping (path, due_at) SELECT path, :now FROM unnest(CAST(:paths AS text[])) AS path ORDER BY path
    ON CONFLICT (path) DO UPDATE SET change = feed_ping.change + 1, due_at = least(feed_ping.due_at, excluded.due_at)
""")
_TAKE = text("""
    UPDATE feed_ping SET due_at = CAST(:now AS timestamptz) + CAST(:lease AS interval) WHERE path IN (SELECT path FROM feed_ping
        WHERE due_at <= :now ORDER BY due_at, path LIMIT :most FOR UPDATE SKIP LOCKED)
    RETURNING path, change, failures
""")
_TOLD = text("""
    WITH told AS (SELECT * FROM unnest(CAST(:paths AS text[]), CAST(:changes AS bigint[])) AS t(path, change)),
    over AS (DELETE FROM feed_ping p USING told WHERE p.path = told.path AND p.change = told.change)
    UPDATE feed_ping p SET due_at = :now, failures = 0 FROM told WHERE p.path = told.path AND p.change > told.change
""")
_FAILED = text("UPDATE feed_ping SET failures = :failures, due_at = :due_at WHERE path = ANY(CAST(:paths AS text[]))")


async def mark(tx: AsyncConnection, paths: Sequence[str], now: datetime) -> None:
    await tx.execute(_MARK, {"paths": list(paths), "now": now})


async def take(tx: AsyncConnection, now: datetime, lease: timedelta, most: int) -> list[Row[Any]]:
    """(path, change, failures) of feeds that are due; should this process die, another takes them after the lease."""
    return list(await tx.execute(_TAKE, {"now": now, "lease": lease, "most": most}))


async def told(tx: AsyncConnection, rows: Sequence[Row[Any]], now: datetime) -> None:
    """The hub knows of these; of what changed meanwhile it is to be told once more."""
    values = {"paths": [row.path for row in rows], "changes": [row.change for row in rows]}
    await tx.execute(_TOLD, {**values, "now": now})


async def failed(tx: AsyncConnection, paths: Sequence[str], failures: int, due_at: datetime) -> None:
    await tx.execute(_FAILED, {"paths": list(paths), "failures": failures, "due_at": due_at})
