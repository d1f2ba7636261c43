"""Every SQL statement about how far a posting's alerts came. It reads whom they are about only to count each once."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.matching.reach.domain import STAGES, Counted

_INSTITUTION = text("SELECT institution FROM posting WHERE id = :id")
# Told anew in another urgency epoch one is still one citizen, of the 동 that the place was in at last.
_COUNTS = text("""
    SELECT dong, count(*) AS alerted, count(*) FILTER (WHERE delivered) AS delivered, count(*) FILTER (WHERE opened) AS opened,
        count(*) FILTER (WHERE acted) AS acted
    FROM (
        SELECT (array_agg(dong ORDER BY made_at DESC))[1] AS dong, bool_or(delivered_at IS NOT NULL) AS delivered,
            bool_or(opened_at IS NOT NULL) AS opened, bool_or(acted_at IS NOT NULL) AS acted
        FROM inbox_item WHERE posting_id = :id AND state <> 'deferred' GROUP BY citizen_id
    ) citizen GROUP BY dong ORDER BY dong NULLS LAST
""")


async def institution_of(tx: AsyncConnection, posting_id: UUID) -> str | None:
    """Whose posting it is; None if the inbox knows of no such posting."""
    institution: str | None = (await tx.execute(_INSTITUTION, {"id": posting_id})).scalar_one_or_none()
    return institution


async def counts_of(tx: AsyncConnection, posting_id: UUID) -> list[Counted]:
    rows = await tx.execute(_COUNTS, {"id": posting_id})
    return [Counted(row.dong, {stage: getattr(row, stage) for stage in STAGES}) for row in rows]
