"""Every SQL statement about waiting lines, gaps and penalty points."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.calendars.domain import Spanning
from services.spaces.checkin.domain import Gap, Point, Waiting

_WAITING = tuple(field.name for field in fields(Waiting))
_GAP = tuple(field.name for field in fields(Gap))
_POINT = tuple(field.name for field in fields(Point))


def _upsert(table: str, names: tuple[str, ...]) -> str:
    values, changed = ", ".join(f":{n}" for n in names), ", ".join(f"{n} = :{n}" for n in names if n != "id")
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values}) ON CONFLICT (id) DO UPDATE SET {changed}"  # noqa: S608


_PUT_WAITING = text(_upsert("waiting", _WAITING))
_PUT_GAP = text(_upsert("gap", _GAP))
_PUT_POINT = text(_upsert("penalty", _POINT))
_LINE = text("""
    SELECT * FROM waiting WHERE space_id = :space AND state = 'waiting' AND starts_at < :until AND ends_at > :since
    ORDER BY created_at, id LIMIT 50 FOR UPDATE
""")
_GET_WAITING = text("SELECT * FROM waiting WHERE id = :id")
_LOCK_WAITING = text("SELECT * FROM waiting WHERE id = :id FOR UPDATE")
_MINE = text(
    "SELECT * FROM waiting WHERE citizen_id = :citizen AND (CAST(:at AS timestamptz) IS NULL OR (created_at, id) < (:at, :id)) "
    "ORDER BY created_at DESC, id DESC LIMIT :limit"
)
_SAME = text("""
    SELECT 1 FROM waiting WHERE space_id = :space AND citizen_id = :citizen AND starts_at = :starts_at
    AND ends_at = :ends_at AND state IN ('waiting', 'offered')
""")
_OVER = text("SELECT id FROM waiting WHERE state = 'waiting' AND ends_at <= :now ORDER BY ends_at LIMIT 1")
_GAPS = text("""
    SELECT * FROM gap WHERE unit_id = :unit AND status = 'open' AND starts_at < :until AND ends_at > :since FOR UPDATE
""")
_GAPS_OF_SPACE = text("""
    SELECT * FROM gap WHERE space_id = :space AND status = 'open' AND starts_at < :until AND ends_at > :since
    AND unit_id IN (SELECT id FROM space_unit WHERE space_id = :space) ORDER BY id FOR UPDATE
""")
_ALL_GAPS = text("SELECT * FROM gap WHERE status = 'open' AND ends_at > :now ORDER BY id LIMIT 500")
_NEXT_WITH_GAPS = text("""
    SELECT space_id FROM gap WHERE status = 'open' AND ends_at > :now
    AND (CAST(:after AS uuid) IS NULL OR space_id > :after) ORDER BY space_id LIMIT 1
""")
_FREE_GAPS = text("SELECT * FROM gap WHERE space_id = :space AND status = 'open' AND ends_at > :now ORDER BY id")
_LOCK_GAP = text("SELECT * FROM gap WHERE id = :id FOR UPDATE")
_TAKEN_GAPS = text("SELECT * FROM gap WHERE taken_by = :booking AND status = 'closed' AND ends_at > :since FOR UPDATE")
_POINTS = text("SELECT * FROM penalty WHERE citizen_id = :citizen AND lapses_at > :since ORDER BY given_at, id")
# One row for who never had a point; else one for each, the holds beside it.
_STANDING = text("""
    SELECT h.holds, p.* FROM (SELECT count(*) AS holds FROM booking
        WHERE citizen_id = :citizen AND state = 'held' AND hold_until > :now) h
    LEFT JOIN penalty p ON p.citizen_id = :citizen AND p.lapses_at > :since ORDER BY p.given_at, p.id
