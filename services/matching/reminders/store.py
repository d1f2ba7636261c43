"""Every SQL statement about reminders of deadlines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_DUE = text("""
    SELECT id, deadline FROM posting
    WHERE status = 'open' AND deadline IS NOT NULL AND reminded_for IS DISTINCT FROM deadline AND deadline > :now
        AND deadline <= CAST(:now AS timestamptz) + CAST(:ahead AS interval) AND expires_at > :now
    ORDER BY deadline LIMIT 20
""")
# Who was told before that time, in the newest urgency epoch, and has opened none of it; by their settings as they are now.
_PAGE = text("""
    SELECT i.*, w.version AS watch_version, w.settings->'quiet' AS quiet, coalesce(
        i.state IN ('open', 'updated', 'digest') AND i.told_at <= :before AND i.expires_at > :now
        AND i.read_at IS NULL AND NOT EXISTS (SELECT 1 FROM inbox_item o WHERE o.posting_id = i.posting_id
            AND o.citizen_id = i.citizen_id AND (o.opened_at IS NOT NULL OR o.acted_at IS NOT NULL))
        AND (c.citizen_id IS NOT NULL OR i.why->>'rule' IN ('home_dong', 'following'))
        AND NOT (w.settings->>'paused')::boolean AND jsonb_exists(w.settings->'kinds', i.kind)
        AND NOT coalesce(jsonb_exists(w.settings->'muted_postings', i.posting_id::text), false)
        AND NOT coalesce(jsonb_exists(w.settings->'muted_channels', p.channel), false)
        AND NOT coalesce(jsonb_exists_any(w.settings->'muted_topics', p.topics), false), false) AS wanted
    FROM (SELECT DISTINCT ON (citizen_id) * FROM inbox_item WHERE posting_id = :posting AND NOT reminder AND citizen_id > :after
        ORDER BY citizen_id, urgency_epoch DESC LIMIT :limit) i
    LEFT JOIN watch w ON w.citizen_id = i.citizen_id
    LEFT JOIN posting p ON p.id = i.posting_id
    LEFT JOIN consent c ON c.citizen_id = i.citizen_id AND c.purpose = 'location' AND c.withdrawn_at IS NULL
    ORDER BY i.citizen_id
""")
_DONE = text("UPDATE posting SET reminded_for = :deadline WHERE id = :id AND deadline = :deadline")


async def due(connection: AsyncConnection, now: datetime, ahead: timedelta) -> list[Row[Any]]:
    """(id, deadline) of open postings whose deadline is so near, and for which nobody was reminded yet."""
    return list(await connection.execute(_DUE, {"now": now, "ahead": ahead}))


async def page(
    tx: AsyncConnection, posting: UUID, after: str, before: datetime, now: datetime, limit: int
) -> Sequence[Row[Any]]:
    """Citizens after this one who have the posting in their inbox, and of each whether a reminder is `wanted`."""
    values = {"posting": posting, "after": after, "before": before, "now": now, "limit": limit}
    return (await tx.execute(_PAGE, values)).all()


async def done(tx: AsyncConnection, posting: UUID, deadline: datetime) -> None:
    await tx.execute(_DONE, {"id": posting, "deadline": deadline})
