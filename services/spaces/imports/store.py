"""Every SQL statement about imports; what is written of ten thousand rows goes in a few round trips."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
_KNOWN = text("""
    SELECT external_id, thing_id, digest, row FROM imported WHERE institution = :institution AND source = :source
    AND external_id = ANY(CAST(:ids AS text[]))
""")
_ADD_IMPORT = text("""
    INSERT INTO import (id, institution, source, imported_by, at, report)
    VALUES (:id, :institution, :source, :by, :at, CAST(:report AS jsonb))
""")
_IMPORTED = text("""
    INSERT INTO imported (institution, source, external_id, thing_id, digest, row, import_id)
    SELECT :institution, :source, r.external_id, r.thing_id, r.digest, r.row, :import_id
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(external_id text, thing_id uuid, digest text, row jsonb)
    ON CONFLICT (institution, source, external_id)
    DO UPDATE SET thing_id = excluded.thing_id, digest = excluded.digest, row = excluded.row, import_id = excluded.import_id
""")
_STEPS = text("""
    INSERT INTO import_step (import_id, external_id, thing_id, before, before_digest)
    SELECT :import_id, r.external_id, r.thing_id, r.before, r.before_digest
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(external_id text, thing_id uuid, before jsonb, before_digest text)
    ON CONFLICT (import_id, external_id) DO NOTHING
""")
_GET = text("SELECT * FROM import WHERE id = :id AND institution = :institution FOR UPDATE")
_PAGE = text(
    "SELECT * FROM import WHERE institution = :institution AND (CAST(:at AS timestamptz) IS NULL OR (at, id) < (:at, :id)) "
    "ORDER BY at DESC, id DESC LIMIT :limit"
)
_STEPS_OF = text("SELECT * FROM import_step WHERE import_id = :id ORDER BY external_id")
_ROLLED_BACK = text("UPDATE import SET rolled_back_at = :now WHERE id = :id")
_RESTORE = text("""
    UPDATE imported i SET digest = s.before_digest, row = s.before FROM import_step s
    WHERE s.import_id = :id AND s.external_id = ANY(CAST(:ids AS text[])) AND s.before IS NOT NULL
    AND i.institution = :institution AND i.source = :source AND i.external_id = s.external_id
""")
_FORGET = text("""
    DELETE FROM imported i USING import_step s
    WHERE s.import_id = :id AND s.external_id = ANY(CAST(:ids AS text[])) AND s.before IS NULL
    AND i.institution = :institution AND i.source = :source AND i.external_id = s.external_id
""")
_OFFER = text("""
    INSERT INTO merge_offer (id, institution, source, external_id, import_id, name, digest, row, near_id, near_name, distance_m, at)
    SELECT r.id, :institution, :source, r.external_id, :import_id, r.name, r.digest, r.row, r.near_id, r.near_name, r.distance_m, :at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS r(id uuid, external_id text, name text, digest text, row jsonb, near_id uuid, near_name text, distance_m float8)
    ON CONFLICT (institution, source, external_id) WHERE decided IS NULL
    DO UPDATE SET digest = excluded.digest, row = excluded.row, near_id = excluded.near_id, near_name = excluded.near_name,
        distance_m = excluded.distance_m
    RETURNING xmax = 0 AS new
""")
_OFFERS = text(
    "SELECT * FROM merge_offer WHERE institution = :institution AND (:all OR decided IS NULL) "
    "AND (CAST(:at AS timestamptz) IS NULL OR (at, id) < (:at, :offer)) ORDER BY at DESC, id DESC LIMIT :limit"
)
_TAKE_OFFER = text("SELECT * FROM merge_offer WHERE id = :id AND institution = :institution FOR UPDATE")
_DECIDE = text(
    "UPDATE merge_offer SET decided = :decided, decided_by = :by, decided_at = :now WHERE id = :id RETURNING *"
)
_WITHDRAW = text("""
    UPDATE merge_offer SET decided = 'withdrawn', decided_at = :now WHERE import_id = :id AND decided IS NULL
""")
_FED = text("""
    INSERT INTO feed (institution, source, last_at, last_rows, news_at) VALUES (:institution, :source, :now, :rows, :now)
    ON CONFLICT (institution, source) DO UPDATE SET last_at = :now, last_rows = :rows,
        news_at = CASE WHEN :news THEN :now ELSE feed.news_at END
