"""Every SQL statement about calendar links, feeds and imported calendars."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.bookings.store import BLOCKS, STANDS
from services.spaces.calendars.domain import Span
from services.spaces.icalendar.domain import Busy, Changes, Kept
from services.spaces.icalendar.feeds import Told

MOST_LINKS = 20
REASON = "다른 달력의 일정 / busy in another calendar"

_ADD_LINK = text("""
    INSERT INTO calendar_link (id, secret_hash, kind, owner, space_id, made_at)
    VALUES (:id, :hash, :kind, :owner, :space_id, :now) RETURNING *
""")
_LOCK_OWNER = text("SELECT pg_advisory_xact_lock(hashtextextended('calendar-links\n' || :owner, 0))")
_LIVING = text("SELECT count(*) FROM calendar_link WHERE owner = :owner AND revoked_at IS NULL")
_LINKS = text("SELECT * FROM calendar_link WHERE owner = :owner ORDER BY made_at DESC, id DESC LIMIT 200")
_LINK = text("SELECT * FROM calendar_link WHERE secret_hash = :hash AND revoked_at IS NULL")
_REVOKE = text(
    "UPDATE calendar_link SET revoked_at = coalesce(revoked_at, :now) WHERE id = :id AND owner = :owner RETURNING *"
)
_BOOKINGS = text(f"""
    SELECT b.id, b.version, b.state, b.starts_at, coalesce(b.ended_at, b.ends_at) AS ends_at, s.headline, s.place_name AS place,
        s.place_address AS address, s.lat, s.lon, b.changed_at
    FROM booking b JOIN space s ON s.id = b.space_id
    WHERE b.citizen_id = :citizen AND b.state IN ('pending', 'confirmed', 'in_use', 'done') AND {STANDS}
    AND b.ends_at > :since ORDER BY b.starts_at, b.id LIMIT 2000
""")  # noqa: S608 - of constants
_TAKEN = text(f"""
    SELECT lower(occupied) AS starts_at, upper(occupied) AS ends_at FROM booking
    WHERE space_id = :space AND {BLOCKS} AND {STANDS} AND occupied && tstzrange(:since, :until)
    AND starts_at < CAST(:until AS timestamptz) + interval '1 day' ORDER BY starts_at
""")  # noqa: S608
_SPACE = text("SELECT id, headline, units, status FROM space WHERE id = :id")
_KEPT = text("""
    SELECT id, uid, sequence, starts_at, ends_at, lifted_at IS NULL AS held FROM closure
    WHERE space_id = :space AND source = 'calendar'
""")
_ADD_BUSY = text("""
    INSERT INTO closure (id, space_id, starts_at, ends_at, reason, source, made_by, made_at, uid, sequence)
    SELECT r.id, :space, r.starts_at, r.ends_at, :reason, 'calendar', :by, :now, r.uid, r.sequence
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, starts_at timestamptz, ends_at timestamptz, uid text, sequence int)
""")
_SEQUENCES = text("""
    UPDATE closure c SET sequence = r.value::int FROM jsonb_each_text(CAST(:sequences AS jsonb)) AS r
    WHERE c.space_id = :space AND c.source = 'calendar' AND c.uid = r.key AND c.sequence < r.value::int
""")
_AFFECTED = text(f"""
    SELECT b.id, b.starts_at, b.ends_at, b.state FROM booking b
    WHERE b.space_id = :space AND b.state IN ('held', 'pending', 'confirmed', 'in_use') AND {STANDS} AND EXISTS (
        SELECT 1 FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(starts_at timestamptz, ends_at timestamptz)
        WHERE r.starts_at < b.ends_at AND b.starts_at < r.ends_at)
    ORDER BY b.starts_at, b.id LIMIT 1000
""")  # noqa: S608


async def add_link(
    tx: AsyncConnection, secret_hash: bytes, kind: str, owner: str, space_id: UUID | None, now: datetime
) -> Row[Any] | None:
    """A new link; None where the owner has twenty that are not revoked."""
    await tx.execute(_LOCK_OWNER, {"owner": owner})
    if int((await tx.execute(_LIVING, {"owner": owner})).scalar_one()) >= MOST_LINKS:
        return None
    values = {"id": uuid4(), "hash": secret_hash, "kind": kind, "owner": owner, "space_id": space_id, "now": now}
    return (await tx.execute(_ADD_LINK, values)).one()


async def links(tx: AsyncConnection, owner: str) -> list[Row[Any]]:
    return list(await tx.execute(_LINKS, {"owner": owner}))


async def link(tx: AsyncConnection, secret_hash: bytes) -> Row[Any] | None:
    """A link that is not revoked."""
    return (await tx.execute(_LINK, {"hash": secret_hash})).first()


async def revoke(tx: AsyncConnection, id_: UUID, owner: str, now: datetime) -> Row[Any] | None:
    return (await tx.execute(_REVOKE, {"id": id_, "owner": owner, "now": now})).first()


async def bookings_of(
    tx: AsyncConnection, citizen: str, since: datetime, now: datetime, come_by: datetime
) -> list[Told]:
    """A citizen's bookings that end after `since` and stand at `now`, the earliest first."""
    values = {"citizen": citizen, "since": since, "now": now, "come_by": come_by}
    return [Told(**row._mapping) for row in await tx.execute(_BOOKINGS, values)]


async def space(tx: AsyncConnection, id_: UUID) -> Row[Any] | None:
    return (await tx.execute(_SPACE, {"id": id_})).first()


async def taken(tx: AsyncConnection, space_id: UUID, look: Span, now: datetime, come_by: datetime) -> list[Span]:
    """What stands on any of the space's units, with its buffers."""
    values = {"space": space_id, "since": look.starts_at, "until": look.ends_at, "now": now, "come_by": come_by}
    return [Span(row.starts_at, row.ends_at) for row in await tx.execute(_TAKEN, values)]


async def kept(tx: AsyncConnection, space_id: UUID) -> list[Kept]:
    return [Kept(**row._mapping) for row in await tx.execute(_KEPT, {"space": space_id})]


async def apply(tx: AsyncConnection, space_id: UUID, changes: Changes, by: str, now: datetime) -> None:
    """The new busy times and the newest SEQUENCE of each event; what is lifted is lifted by the calendars' store."""
    rows = [{**_row(one), "id": str(uuid4()), "uid": one.uid, "sequence": one.sequence} for one in changes.add]
    if rows:
        await tx.execute(
            _ADD_BUSY, {"space": space_id, "reason": REASON, "by": by, "now": now, "rows": json.dumps(rows)}
        )
    newer = {uid: sequence for uid, sequence in changes.sequences.items() if uid not in changes.stale}
    await tx.execute(_SEQUENCES, {"space": space_id, "sequences": json.dumps(newer)})


def _row(one: Busy) -> dict[str, Any]:
    return {"starts_at": one.starts_at.isoformat(), "ends_at": one.ends_at.isoformat()}


async def affected(
    tx: AsyncConnection, space_id: UUID, times: Sequence[Busy], now: datetime, late: timedelta
) -> list[Row[Any]]:
    """Bookings to come that overlap the times; the first thousand."""
    values = {"space": space_id, "rows": json.dumps([_row(one) for one in times]), "now": now, "come_by": now - late}
    return list(await tx.execute(_AFFECTED, values))
