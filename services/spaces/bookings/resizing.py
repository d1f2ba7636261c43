"""A space becomes smaller: who sat on what goes moves over if there is room, and whoever is left is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.bookings import domain, store
from services.spaces.bookings.domain import Booking
from services.spaces.bookings.engine import unit_for
from services.spaces.bookings.handlers import cancel_for
from services.spaces.bookings.models import QueuedView
from services.spaces.calendars.domain import Span
from services.spaces.checkin.handlers import let_go
from services.spaces.facilities.domain import Space
from services.spaces.parts import SpacesParts
from shared.web.problems import Problem

CUT = "공간을 줄여 자리가 없어졌습니다 / the space was made smaller"
FAR = timedelta(days=400)


async def fit_bookings(tx: AsyncConnection, space: Space, parts: SpacesParts, *, cancel: bool) -> None:
    """After an edit of a locked space: bookings that no longer fit are moved to units that stay. For those that cannot be,
    a 409 problem that lists them – or, with `cancel`, they are cancelled and told.
    """
    now = parts.clock()
    leaving = await store.leaving_units(tx, space.id, space.terms.units)
    coming = await store.affected_by(tx, space.id, Span(now, now + FAR), now, parts.settings.spaces_checkin_late_s)
    most = space.terms.capacity // space.terms.units
    affected = [b for b in coming if b.state != "in_use" and b.people > most]
    unseated = [b for b in coming if b.unit_id in leaving and b.state != "in_use" and b not in affected]
    affected += [b for b in unseated if not await _seated_elsewhere(tx, space, b, leaving, parts)]
    if affected and not cancel:
        raise _too_small(affected)
    await cancel_for(tx, affected, CUT, parts)
    await store.retire(tx, leaving, now)


async def _seated_elsewhere(
    tx: AsyncConnection, space: Space, booking: Booking, leaving: list[int], parts: SpacesParts
) -> bool:
    unit_id = await unit_for(tx, space, booking.occupied, parts, let_go, leaving)
    if unit_id is not None:
        after = domain.moved(booking, booking.state, parts.clock(), booking.because, hold_until=booking.hold_until)
        await store.save(tx, replace(after, unit_id=unit_id))
    return unit_id is not None


def _too_small(affected: list[Booking]) -> Problem:
    title = "이미 예약된 자리보다 적습니다 / Less than is booked already"
    listed = [QueuedView.of(booking).model_dump(mode="json") for booking in affected]
    error = {"field": "body.capacity", "rule": "sold", "detail": "?affected=cancel cancels and tells those listed"}
    return Problem(409, "capacity-sold", title, errors=[error], affected=listed)
