"""Every SQL statement about counts: how many were alerted, looked and claimed. Never who, never where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_ALERTED = text("""
    INSERT INTO posting_alerted (posting_id, alerts) VALUES (:posting, :alerts)
    ON CONFLICT (posting_id) DO UPDATE SET alerts = posting_alerted.alerts + :alerts
""")
_SEEN = text("INSERT INTO posting_seen (posting_id, viewer) VALUES (:posting, :viewer) ON CONFLICT DO NOTHING")
_COUNTS = text("""
    SELECT coalesce((SELECT alerts FROM posting_alerted WHERE posting_id = :posting), 0) AS alerted,
        (SELECT count(*) FROM posting_seen WHERE posting_id = :posting) AS viewed,
        count(*) AS claimed,
        count(*) FILTER (WHERE state IN ('held', 'reconfirm', 'working', 'worked', 'finished', 'disputed')) AS placed,
        count(*) FILTER (WHERE state = 'pending') AS pending, count(*) FILTER (WHERE state = 'waiting') AS waiting,
        count(*) FILTER (WHERE state = 'dropped') AS dropped, count(*) FILTER (WHERE state = 'no_show') AS no_shows
    FROM claim WHERE posting_id = :posting
""")


async def add_alerted(tx: AsyncConnection, alerts: Mapping[UUID, int]) -> None:
    if alerts:
        await tx.execute(_ALERTED, [{"posting": id_, "alerts": n} for id_, n in sorted(alerts.items())])


async def add_seen(tx: AsyncConnection, posting_id: UUID, viewer: str) -> None:
    """`viewer` is veiled: the same person counts once, and is nobody anywhere else."""
    await tx.execute(_SEEN, {"posting": posting_id, "viewer": viewer})


async def counts_of(tx: AsyncConnection, posting_id: UUID) -> Row[Any]:
    return (await tx.execute(_COUNTS, {"posting": posting_id})).one()
