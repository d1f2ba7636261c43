"""Every SQL statement about series of shifts."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_OF_SERIES = text("SELECT id FROM posting WHERE series_id = :series AND institution = :institution ORDER BY starts_at")


async def of_series(tx: AsyncConnection, series_id: UUID, institution: str) -> list[UUID]:
    """The postings of an institution's series, the earliest shift first."""
    return list((await tx.execute(_OF_SERIES, {"series": series_id, "institution": institution})).scalars())
