"""Every SQL statement about calendars, closures and declared holidays."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.calendars.domain import Closure, Hours, Rules, Spanning
from services.spaces.calendars.holidays import holidays_with
from services.spaces.calendars.reading import read_rest
from services.spaces.calendars.rest import Holiday, Holidays
from shared.clock import SEOUL

# Closures of the span and declared holidays come as JSON in the same statement, whichever it is; `asked.id` is the space.
RULE_COLUMNS = """c.version AS calendar_version, c.hours, c.rest_text,
        (SELECT jsonb_agg(jsonb_build_array(x.id, extract(epoch FROM x.starts_at), extract(epoch FROM x.ends_at), x.reason, x.source)
                          ORDER BY x.starts_at, x.id)
         FROM closure x WHERE x.space_id = asked.id AND x.lifted_at IS NULL
         AND tstzrange(x.starts_at, x.ends_at) && tstzrange(CAST(:since AS timestamptz), CAST(:until AS timestamptz))) AS closures,
        (SELECT jsonb_object_agg(day, name) FROM declared_holiday) AS declared"""
_RULES = text(f"""
    SELECT asked.id, {RULE_COLUMNS}
    FROM unnest(CAST(:ids AS uuid[])) AS asked(id) LEFT JOIN space_calendar c ON c.space_id = asked.id
""")  # noqa: S608
_PUT = text("""
    INSERT INTO space_calendar (space_id, version, hours, rest_text, changed_by, changed_at)
    SELECT r.space_id, 1, r.hours, r.rest_text, :by, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(space_id uuid, hours jsonb, rest_text text)
    ON CONFLICT (space_id) DO UPDATE SET version = space_calendar.version + 1, hours = excluded.hours,
        rest_text = excluded.rest_text, changed_by = :by, changed_at = :now
    WHERE (space_calendar.hours, space_calendar.rest_text) IS DISTINCT FROM (excluded.hours, excluded.rest_text)
""")
_VERSION = text("SELECT version FROM space_calendar WHERE space_id = :id")
_DECLARED = text("SELECT day, name FROM declared_holiday ORDER BY day")
_DECLARE = text("""
    INSERT INTO declared_holiday (day, name, declared_by, declared_at) VALUES (:day, :name, :by, :now)
    ON CONFLICT (day) DO NOTHING RETURNING day
""")
_UNDECLARE = text("DELETE FROM declared_holiday WHERE day = :day RETURNING day")
_WITH_REST = text("""
    SELECT s.id FROM space s JOIN space_calendar c ON c.space_id = s.id
    WHERE c.rest_text <> '' OR c.hours->'holidays' <> 'null'::jsonb ORDER BY s.id
""")
_CLOSE = text("""
    INSERT INTO closure (id, space_id, starts_at, ends_at, reason, source, made_by, made_at)
    SELECT r.id, r.space_id, r.starts_at, r.ends_at, r.reason, :source, :by, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, space_id uuid, starts_at timestamptz, ends_at timestamptz, reason text)
