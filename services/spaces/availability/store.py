"""The one statement by which free times are read: spaces, their calendars, their units and what is taken, all together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.availability.domain import SpaceTimes
from services.spaces.bookings.store import BLOCKS, STANDS
from services.spaces.calendars.domain import Span
from services.spaces.calendars.store import RULE_COLUMNS, rules_of_row
from services.spaces.facilities.store import spaces

LONGEST_BUFFER_MIN = 240
LON_SHRINK = 0.8175  # a degree of longitude here, in degrees of latitude

# Bookings are found by their start, so the index is read from as far back as the space's longest booking can reach.
_SNAPSHOT = f"""
    WITH asked AS (SELECT * FROM space s WHERE {{which}})
    SELECT asked.*, {RULE_COLUMNS}, unit.ids AS unit_ids, taken.units AS busy_units, taken.since AS busy_since, taken.until AS busy_until
    FROM asked LEFT JOIN space_calendar c ON c.space_id = asked.id
    LEFT JOIN LATERAL (SELECT array_agg(id ORDER BY n) AS ids FROM space_unit
        WHERE space_id = asked.id AND retired_at IS NULL) unit ON true
    LEFT JOIN LATERAL (
        SELECT array_agg(unit_id) AS units, array_agg(extract(epoch FROM lower(occupied))::float8) AS since,
            array_agg(extract(epoch FROM upper(occupied))::float8) AS until
        FROM booking WHERE space_id = asked.id AND {BLOCKS} AND {STANDS}
        AND starts_at > CAST(:since AS timestamptz) - (asked.longest_minutes + {2 * LONGEST_BUFFER_MIN}) * interval '1 minute'
        AND starts_at < CAST(:until AS timestamptz) + {2 * LONGEST_BUFFER_MIN} * interval '1 minute'
    ) taken ON true
"""  # noqa: S608
BY_ID = _SNAPSHOT.format(which="s.id = ANY(CAST(:ids AS uuid[]))")
_BY_ID = text(BY_ID)
_NEAR = text(
    _SNAPSHOT.format(
        which="s.status = 'open' AND s.lat BETWEEN :south AND :north AND s.lon BETWEEN :west AND :east "
        "AND (CAST(:kind AS text) IS NULL OR s.space_kind = :kind) ORDER BY "
        f"(s.lat - :lat) ^ 2 + ((s.lon - :lon) * {LON_SHRINK}) ^ 2 LIMIT :most"
    )
)
_LISTED = text(
    _SNAPSHOT.format(
        which="s.status = 'open' AND (CAST(:institution AS text) IS NULL OR s.institution = :institution) "
        "AND (CAST(:kind AS text) IS NULL OR s.space_kind = :kind) "
        "AND (CAST(:at AS timestamptz) IS NULL OR (s.created_at, s.id) < (:at, :id)) "
        "ORDER BY s.created_at DESC, s.id DESC LIMIT :most"
    )
)


def _moment(epoch_s: float) -> datetime:
    return datetime.fromtimestamp(epoch_s, UTC)


def _times(row: Row[Any]) -> SpaceTimes:
    busy: dict[int, list[Span]] = defaultdict(list)
    for unit, since, until in zip(row.busy_units or (), row.busy_since or (), row.busy_until or (), strict=True):
        busy[unit].append(Span(_moment(since), _moment(until)))
    return SpaceTimes(spaces.offer_of(row), rules_of_row(row), tuple(row.unit_ids or ()), busy)


def _time(asked: Span, now: datetime, late_s: int) -> dict[str, datetime]:
    return {
        "since": asked.starts_at, "until": asked.ends_at, "now": now, "come_by": now - timedelta(seconds=late_s),
    }  # fmt: skip


async def times_of(
    tx: AsyncConnection, ids: Sequence[UUID], asked: Span, now: datetime, late_s: int
) -> list[SpaceTimes]:
    """What is taken in the span, space by space; one statement, however many they are."""
    return [_times(row) for row in await tx.execute(_BY_ID, {"ids": list(ids), **_time(asked, now, late_s)})]


async def times_near(
    tx: AsyncConnection, lat: float, lon: float, radius_m: float, asked: Span, now: datetime, late_s: int,
    *, kind: str | None = None, most: int = 200,
) -> list[SpaceTimes]:  # fmt: skip
    """Open spaces in the square around a point, about the nearest first; the caller measures exactly."""
    degrees = radius_m / 110_000
    box = {"south": lat - degrees, "north": lat + degrees, "west": lon - degrees / 0.8, "east": lon + degrees / 0.8}
    values = {**box, "lat": lat, "lon": lon, "kind": kind, "most": most, **_time(asked, now, late_s)}
    return [_times(row) for row in await tx.execute(_NEAR, values)]


async def times_listed(
    tx: AsyncConnection, asked: Span, now: datetime, late_s: int, *, institution: str | None, kind: str | None,
    after: tuple[datetime, UUID] | None, limit: int,
) -> list[SpaceTimes]:  # fmt: skip
    """Open spaces, the newest first, from the cursor on; one more than the limit when there is more."""
    at, id_ = after or (None, None)
    values = {"institution": institution, "kind": kind, "at": at, "id": id_, "most": limit + 1}
    found = [_times(row) for row in await tx.execute(_LISTED, {**values, **_time(asked, now, late_s)})]
    return sorted(found, key=lambda times: (times.space.created_at, times.space.id), reverse=True)
