"""Remembering which events a consumer group has handled, in the same transaction as their effects."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

KEEP_FOR = timedelta(days=14)

_REMEMBER = text(
    "INSERT INTO processed_event (consumer_group, event_id) SELECT :group, unnest(CAST(:ids AS uuid[])) "
    "ON CONFLICT DO NOTHING RETURNING event_id"
)
_FORGET = text("DELETE FROM processed_event WHERE processed_at < :before")


async def unseen(tx: AsyncConnection, group: str, ids: Sequence[UUID]) -> set[UUID]:
    """Mark the events as handled by this group and return those that were not before."""
    rows = await tx.execute(_REMEMBER, {"group": group, "ids": list(ids)})
    return set(rows.scalars())


async def forget_old(tx: AsyncConnection, now: datetime) -> None:
    """Drop marks older than any replay could be (topics that are not compacted keep their records for less)."""
    await tx.execute(_FORGET, {"before": now - KEEP_FOR})
