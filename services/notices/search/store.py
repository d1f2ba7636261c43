"""The SQL statement of search: the index narrows by pairs of letters, the words themselves decide."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notices.search.domain import Query

_SEARCH = text("""
    SELECT id, headline, body, more->>'summary' AS summary, institution, channel, emergency, urgent, created_at, edited_at, expires_at,
        CASE WHEN status = 'open' AND expires_at <= :now THEN 'closed' ELSE status END AS status
    FROM notice
    WHERE pairs @> CAST(:pairs AS text[]) AND NOT EXISTS (SELECT 1 FROM unnest(CAST(:words AS text[])) AS w WHERE strpos(said, w) = 0)
        AND (NOT :open_only OR (status = 'open' AND expires_at > :now))
        AND (CAST(:at AS timestamptz) IS NULL OR (created_at, id) < (:at, :id))
    ORDER BY created_at DESC, id DESC LIMIT :limit
""")


async def search(
    tx: AsyncConnection,
    query: Query,
    after: tuple[datetime, UUID] | None,
    limit: int,
    now: datetime,
    *,
    open_only: bool,
) -> list[Row[Any]]:
    """Notices that hold every word, newest first, one more than the limit when there is more."""
    at, id_ = after or (None, None)
    values = {
        "pairs": query.pairs, "words": list(query.words), "open_only": open_only, "now": now, "at": at, "id": id_,
        "limit": limit + 1,
    }  # fmt: skip
    return list(await tx.execute(_SEARCH, values))
