"""Every SQL statement of statistics: sums alone, never who."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.calendars.domain import Span
from services.spaces.desk.domain import Cell

_OURS = "institution = :institution AND (CAST(:space AS uuid) IS NULL OR {space} = :space)"
# A booking is at most a week long, so who looks for those under way looks back no further.
_STATES = text(f"""
    SELECT state, count(*) AS n FROM booking WHERE {_OURS.format(space="space_id")}
    AND starts_at >= :since AND starts_at < :until GROUP BY state
""")  # noqa: S608
_BOOKED = text(f"""
    SELECT (extract(isodow FROM h AT TIME ZONE 'Asia/Seoul') - 1)::int AS weekday,
        extract(hour FROM h AT TIME ZONE 'Asia/Seoul')::int AS hour,
        sum(extract(epoch FROM least(ended, h + interval '1 hour', :until) - greatest(starts_at, h, :since)) / 60)::float8 AS minutes
    FROM (SELECT starts_at, coalesce(ended_at, ends_at) AS ended FROM booking WHERE {_OURS.format(space="space_id")}
        AND state IN ('confirmed', 'in_use', 'done') AND starts_at >= CAST(:since AS timestamptz) - interval '8 days'
        AND starts_at < CAST(:until AS timestamptz)) b,
    generate_series(date_trunc('hour', greatest(starts_at, CAST(:since AS timestamptz))),
        least(ended, CAST(:until AS timestamptz)) - interval '1 microsecond', interval '1 hour') AS h
    GROUP BY 1, 2
""")  # noqa: S608
_SPACES = text(f"SELECT id FROM space WHERE {_OURS.format(space='id')} ORDER BY id LIMIT 500")  # noqa: S608


def _values(institution: str, space_id: UUID | None, span: Span) -> dict[str, str | UUID | datetime | None]:
    return {"institution": institution, "space": space_id, "since": span.starts_at, "until": span.ends_at}


async def states(tx: AsyncConnection, institution: str, space_id: UUID | None, span: Span) -> dict[str, int]:
    """How many bookings that begin in the span are in which state."""
    rows = await tx.execute(_STATES, _values(institution, space_id, span))
    return {row.state: int(row.n) for row in rows}


async def booked_minutes(tx: AsyncConnection, institution: str, space_id: UUID | None, span: Span) -> dict[Cell, float]:
    """Minutes booked and kept, by weekday (Monday is 0) and hour in Seoul."""
    rows = await tx.execute(_BOOKED, _values(institution, space_id, span))
    return {(row.weekday, row.hour): float(row.minutes) for row in rows}


async def spaces_of(tx: AsyncConnection, institution: str, space_id: UUID | None) -> list[UUID]:
    rows = await tx.execute(_SPACES, {"institution": institution, "space": space_id})
    return [row.id for row in rows]
