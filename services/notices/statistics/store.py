"""Every SQL statement about statistics. A series is one document: it is only ever read and written whole."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notices.statistics.domain import About, Statistic
from services.notices.statistics.models import points_of

_ADD = text("""
    INSERT INTO statistic (id, institution, channel, version, about, points, as_of, made_by, created_at, changed_at)
    VALUES (:id, :institution, :channel, :version, CAST(:about AS jsonb), CAST(:points AS jsonb), :as_of, :made_by,
        :created_at, :changed_at)
    ON CONFLICT (id) DO UPDATE SET version = excluded.version, about = excluded.about, points = excluded.points,
        as_of = excluded.as_of, changed_at = excluded.changed_at
""")
_REVISE = text("""
    INSERT INTO statistic_revision (statistic_id, version, about, points, as_of, at)
    VALUES (:id, :version, CAST(:about AS jsonb), CAST(:points AS jsonb), :as_of, :changed_at)
""")
_GET = "SELECT * FROM statistic WHERE id = :id AND withdrawn_at IS NULL"
_PAGE = text("""
    SELECT * FROM statistic WHERE withdrawn_at IS NULL AND (CAST(:channel AS text) IS NULL OR channel = :channel)
        AND (CAST(:at AS timestamptz) IS NULL OR (created_at, id) < (:at, CAST(:id AS uuid)))
    ORDER BY created_at DESC, id DESC LIMIT :limit
""")
_REVISIONS = text("SELECT * FROM statistic_revision WHERE statistic_id = :id ORDER BY version DESC LIMIT 200")
_WITHDRAW = text("UPDATE statistic SET withdrawn_at = :now WHERE id = :id")


def _values(statistic: Statistic) -> dict[str, Any]:
    points = [[point.period, point.group, str(point.value)] for point in statistic.points]
    return {
        "id": statistic.id, "institution": statistic.institution, "channel": statistic.channel, "version": statistic.version,
        "about": json.dumps(asdict(statistic.about)), "points": json.dumps(points), "as_of": statistic.as_of,
        "made_by": statistic.made_by, "created_at": statistic.created_at, "changed_at": statistic.changed_at,
    }  # fmt: skip


def _statistic(row: Row[Any]) -> Statistic:
    return Statistic(
        row.id, row.institution, row.channel, row.version, About(**row.about), points_of(row.points), row.as_of, row.made_by,
        row.created_at, row.changed_at,
    )  # fmt: skip


async def save(tx: AsyncConnection, statistic: Statistic) -> None:
    """The newest version, and what it says for as long as the card is kept."""
    values = _values(statistic)
    await tx.execute(_ADD, values)
    revision = {name: values[name] for name in ("id", "version", "about", "points", "as_of", "changed_at")}
    await tx.execute(_REVISE, revision)


async def get(tx: AsyncConnection, id_: UUID, *, for_update: bool = False) -> Statistic | None:
    row = (await tx.execute(text(_GET + (" FOR UPDATE" if for_update else "")), {"id": id_})).first()
    return None if row is None else _statistic(row)


async def page(
    tx: AsyncConnection, channel: str | None, after: tuple[datetime, UUID] | None, limit: int
) -> list[Statistic]:
    at, id_ = after or (None, None)
    rows = await tx.execute(_PAGE, {"channel": channel, "at": at, "id": id_, "limit": limit + 1})
    return [_statistic(row) for row in rows]


async def revisions(tx: AsyncConnection, id_: UUID) -> list[Row[Any]]:
    """(version, about, points, as_of, at), newest first."""
    return list(await tx.execute(_REVISIONS, {"id": id_}))


async def withdraw(tx: AsyncConnection, id_: UUID, now: datetime) -> None:
    await tx.execute(_WITHDRAW, {"id": id_, "now": now})