""")
_FEEDS = text("SELECT * FROM feed WHERE institution = :institution ORDER BY source")
_STALE = text("SELECT count(*) FROM feed WHERE last_rows > 0 AND news_at <= :before")


async def lock(tx: AsyncConnection, institution: str, source: str) -> None:
    """Two files of one institution and source go one after the other."""
    await tx.execute(_LOCK, {"key": f"import\n{institution}\n{source}"})


async def known(tx: AsyncConnection, institution: str, source: str, ids: Sequence[str]) -> dict[str, Row[Any]]:
    """What was imported before under these ids."""
    rows = await tx.execute(_KNOWN, {"institution": institution, "source": source, "ids": list(ids)})
    return {row.external_id: row for row in rows}


async def add_import(tx: AsyncConnection, values: dict[str, Any], report: dict[str, Any]) -> None:
    await tx.execute(_ADD_IMPORT, {**values, "report": json.dumps(report)})


async def remember(
    tx: AsyncConnection, institution: str, source: str, import_id: UUID, rows: Sequence[dict[str, Any]]
) -> None:
    """Which thing a row is, and what it says: {external_id, thing_id, digest, row}."""
    values = {"institution": institution, "source": source, "import_id": import_id}
    await tx.execute(_IMPORTED, {**values, "rows": json.dumps(rows, default=str)})


async def add_steps(tx: AsyncConnection, import_id: UUID, steps: Sequence[dict[str, Any]]) -> None:
    """Which rows did what, to be taken back: {external_id, thing_id, before, before_digest}."""
    await tx.execute(_STEPS, {"import_id": import_id, "rows": json.dumps(steps, default=str)})


async def take(tx: AsyncConnection, id_: UUID, institution: str) -> Row[Any] | None:
    return (await tx.execute(_GET, {"id": id_, "institution": institution})).first()


async def page(
    tx: AsyncConnection, institution: str, after: tuple[datetime, UUID] | None, limit: int
) -> list[Row[Any]]:
    at, id_ = after or (None, None)
    return list(await tx.execute(_PAGE, {"institution": institution, "at": at, "id": id_, "limit": limit + 1}))


async def steps_of(tx: AsyncConnection, import_id: UUID) -> list[Row[Any]]:
    return list(await tx.execute(_STEPS_OF, {"id": import_id}))


async def rolled_back(tx: AsyncConnection, import_id: UUID, now: datetime) -> None:
    """The import is taken back, and with it what it offered and nobody decided."""
    await tx.execute(_ROLLED_BACK, {"id": import_id, "now": now})
    await tx.execute(_WITHDRAW, {"id": import_id, "now": now})


async def restore(tx: AsyncConnection, done: Row[Any], external_ids: Sequence[str]) -> None:
    """What the rows of an import said before; nothing, where they were new."""
    values = {"id": done.id, "institution": done.institution, "source": done.source, "ids": list(external_ids)}
    await tx.execute(_RESTORE, values)
    await tx.execute(_FORGET, values)


async def offer(tx: AsyncConnection, values: dict[str, Any], offers: Sequence[dict[str, Any]]) -> int:
    """Near-duplicates to decide; one row has one open offer at most. Returns how many had none."""
    if not offers:
        return 0
    made = await tx.execute(_OFFER, {**values, "rows": json.dumps(offers, default=str)})
    return sum(row.new for row in made)


async def offers(
    tx: AsyncConnection, institution: str, after: tuple[datetime, UUID] | None, limit: int, *, decided_too: bool
) -> list[Row[Any]]:
    at, id_ = after or (None, None)
    values = {"institution": institution, "at": at, "offer": id_, "limit": limit + 1, "all": decided_too}
    return list(await tx.execute(_OFFERS, values))


async def take_offer(tx: AsyncConnection, id_: UUID, institution: str) -> Row[Any] | None:
    return (await tx.execute(_TAKE_OFFER, {"id": id_, "institution": institution})).first()


async def decide(tx: AsyncConnection, id_: UUID, decided: str, by: str, now: datetime) -> Row[Any]:
    return (await tx.execute(_DECIDE, {"id": id_, "decided": decided, "by": by, "now": now})).one()


async def fed(tx: AsyncConnection, institution: str, source: str, rows: int, now: datetime, *, news: bool) -> None:
    """A file of a source was taken in; `news` is whether anything in it was new or changed."""
    values = {"institution": institution, "source": source, "rows": rows, "now": now, "news": news}
    await tx.execute(_FED, values)


async def feeds(tx: AsyncConnection, institution: str) -> list[Row[Any]]:
    return list(await tx.execute(_FEEDS, {"institution": institution}))


async def stale_feeds(tx: AsyncConnection, before: datetime) -> int:
    """How many sources last had rows, but nothing new since `before`, that moment included."""
    return int((await tx.execute(_STALE, {"before": before})).scalar_one())
