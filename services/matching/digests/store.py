"""Every SQL statement about the budget and the digests. Callers hold the shards of these citizens (alerts.store.in_order),
so that what is counted does not change under them and no posting closes between the look and the digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.matching.digests.domain import Told

KEPT = timedelta(days=30)

_TOLD = text("""
    SELECT citizen_id, count(*) FILTER (WHERE NOT urgent) AS ordinary, count(*) FILTER (WHERE urgent) AS urgent
    FROM inbox_item
    WHERE citizen_id = ANY(CAST(:citizens AS text[])) AND told_at >= :since AND overflowed_at IS NULL AND NOT emergency
        AND id <> ALL(CAST(:fresh AS uuid[]))
    GROUP BY citizen_id
""")
_OVERFLOW = text("""
    UPDATE inbox_item SET state = 'digest', told_at = NULL, overflowed_at = :now WHERE id = ANY(CAST(:ids AS uuid[]))
""")
# A citizen's last hour that has struck ends a day of digests; what overflowed before it is due. What a position made needs the
# consent to location that is in force; what a home 동 or a followed channel made needs none.
_WAITING = text("""
    SELECT s.citizen_id, at.day, at.hour, coalesce(NOT (w.settings->>'paused')::boolean, false)
        AND EXISTS (SELECT 1 FROM inbox_item i WHERE i.citizen_id = s.citizen_id AND i.state = 'digest' AND i.digest_id IS NULL
            AND i.overflowed_at < at.hour AND i.expires_at > :now
            AND (c.citizen_id IS NOT NULL OR i.why->>'rule' IN ('home_dong', 'following')))
        AND NOT EXISTS (SELECT 1 FROM digest d WHERE d.citizen_id = s.citizen_id AND d.day = at.day) AS due
    FROM (SELECT DISTINCT citizen_id FROM inbox_item WHERE state = 'digest' AND digest_id IS NULL AND citizen_id > :after
        ORDER BY citizen_id LIMIT :limit) s
    LEFT JOIN watch w ON w.citizen_id = s.citizen_id
    LEFT JOIN consent c ON c.citizen_id = s.citizen_id AND c.purpose = 'location' AND c.withdrawn_at IS NULL
    CROSS JOIN LATERAL (SELECT make_interval(hours => coalesce((w.settings->>'digest_hour')::int, :hour)) AS hours) h
    CROSS JOIN LATERAL (SELECT date_trunc('day', (CAST(:now AS timestamptz) AT TIME ZONE 'Asia/Seoul') - h.hours) AS midnight) m
    CROSS JOIN LATERAL (SELECT CAST(m.midnight AS date) AS day, (m.midnight + h.hours) AT TIME ZONE 'Asia/Seoul' AS hour) at
    ORDER BY s.citizen_id
""")
_BEGIN = text("""
    INSERT INTO digest (citizen_id, day, id, made_at)
    SELECT a.*, :now FROM unnest(CAST(:citizens AS text[]), CAST(:days AS date[]), CAST(:ids AS uuid[])) AS a(citizen_id, day, id)
    ORDER BY a.citizen_id ON CONFLICT DO NOTHING RETURNING id
""")
_TAKE = text("""
    UPDATE inbox_item i SET digest_id = m.id, told_at = :now
    FROM unnest(CAST(:citizens AS text[]), CAST(:hours AS timestamptz[]), CAST(:ids AS uuid[])) AS m(citizen_id, hour, id)
    LEFT JOIN consent c ON c.citizen_id = m.citizen_id AND c.purpose = 'location' AND c.withdrawn_at IS NULL
    WHERE i.citizen_id = m.citizen_id AND i.state = 'digest' AND i.digest_id IS NULL AND i.overflowed_at < m.hour AND i.expires_at > :now
        AND (c.citizen_id IS NOT NULL OR i.why->>'rule' IN ('home_dong', 'following'))
        AND NOT EXISTS (SELECT 1 FROM posting p WHERE p.id = i.posting_id AND p.status = 'closed')
    RETURNING i.digest_id, i.citizen_id, i.id AS alert_id, i.posting_id, i.posting_version, i.urgency_epoch, i.urgent, i.kind, i.headline,
        i.institution, i.distance_m, i.dong, i.starts_at, i.ends_at, i.expires_at, i.shows, i.link, i.made_at,
        coalesce(i.why->>'rule' NOT IN ('home_dong', 'following'), true) AS located
""")
_FORGET = text("DELETE FROM digest WHERE made_at < :before")


async def told_since(
    tx: AsyncConnection, citizens: Iterable[str], since: datetime, fresh: Sequence[UUID]
) -> dict[str, Told]:
    """What these citizens were told since then, the fresh alerts not among it."""
    rows = await tx.execute(_TOLD, {"citizens": sorted(citizens), "since": since, "fresh": list(fresh)})
    return {row.citizen_id: Told(row.ordinary, row.urgent) for row in rows}


async def leave_for_digest(tx: AsyncConnection, ids: Iterable[UUID], now: datetime) -> None:
    await tx.execute(_OVERFLOW, {"ids": list(ids), "now": now})


async def waiting(connection: AsyncConnection, now: datetime, hour: int, after: str, limit: int) -> list[Row[Any]]:
    """(citizen_id, day, hour, due) of the next citizens after this one for whom something waits; `due` if it is to be sent."""
    return list(await connection.execute(_WAITING, {"now": now, "hour": hour, "after": after, "limit": limit}))


async def take(tx: AsyncConnection, due: Sequence[Row[Any]], ids: Sequence[UUID], now: datetime) -> list[Row[Any]]:
    """What goes into these digests. A digest's row of citizen and day is the promise that there is no second.

    Two statements: the planner takes what a statement inserts for few rows, and compares each with each.
    """
    asked = {"citizens": [row.citizen_id for row in due], "days": [row.day for row in due]}
    begun = set((await tx.execute(_BEGIN, {**asked, "ids": list(ids), "now": now})).scalars())
    made = [(row, id_) for row, id_ in zip(due, ids, strict=True) if id_ in begun]
    taken = {"citizens": [row.citizen_id for row, _ in made], "hours": [row.hour for row, _ in made]}
    return list(await tx.execute(_TAKE, {**taken, "ids": [id_ for _, id_ in made], "now": now}))


async def forget(tx: AsyncConnection, now: datetime) -> None:
    await tx.execute(_FORGET, {"before": now - KEPT})