""")
_LIFT = text(
    "UPDATE closure SET lifted_at = :now WHERE id = ANY(CAST(:ids AS uuid[])) AND lifted_at IS NULL RETURNING id, space_id"
)
_CLOSURE = text("SELECT * FROM closure WHERE id = :id FOR UPDATE")
_LOCK_SPACES = text(
    "SELECT id, institution FROM space WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE"
)

_known: dict[tuple[tuple[str, str], ...], Holidays] = {}


def _holidays(declared: dict[str, str] | None) -> Holidays:
    """One object for one set of declared days, so that what is computed from it can be kept."""
    key = tuple(sorted((declared or {}).items()))
    if key not in _known:
        _known.clear()
        _known[key] = holidays_with(Holiday(date.fromisoformat(day), name, "temporary") for day, name in key)
    return _known[key]


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def midnight(day: date) -> datetime:
    """The beginning of a day in Asia/Seoul."""
    return datetime.combine(day, time(), SEOUL)


def _closure(kept: list[Any]) -> Closure:
    id_, starts_s, ends_s, reason, source = kept
    starts_at, ends_at = (_EPOCH + timedelta(seconds=float(s)) for s in (starts_s, ends_s))
    return Closure(UUID(id_), starts_at, ends_at, reason, source)


def rules_of_row(row: Row[Any]) -> Rules:
    """Of a row with RULE_COLUMNS."""
    closures = tuple(_closure(one) for one in row.closures or ())
    return Rules(
        Hours() if row.hours is None else Hours.of_kept(row.hours),
        read_rest(row.rest_text or ""),
        _holidays(row.declared),
        closures,
    )


async def rules_of(tx: AsyncConnection, space_ids: Sequence[UUID], span: Spanning) -> dict[UUID, Rules]:
    """Every space's rules with the closures that touch the span, in one statement; without a calendar: always open."""
    return {id_: rules for id_, (rules, _) in (await versioned_rules_of(tx, space_ids, span)).items()}


async def versioned_rules_of(
    tx: AsyncConnection, space_ids: Sequence[UUID], span: Spanning
) -> dict[UUID, tuple[Rules, int]]:
    """Rules and the version of the calendar they are from; 0 where there is none."""
    values = {"ids": list(space_ids), "since": span.starts_at, "until": span.ends_at}
    return {row.id: (rules_of_row(row), row.calendar_version or 0) for row in await tx.execute(_RULES, values)}


async def put_calendars(
    tx: AsyncConnection, calendars: Sequence[tuple[UUID, Hours, str]], by: str, now: datetime
) -> None:
    """Keep hours and rest texts of many spaces; one that changes nothing keeps its version."""
    rows = [{"space_id": str(id_), "hours": hours.as_kept(), "rest_text": rest} for id_, hours, rest in calendars]
    await tx.execute(_PUT, {"rows": json.dumps(rows), "by": by, "now": now})


async def version_of(tx: AsyncConnection, space_id: UUID) -> int:
    return (await tx.execute(_VERSION, {"id": space_id})).scalar() or 0


async def holidays(tx: AsyncConnection) -> Holidays:
    return _holidays({row.day.isoformat(): row.name for row in await tx.execute(_DECLARED)})


async def declare(tx: AsyncConnection, day: date, name: str, by: str, now: datetime) -> bool:
    """False where the day was declared before."""
    return (await tx.execute(_DECLARE, {"day": day, "name": name, "by": by, "now": now})).first() is not None


async def undeclare(tx: AsyncConnection, day: date) -> bool:
    return (await tx.execute(_UNDECLARE, {"day": day})).first() is not None


async def resting_spaces(tx: AsyncConnection) -> list[UUID]:
    """Spaces whose calendar may depend on holidays."""
    return [row.id for row in await tx.execute(_WITH_REST)]


async def lock_spaces(tx: AsyncConnection, ids: Collection[UUID]) -> dict[UUID, str]:
    """The spaces that exist, locked in one order, with their institutions."""
    return {row.id: row.institution for row in await tx.execute(_LOCK_SPACES, {"ids": list(ids)})}


async def close(
    tx: AsyncConnection, closures: Sequence[tuple[UUID, Closure]], *, source: str, by: str, now: datetime
) -> None:
    rows = json.dumps([{"space_id": space_id, **asdict(one)} for space_id, one in closures], default=str)
    await tx.execute(_CLOSE, {"rows": rows, "source": source, "by": by, "now": now})


async def closure(tx: AsyncConnection, id_: UUID) -> Row[Any] | None:
    return (await tx.execute(_CLOSURE, {"id": id_})).first()


async def lift(tx: AsyncConnection, ids: Collection[UUID], now: datetime) -> list[UUID]:
    """End closures; returns those that still held."""
    return [row.id for row in await tx.execute(_LIFT, {"ids": list(ids), "now": now})]
