"""Every SQL statement about bookings and units. The space's row is locked first by whoever changes what hangs on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.bookings.domain import BLOCKING, COMING, Booking, as_event
from services.spaces.calendars.domain import Rules, Span, Spanning
from services.spaces.calendars.store import RULE_COLUMNS, rules_of_row
from services.spaces.events import OUTBOX, outbox_row

COLUMNS = tuple(field.name for field in fields(Booking))
_NAMES = ", ".join(COLUMNS)
_SET = ", ".join(f"{name} = :{name}" for name in COLUMNS if name != "id")
BLOCKS = "state IN ({})".format(", ".join(f"'{state}'" for state in BLOCKING))
_COMES = "state IN ({})".format(", ".join(f"'{state}'" for state in COMING))
# What still stands though no scheduler ever ran: the same as domain.lapsed, said to the database.
STANDS = """(state IN ('in_use', 'done') OR (state = 'held' AND hold_until > :now)
    OR (state = 'pending' AND starts_at > :now)
    OR (state = 'confirmed' AND greatest(starts_at, confirmed_at) >= :come_by))"""
_RANGE = "tstzrange(:occupied_from, :occupied_until)"

_ADD = text(f"""
    WITH told AS ({OUTBOX}), added AS (
        INSERT INTO booking ({_NAMES}, occupied) VALUES ({", ".join(":" + name for name in COLUMNS)}, {_RANGE}))
    SELECT 1 FROM told
""")  # noqa: S608
_SAVE = text(f"""
    WITH told AS ({OUTBOX}), saved AS (UPDATE booking SET {_SET}, occupied = {_RANGE} WHERE id = :id)
    SELECT 1 FROM told
""")  # noqa: S608
_GET = text("SELECT * FROM booking WHERE id = :id")
_LOCK = text("SELECT * FROM booking WHERE id = :id FOR UPDATE")
# A unit that nobody ever took is preferred to one whose booking has lapsed, so that fewer rows are touched.
_FREE_UNIT = text(f"""
    SELECT u.id, EXISTS (SELECT 1 FROM booking WHERE unit_id = u.id AND occupied && {_RANGE} AND {BLOCKS}) AS stale
    FROM space_unit u WHERE u.space_id = :space AND u.retired_at IS NULL AND u.id <> ALL(:but) AND NOT EXISTS (
        SELECT 1 FROM booking WHERE unit_id = u.id AND occupied && {_RANGE} AND {BLOCKS} AND {STANDS})
    ORDER BY u.n LIMIT 1
""")  # noqa: S608
_IN_THE_WAY = text(f"""
    SELECT * FROM booking WHERE unit_id = :unit AND occupied && {_RANGE} AND {BLOCKS} ORDER BY starts_at FOR UPDATE
""")  # noqa: S608
# All that deciding about one window needs, once the space is locked: its calendar, a free unit, a gap to be closed.
_CHANCE = text(f"""
    SELECT {RULE_COLUMNS}, free.id AS unit_id, free.stale, free.told
    FROM (SELECT CAST(:space AS uuid) AS id) AS asked LEFT JOIN space_calendar c ON c.space_id = asked.id
    LEFT JOIN LATERAL (
        SELECT u.id, EXISTS (SELECT 1 FROM booking WHERE unit_id = u.id AND occupied && {_RANGE} AND {BLOCKS}) AS stale,
            EXISTS (SELECT 1 FROM gap WHERE unit_id = u.id AND status = 'open') AS told
        FROM space_unit u WHERE u.space_id = :space AND u.retired_at IS NULL AND NOT EXISTS (
            SELECT 1 FROM booking WHERE unit_id = u.id AND occupied && {_RANGE} AND {BLOCKS} AND {STANDS})
        ORDER BY u.n LIMIT 1) free ON true
