"""By what an alert can be stopped, as the inbox knows it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_OF_ALERT = text("""
    SELECT i.kind, p.channel, coalesce(p.topics, '{}') AS topics FROM inbox_item i LEFT JOIN posting p ON p.id = i.posting_id
    WHERE i.id = :id AND i.citizen_id = :citizen AND i.state <> 'deferred'
""")


async def of_alert(tx: AsyncConnection, citizen_id: str, alert_id: UUID) -> Row[Any] | None:
    """(kind, channel, topics) of a citizen's own alert that was told."""
    return (await tx.execute(_OF_ALERT, {"id": alert_id, "citizen": citizen_id})).first()
