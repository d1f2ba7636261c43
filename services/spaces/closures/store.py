"""Every SQL statement about closures and whom they affect, beside those of calendars and bookings."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.bookings.domain import Booking
from services.spaces.bookings.store import STANDS, booking_of
from services.spaces.calendars.domain import Spanning
from services.spaces.facilities.domain import Space
from services.spaces.facilities.store import space as space_table
from services.spaces.facilities.store import spaces

MOST_AFFECTED = 2_000
MOST_ALTERNATIVES = 100

_IN_PLACE = text(
    "SELECT id FROM space WHERE institution = :institution AND place_name = :place AND status = 'open' ORDER BY id LIMIT 1000"
)
# A degree of latitude is 111,195 m; the exact distance is the domain's business.
_NEAR = text("""
    SELECT o.id FROM space o WHERE o.status = 'open' AND o.expires_at > :now AND o.id <> ALL(CAST(:ids AS uuid[]))
    AND EXISTS (SELECT 1 FROM space s WHERE s.id = ANY(CAST(:ids AS uuid[])) AND s.institution = o.institution
        AND o.lat BETWEEN s.lat - :degrees AND s.lat + :degrees
        AND o.lon BETWEEN s.lon - :degrees / cos(radians(s.lat)) AND s.lon + :degrees / cos(radians(s.lat)))
    ORDER BY o.id LIMIT :most
""")
_AFFECTED = text(f"""
    SELECT * FROM booking WHERE space_id = ANY(CAST(:ids AS uuid[])) AND state IN ('held', 'pending', 'confirmed', 'in_use')
    AND {STANDS} AND starts_at < :until AND ends_at > :since ORDER BY starts_at, id LIMIT :most
""")  # noqa: S608 - of constants
_PAGE = text("""
    SELECT c.* FROM closure c JOIN space s ON s.id = c.space_id
    WHERE s.institution = :institution AND (CAST(:space AS uuid) IS NULL OR c.space_id = :space)
    AND (:all OR (c.lifted_at IS NULL AND c.ends_at > :now))
    AND (CAST(:at AS timestamptz) IS NULL OR (c.made_at, c.id) < (:at, :closure))
    ORDER BY c.made_at DESC, c.id DESC LIMIT :limit
""")
METRES_OF_A_DEGREE = 111_195.0


async def in_place(tx: AsyncConnection, institution: str, place: str) -> list[UUID]:
    """An institution's open spaces in one building."""
    return [row.id for row in await tx.execute(_IN_PLACE, {"institution": institution, "place": place})]


async def near(tx: AsyncConnection, ids: Collection[UUID], radius_m: float, now: datetime) -> list[UUID]:
    """Open spaces of the same institutions about so far away; the first hundred by id."""
    values = {"ids": list(ids), "degrees": radius_m / METRES_OF_A_DEGREE, "now": now, "most": MOST_ALTERNATIVES}
    return [row.id for row in await tx.execute(_NEAR, values)]


async def locked(tx: AsyncConnection, ids: Collection[UUID]) -> dict[UUID, Space]:
    """Spaces, locked in the order of their ids as everybody locks them: no booking of theirs comes between."""
    query = select(space_table).where(space_table.c.id.in_(list(ids))).order_by(space_table.c.id)
    return {row.id: spaces.offer_of(row) for row in await tx.execute(query.with_for_update(key_share=True))}


async def affected(
    tx: AsyncConnection, ids: Collection[UUID], span: Spanning, now: datetime, come_by: datetime
) -> list[Booking]:
    """Bookings of the spaces that stand and overlap the span, the earliest first; one more than is taken at once."""
    values = {
        "ids": list(ids), "since": span.starts_at, "until": span.ends_at, "now": now, "come_by": come_by,
        "most": MOST_AFFECTED + 1,
    }  # fmt: skip
    return [booking_of(row) for row in await tx.execute(_AFFECTED, values)]


async def page(
    tx: AsyncConnection, institution: str, space: UUID | None, after: tuple[datetime, UUID] | None, limit: int,
    now: datetime, *, over_too: bool,
) -> list[Row[Any]]:  # fmt: skip
    at, id_ = after or (None, None)
    values = {
        "institution": institution,
        "space": space,
        "at": at,
        "closure": id_,
        "limit": limit + 1,
        "now": now,
        "all": over_too,
    }
    return list(await tx.execute(_PAGE, values))
