"""Every SQL statement about statistic cards. Figures are only ever added: each version of each stays as it was told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notices.statistics.domain import About, Entry, Statistic

_ONE_CHANNEL = text("SELECT pg_advisory_xact_lock(hashtextextended('statistic/' || :channel, 0))")
_TITLED = text("SELECT id FROM statistic WHERE channel = :channel AND about->>'title' = :title AND id <> :id")
_SAVE = text("""
    INSERT INTO statistic (id, institution, channel, version, about, groups, least, as_of, reason, made_by, created_at, changed_at,
        edited_at, withdrawn_at)
    VALUES (:id, :institution, :channel, :version, CAST(:about AS jsonb), :groups, :least, :as_of, :reason, :made_by, :created_at,
        :changed_at, :edited_at, :withdrawn_at)
    ON CONFLICT (id) DO UPDATE SET version = excluded.version, about = excluded.about, groups = excluded.groups,
        as_of = excluded.as_of, reason = excluded.reason, changed_at = excluded.changed_at, edited_at = excluded.edited_at,
        withdrawn_at = excluded.withdrawn_at
""")
_VERSION = text("""
    INSERT INTO statistic_version (statistic_id, version, about, as_of, reason, at)
    VALUES (:id, :version, CAST(:about AS jsonb), :as_of, :reason, :changed_at)
""")
_FIGURES = text("""
    INSERT INTO statistic_figure (statistic_id, version, period, grp, value, provisional, derived, shown)
    SELECT :id, :version, one.* FROM unnest(CAST(:periods AS text[]), CAST(:groups AS text[]), CAST(:figures AS numeric[]),
        CAST(:provisional AS boolean[]), CAST(:derived AS boolean[]), CAST(:shown AS boolean[])) AS one
""")
_GET = "SELECT * FROM statistic WHERE id = :id"
_PAGE = text("""
    SELECT * FROM statistic WHERE withdrawn_at IS NULL AND (CAST(:channel AS text) IS NULL OR channel = :channel)
        AND (CAST(:at AS timestamptz) IS NULL OR (created_at, id) < (:at, CAST(:id AS uuid)))
    ORDER BY created_at DESC, id DESC LIMIT :limit
""")
_CURRENT = text("""
    SELECT DISTINCT ON (statistic_id, period, grp) * FROM statistic_figure WHERE statistic_id = ANY(CAST(:ids AS uuid[]))
    ORDER BY statistic_id, period, grp, version DESC
""")
_HISTORY = text("SELECT * FROM statistic_figure WHERE statistic_id = :id ORDER BY version, period, grp")
_VERSIONS = text("SELECT * FROM statistic_version WHERE statistic_id = :id ORDER BY version DESC LIMIT 200")
_WITHDRAW = text("UPDATE statistic SET withdrawn_at = :now WHERE id = :id")
_OF = text(
    "SELECT id FROM statistic WHERE id = ANY(CAST(:ids AS uuid[])) AND institution = :institution AND withdrawn_at IS NULL"
)


def statistic_of(row: Row[Any]) -> Statistic:
    told = row._asdict()
    return Statistic(**{**told, "about": About(**row.about), "groups": tuple(row.groups)})


def entry_of(row: Row[Any]) -> Entry:
    return Entry(row.version, row.period, row.grp, row.value, row.provisional, row.derived, row.shown)


async def titled(tx: AsyncConnection, channel: str, title: str, but: UUID) -> UUID | None:
    """Another card of the channel with that title; none is made meanwhile."""
    await tx.execute(_ONE_CHANNEL, {"channel": channel})
    found: UUID | None = (await tx.execute(_TITLED, {"channel": channel, "title": title, "id": but})).scalar()
    return found


async def save(tx: AsyncConnection, statistic: Statistic, entries: Sequence[Entry]) -> None:
    """The newest version, what it says of itself, and what it makes different."""
    values = {**vars(statistic), "about": json.dumps(asdict(statistic.about)), "groups": list(statistic.groups)}
    await tx.execute(_SAVE, values)
    await tx.execute(
        _VERSION, {name: values[name] for name in ("id", "version", "about", "as_of", "reason", "changed_at")}
    )
    if entries:
        await tx.execute(_FIGURES, {
            "id": statistic.id, "version": statistic.version, "periods": [e.period for e in entries],
            "groups": [e.group for e in entries], "figures": [e.value for e in entries],
            "provisional": [e.provisional for e in entries], "derived": [e.derived for e in entries],
            "shown": [e.shown for e in entries],
        })  # fmt: skip


async def get(tx: AsyncConnection, id_: UUID, *, for_update: bool = False) -> Statistic | None:
    """The card, withdrawn or not."""
    row = (await tx.execute(text(_GET + (" FOR UPDATE" if for_update else "")), {"id": id_})).first()
    return None if row is None else statistic_of(row)


async def page(
    tx: AsyncConnection, channel: str | None, after: tuple[datetime, UUID] | None, limit: int
) -> list[Statistic]:
    """Newest first, one more than the limit when there is more."""
    at, id_ = after or (None, None)
    rows = await tx.execute(_PAGE, {"channel": channel, "at": at, "id": id_, "limit": limit + 1})
    return [statistic_of(row) for row in rows]


async def current(tx: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, list[Entry]]:
    """What stands, by card."""
    found: dict[UUID, list[Entry]] = {id_: [] for id_ in ids}
    for row in await tx.execute(_CURRENT, {"ids": list(ids)}):
        if row.value is not None:
            found[row.statistic_id].append(entry_of(row))
    return found


async def history(tx: AsyncConnection, id_: UUID) -> list[Entry]:
    """Every version of every figure, in the order of versions."""
    return [entry_of(row) for row in await tx.execute(_HISTORY, {"id": id_})]


async def versions(tx: AsyncConnection, id_: UUID) -> list[Row[Any]]:
    """(version, about, as_of, reason, at), newest first."""
    return list(await tx.execute(_VERSIONS, {"id": id_}))


async def withdraw(tx: AsyncConnection, id_: UUID, now: datetime) -> None:
    await tx.execute(_WITHDRAW, {"id": id_, "now": now})


async def of_institution(tx: AsyncConnection, ids: Sequence[UUID], institution: str) -> set[UUID]:
    """Which of these are its cards and not withdrawn."""
    return set((await tx.execute(_OF, {"ids": list(ids), "institution": institution})).scalars())
