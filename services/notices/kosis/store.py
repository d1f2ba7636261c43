"""Every SQL statement about cards that are read from KOSIS."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notices.kosis.domain import Asked, Source

_PUT = text("""
    INSERT INTO kosis_source (statistic_id, institution, asked, made_by, due_at)
    VALUES (:id, :institution, CAST(:asked AS jsonb), :by, :now)
    ON CONFLICT (statistic_id) DO UPDATE SET asked = excluded.asked, made_by = excluded.made_by, due_at = excluded.due_at, failures = 0,
        failed_because = NULL, failed_at = NULL
    RETURNING *
""")
_GET = text("SELECT * FROM kosis_source WHERE statistic_id = :id")
_REMOVE = text(
    "DELETE FROM kosis_source WHERE statistic_id = :id AND institution = :institution RETURNING statistic_id"
)
_NOW = text("UPDATE kosis_source SET due_at = :now WHERE statistic_id = :id AND institution = :institution RETURNING *")
# What is taken is due again after the lease, should its reader die with it. Withdrawn cards are read no more.
_TAKE = text("""
    UPDATE kosis_source SET due_at = CAST(:now AS timestamptz) + CAST(:lease AS interval) WHERE statistic_id IN (
        SELECT k.statistic_id FROM kosis_source k JOIN statistic s ON s.id = k.statistic_id
        WHERE k.due_at <= :now AND s.withdrawn_at IS NULL ORDER BY k.due_at LIMIT :most FOR UPDATE OF k SKIP LOCKED)
    RETURNING *
""")
_READ = text("""
    UPDATE kosis_source SET read_at = :now, due_at = :due_at, failures = 0, failed_because = NULL, missing = :missing, refused = :refused
    WHERE statistic_id = :id
""")
_FAILED = text("""
    UPDATE kosis_source SET failures = failures + 1, failed_because = :because, failed_at = :now, due_at = :due_at
    WHERE statistic_id = :id
""")
_FAILING = text("""
    SELECT count(*) FROM kosis_source k JOIN statistic s ON s.id = k.statistic_id WHERE failures >= :after AND s.withdrawn_at IS NULL
""")


def source_of(row: Row[Any]) -> Source:
    asked = Asked(**{**row.asked, "objects": tuple(row.asked["objects"])})
    return Source(row.statistic_id, row.institution, asked, row.made_by, row.failures)


async def put(tx: AsyncConnection, id_: UUID, institution: str, asked: Asked, by: str, now: datetime) -> Row[Any]:
    """Read from there from now on, instead of from where it was."""
    values = {"id": id_, "institution": institution, "asked": json.dumps(asdict(asked)), "by": by, "now": now}
    return (await tx.execute(_PUT, values)).one()


async def get(tx: AsyncConnection, id_: UUID) -> Row[Any] | None:
    return (await tx.execute(_GET, {"id": id_})).first()


async def remove(tx: AsyncConnection, id_: UUID, institution: str) -> bool:
    """The card and its figures stay."""
    return (await tx.execute(_REMOVE, {"id": id_, "institution": institution})).first() is not None


async def look_now(tx: AsyncConnection, id_: UUID, institution: str, now: datetime) -> Row[Any] | None:
    return (await tx.execute(_NOW, {"id": id_, "institution": institution, "now": now})).first()


async def take_due(tx: AsyncConnection, now: datetime, lease: timedelta, most: int) -> list[Source]:
    return [source_of(row) for row in await tx.execute(_TAKE, {"now": now, "lease": lease, "most": most})]


async def was_read(tx: AsyncConnection, id_: UUID, now: datetime, due_at: datetime, missing: int, refused: int) -> None:
    await tx.execute(_READ, {"id": id_, "now": now, "due_at": due_at, "missing": missing, "refused": refused})


async def failed(tx: AsyncConnection, id_: UUID, now: datetime, due_at: datetime, because: str) -> None:
    await tx.execute(_FAILED, {"id": id_, "now": now, "due_at": due_at, "because": because[:300]})


async def failing(tx: AsyncConnection, after: int) -> int:
    """How many cards could not be read so often in a row, or oftener."""
    return int((await tx.execute(_FAILING, {"after": after})).scalar_one())