""")  # noqa: S608
_PAGE = text(
    "SELECT * FROM booking WHERE citizen_id = :citizen AND (CAST(:at AS timestamptz) IS NULL OR (created_at, id) < (:at, :id)) "
    "ORDER BY created_at DESC, id DESC LIMIT :limit"
)
_QUEUE = text(
    "SELECT * FROM booking WHERE institution = :institution AND state = 'pending' AND starts_at > :now "
    "AND (CAST(:at AS timestamptz) IS NULL OR (created_at, id) > (:at, :id)) ORDER BY created_at, id LIMIT :limit"
)
_AFFECTED = text(f"""
    SELECT * FROM booking WHERE space_id = :space AND {_COMES} AND {STANDS}
    AND starts_at < :until AND ends_at > :since ORDER BY starts_at, id
""")  # noqa: S608
_DUE = text("""
    (SELECT id FROM booking WHERE state = 'held' AND hold_until <= :now ORDER BY hold_until LIMIT 1)
    UNION ALL (SELECT id FROM booking WHERE state = 'pending' AND starts_at <= :now LIMIT 1)
    UNION ALL (SELECT id FROM booking WHERE state = 'confirmed' AND starts_at < :come_by
        AND greatest(starts_at, confirmed_at) < :come_by LIMIT 1)
    UNION ALL (SELECT id FROM booking WHERE state = 'in_use' AND ends_at <= :now LIMIT 1) LIMIT 1
""")
_LEAVING = text("SELECT id FROM space_unit WHERE space_id = :space AND retired_at IS NULL AND n > :units ORDER BY n")
_RETIRE = text("UPDATE space_unit SET retired_at = :now WHERE id = ANY(:units)")
_GLANCE = text(f"""
    SELECT EXISTS (SELECT 1 FROM idempotency_key WHERE principal = :principal AND key = :key) AS known,
        s.id IS NOT NULL AS there, EXISTS (SELECT 1 FROM space_unit u WHERE u.space_id = :space AND u.retired_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM booking WHERE unit_id = u.id AND {BLOCKS} AND {STANDS} AND occupied &&
                tstzrange(CAST(:starts_at AS timestamptz) - s.before_min * interval '1 minute',
                    CAST(:ends_at AS timestamptz) + s.after_min * interval '1 minute')
            )) AS free
    FROM (SELECT 1) AS one LEFT JOIN space s ON s.id = :space
""")  # noqa: S608


@dataclass(frozen=True)
class FreeUnit:
    """`stale`: bookings that have lapsed still stand in its way and are to be let go first."""

    id: int
    stale: bool


@dataclass(frozen=True)
class Chance:
    """A window's calendar, and the first unit free for it, if any; `told`: people were told that it is free."""

    rules: Rules
    unit: FreeUnit | None
    told: bool


def booking_of(row: Row[Any]) -> Booking:
    return Booking(**{name: getattr(row, name) for name in COLUMNS})


def _values(booking: Booking) -> dict[str, Any]:
    taken = booking.occupied
    return {
        **{name: getattr(booking, name) for name in COLUMNS}, "occupied_from": taken.starts_at,
        "occupied_until": taken.ends_at, **outbox_row(as_event(booking), booking.changed_at),
    }  # fmt: skip


async def add(tx: AsyncConnection, booking: Booking) -> None:
    """The row and its event. The exclusion constraint refuses what overlaps (IntegrityError)."""
    await tx.execute(_ADD, _values(booking))


async def save(tx: AsyncConnection, booking: Booking) -> None:
    """The changed row and its event."""
    await tx.execute(_SAVE, _values(booking))


async def get(tx: AsyncConnection, id_: UUID, *, for_update: bool = False) -> Booking | None:
    row = (await tx.execute(_LOCK if for_update else _GET, {"id": id_})).first()
    return None if row is None else booking_of(row)