""")
_GET_POINT = text("SELECT * FROM penalty WHERE id = :id FOR UPDATE")
_POINTS_PAGE = text(
    "SELECT p.*, b.space_id, b.starts_at FROM penalty p JOIN booking b ON b.id = p.booking_id "
    "WHERE p.institution = :institution "
    "AND (CAST(:at AS timestamptz) IS NULL OR (p.given_at, p.id) < (:at, :id)) "
    "ORDER BY p.given_at DESC, p.id DESC LIMIT :limit"
)


def _waiting(row: Row[Any]) -> Waiting:
    return Waiting(**{name: getattr(row, name) for name in _WAITING})


def _gap(row: Row[Any]) -> Gap:
    return Gap(**{**{name: getattr(row, name) for name in _GAP}, "not_for": tuple(row.not_for)})


def point_of(row: Row[Any]) -> Point:
    return Point(**{name: getattr(row, name) for name in _POINT})


async def put_waiting(tx: AsyncConnection, waiting: Waiting) -> None:
    await tx.execute(_PUT_WAITING, asdict(waiting))


async def get_waiting(tx: AsyncConnection, id_: UUID, *, for_update: bool = False) -> Waiting | None:
    row = (await tx.execute(_LOCK_WAITING if for_update else _GET_WAITING, {"id": id_})).first()
    return None if row is None else _waiting(row)


async def line_for(tx: AsyncConnection, space_id: UUID, free: Spanning) -> list[Waiting]:
    """Who waits for any part of that time, the longest first."""
    values = {"space": space_id, "since": free.starts_at, "until": free.ends_at}
    return [_waiting(row) for row in await tx.execute(_LINE, values)]


async def waits_already(tx: AsyncConnection, space_id: UUID, citizen_id: str, window: Spanning) -> bool:
    values = {
        "space": space_id, "citizen": citizen_id, "starts_at": window.starts_at, "ends_at": window.ends_at
    }  # fmt: skip
    return (await tx.execute(_SAME, values)).first() is not None


async def my_waiting(
    tx: AsyncConnection, citizen_id: str, after: tuple[datetime, UUID] | None, limit: int
) -> list[Waiting]:
    at, id_ = after or (None, None)
    values = {"citizen": citizen_id, "at": at, "id": id_, "limit": limit + 1}
    return [_waiting(row) for row in await tx.execute(_MINE, values)]


async def waited_in_vain(tx: AsyncConnection, now: datetime) -> UUID | None:
    """Somebody whose time has passed while they waited."""
    return (await tx.execute(_OVER, {"now": now})).scalar()


async def put_gap(tx: AsyncConnection, gap: Gap) -> None:
    await tx.execute(_PUT_GAP, asdict(gap) | {"not_for": list(gap.not_for)})


async def open_gaps(tx: AsyncConnection, unit_id: int, window: Spanning) -> list[Gap]:
    values = {"unit": unit_id, "since": window.starts_at, "until": window.ends_at}
    return [_gap(row) for row in await tx.execute(_GAPS, values)]


async def gaps_of_space(tx: AsyncConnection, space_id: UUID, window: Spanning) -> list[Gap]:
    values = {"space": space_id, "since": window.starts_at, "until": window.ends_at}
    return [_gap(row) for row in await tx.execute(_GAPS_OF_SPACE, values)]


async def all_gaps(tx: AsyncConnection, now: datetime) -> list[Gap]:
    """Every gap that is told as free now."""
    return [_gap(row) for row in await tx.execute(_ALL_GAPS, {"now": now})]


async def next_with_gaps(tx: AsyncConnection, after: UUID | None, now: datetime) -> UUID | None:
    """The next space, by id, that has a gap told as free now."""
    return (await tx.execute(_NEXT_WITH_GAPS, {"after": after, "now": now})).scalar()


async def free_gaps(tx: AsyncConnection, space_id: UUID, now: datetime) -> list[Gap]:
    """What is told as free of a space that the caller holds locked."""
    return [_gap(row) for row in await tx.execute(_FREE_GAPS, {"space": space_id, "now": now})]


async def locked_gap(tx: AsyncConnection, id_: UUID) -> Gap:
    return _gap((await tx.execute(_LOCK_GAP, {"id": id_})).one())


async def gaps_taken_by(tx: AsyncConnection, booking_id: UUID, since: datetime) -> list[Gap]:
    return [_gap(row) for row in await tx.execute(_TAKEN_GAPS, {"booking": booking_id, "since": since})]


async def put_point(tx: AsyncConnection, point: Point) -> None:
    await tx.execute(_PUT_POINT, asdict(point))


async def points_of(tx: AsyncConnection, citizen_id: str, since: datetime) -> list[Point]:
    """A citizen's points that had not lapsed by then, the oldest first."""
    return [point_of(row) for row in await tx.execute(_POINTS, {"citizen": citizen_id, "since": since})]


async def standing(tx: AsyncConnection, citizen_id: str, now: datetime, since: datetime) -> tuple[int, list[Point]]:
    """(how many times a citizen holds, their points that had not lapsed by `since`), in one statement."""
    rows = list(await tx.execute(_STANDING, {"citizen": citizen_id, "now": now, "since": since}))
    return int(rows[0].holds), [point_of(row) for row in rows if row.id is not None]


async def get_point(tx: AsyncConnection, id_: UUID) -> Point | None:
    row = (await tx.execute(_GET_POINT, {"id": id_})).first()
    return None if row is None else point_of(row)


async def points_page(
    tx: AsyncConnection, institution: str, after: tuple[datetime, UUID] | None, limit: int
) -> list[Row[Any]]:
    """An institution's points with where and when, the newest first."""
    at, id_ = after or (None, None)
    values = {"institution": institution, "at": at, "id": id_, "limit": limit + 1}
    return list(await tx.execute(_POINTS_PAGE, values))
