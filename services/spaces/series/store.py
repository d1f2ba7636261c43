"""Every SQL statement about series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.bookings.domain import Booking
from services.spaces.bookings.store import booking_of
from services.spaces.series.domain import DateResult, Series

_SERIES = tuple(field.name for field in fields(Series))
_DATE = ("series_id", *(field.name for field in fields(DateResult)))
_ADD = text(f"INSERT INTO series ({', '.join(_SERIES)}) VALUES ({', '.join(':' + n for n in _SERIES)})")  # noqa: S608
_ADD_DATES = text(f"INSERT INTO series_date ({', '.join(_DATE)}) VALUES ({', '.join(':' + n for n in _DATE)})")  # noqa: S608
_GET = text("SELECT * FROM series WHERE id = :id")
_MINE = text(
    "SELECT * FROM series WHERE citizen_id = :citizen AND (CAST(:at AS timestamptz) IS NULL OR (created_at, id) < (:at, :id)) "
    "ORDER BY created_at DESC, id DESC LIMIT :limit"
)
_DATES = text("""
    SELECT d.*, b.state, b.version FROM series_date d LEFT JOIN booking b ON b.id = d.booking_id
    WHERE d.series_id = :id ORDER BY d.n
""")
_BOOKINGS = text("""
    SELECT * FROM booking WHERE series_id = :id AND state IN ('held', 'pending', 'confirmed') AND starts_at > :now
    AND starts_at >= :since AND (CAST(:until AS timestamptz) IS NULL OR starts_at <= :until) ORDER BY starts_at FOR UPDATE
""")


async def add(tx: AsyncConnection, series: Series) -> None:
    await tx.execute(_ADD, asdict(series))


async def add_dates(tx: AsyncConnection, series_id: UUID, dates: Sequence[DateResult]) -> None:
    await tx.execute(_ADD_DATES, [{"series_id": series_id, **asdict(date)} for date in dates])


def _series(row: Row[Any]) -> Series:
    return Series(**{name: getattr(row, name) for name in _SERIES})


async def get(tx: AsyncConnection, id_: UUID) -> Series | None:
    row = (await tx.execute(_GET, {"id": id_})).first()
    return None if row is None else _series(row)


async def mine(tx: AsyncConnection, citizen_id: str, after: tuple[datetime, UUID] | None, limit: int) -> list[Series]:
    at, id_ = after or (None, None)
    rows = await tx.execute(_MINE, {"citizen": citizen_id, "at": at, "id": id_, "limit": limit + 1})
    return [_series(row) for row in rows]


async def dates(tx: AsyncConnection, series_id: UUID) -> list[Row[Any]]:
    """Each date with the state and version its booking has now."""
    return list(await tx.execute(_DATES, {"id": series_id}))


async def to_come(
    tx: AsyncConnection, series_id: UUID, now: datetime, since: datetime, until: datetime | None
) -> list[Booking]:
    """Bookings of a series that may still be given up and begin in the span, both rims inside; locked."""
    rows = await tx.execute(_BOOKINGS, {"id": series_id, "now": now, "since": since, "until": until})
    return [booking_of(row) for row in rows]