async def free_unit(
    tx: AsyncConnection, space_id: UUID, taken: Span, now: datetime, late_s: int, but: Sequence[int] = ()
) -> FreeUnit | None:
    """The first unit on which nothing that still stands overlaps."""
    values = {
        "space": space_id, "occupied_from": taken.starts_at, "occupied_until": taken.ends_at, "but": list(but),
        **_time(now, late_s),
    }  # fmt: skip
    row = (await tx.execute(_FREE_UNIT, values)).first()
    return None if row is None else FreeUnit(row.id, row.stale)


async def chance_of(
    tx: AsyncConnection, space_id: UUID, window: Span, taken: Span, now: datetime, late_s: int
) -> Chance:
    """Rules of the space and a free unit, in one statement; `taken` is the window with its buffers."""
    values = {
        "space": space_id, "since": window.starts_at, "until": window.ends_at, "occupied_from": taken.starts_at,
        "occupied_until": taken.ends_at, **_time(now, late_s),
    }  # fmt: skip
    row = (await tx.execute(_CHANCE, values)).one()
    unit = None if row.unit_id is None else FreeUnit(row.unit_id, row.stale)
    return Chance(rules_of_row(row), unit, bool(row.told))


async def in_the_way(tx: AsyncConnection, unit_id: int, taken: Span) -> list[Booking]:
    """Bookings of a unit that overlap, lapsed or not, locked."""
    values = {"unit": unit_id, "occupied_from": taken.starts_at, "occupied_until": taken.ends_at}
    return [booking_of(row) for row in await tx.execute(_IN_THE_WAY, values)]


async def page(tx: AsyncConnection, citizen_id: str, after: tuple[datetime, UUID] | None, limit: int) -> list[Booking]:
    at, id_ = after or (None, None)
    values = {"citizen": citizen_id, "at": at, "id": id_, "limit": limit + 1}
    return [booking_of(row) for row in await tx.execute(_PAGE, values)]


async def queue(
    tx: AsyncConnection, institution: str, after: tuple[datetime, UUID] | None, limit: int, now: datetime
) -> list[Booking]:
    """What an institution's officers are to decide, the oldest first."""
    at, id_ = after or (None, None)
    values = {"institution": institution, "at": at, "id": id_, "limit": limit + 1, "now": now}
    return [booking_of(row) for row in await tx.execute(_QUEUE, values)]


async def affected_by(
    tx: AsyncConnection, space_id: UUID, window: Spanning, now: datetime, late_s: int
) -> list[Booking]:
    """Bookings to come or in use that overlap the window, by their own times (buffers do not count), the earliest first."""
    values = {"space": space_id, "since": window.starts_at, "until": window.ends_at, **_time(now, late_s)}
    return [booking_of(row) for row in await tx.execute(_AFFECTED, values)]


async def due(tx: AsyncConnection, now: datetime, late_s: int) -> UUID | None:
    """A booking that time has changed and nobody has noted yet."""
    return (await tx.execute(_DUE, _time(now, late_s))).scalar()


async def leaving_units(tx: AsyncConnection, space_id: UUID, units: int) -> list[int]:
    """The units in service beyond so many."""
    return [row.id for row in await tx.execute(_LEAVING, {"space": space_id, "units": units})]


async def retire(tx: AsyncConnection, units: Sequence[int], now: datetime) -> None:
    await tx.execute(_RETIRE, {"units": list(units), "now": now})


async def glance(
    tx: AsyncConnection, space_id: UUID, window: Span, principal: str, key: str, now: datetime, late_s: int
) -> Row[Any]:
    """A look without a lock: known (answered before), there (the space is), free."""
    values = {
        "space": space_id, "starts_at": window.starts_at, "ends_at": window.ends_at, "principal": principal, "key": key,
        **_time(now, late_s),
    }  # fmt: skip
    return (await tx.execute(_GLANCE, values)).one()


def _time(now: datetime, late_s: int) -> dict[str, datetime]:
    return {"now": now, "come_by": now - timedelta(seconds=late_s)}
