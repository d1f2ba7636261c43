"""What happens to bookings, in the caller's transaction: the space locked, the decision kept and told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.bookings import domain, store
from services.spaces.bookings.domain import Booking, Wish
from services.spaces.bookings.engine import FULL, chance, check_open, locked_booking, locked_space, place, unit_for
from services.spaces.bookings.models import BookingEdit
from services.spaces.calendars.domain import Span
from services.spaces.checkin.handlers import close_gaps, free_again, let_go, refuse_suspended, settle_offer
from services.spaces.facilities.domain import Space
from services.spaces.parts import SpacesParts
from services.spaces.subscriptions.handlers import charge, check_pays, refund
from shared.rules import Conflict


async def hold_time(tx: AsyncConnection, space_id: UUID, citizen_id: str, wish: Wish, parts: SpacesParts) -> Booking:
    """A time held for the citizen. Raises Taken, Conflict or Refused where there is none for them."""
    most = parts.settings.spaces_holds_at_once
    if await refuse_suspended(tx, citizen_id, parts) >= most:
        raise Conflict("citizen", "holds", f"동시에 {most}건까지 잡아 둡니다 / too many holds")
    return await hold_on(tx, await locked_space(tx, space_id), citizen_id, wish, parts)


async def hold_on(tx: AsyncConnection, space: Space, citizen_id: str, wish: Wish, parts: SpacesParts) -> Booking:
    """A time held on a space that is locked, by all of the space's rules."""
    domain.check_window(space, wish.window, parts.clock())
    domain.check_people(space.terms, wish.people)
    found = await chance(tx, space, wish.window, parts)
    if found.unit is None:
        raise domain.Taken("starts_at", "taken", FULL)
    hold_s = parts.settings.spaces_hold_s
    booking = await place(tx, space, citizen_id, wish, parts, let_go, hold_s=hold_s, unit=found.unit)
    await check_pays(tx, booking, space, parts)
    if found.told or booking.unit_id != found.unit.id:
        await close_gaps(tx, space, booking, parts)
    return booking


async def living(tx: AsyncConnection, booking_id: UUID, parts: SpacesParts) -> tuple[Booking, Space]:
    """The booking and its space, locked; what time alone has made of it is kept and told first."""
    booking, space = await locked_booking(tx, booking_id)
    after = domain.lapsed(booking, parts.clock(), parts.settings.spaces_checkin_late_s)
    if after is None:
        return booking, space
    await let_go(tx, space, after, parts)
    return after, space


async def confirm(tx: AsyncConnection, booking: Booking, space: Space, parts: SpacesParts) -> Booking:
    """The citizen's yes: theirs at once, or for an officer to decide."""
    domain.expect(booking, "held")
    spent = await charge(tx, booking, space, parts)
    after = domain.confirm(booking, space.terms, parts.clock(), spent)
    await store.save(tx, after)
    await settle_offer(tx, after, "taken", parts)
    return after


async def decide(
    tx: AsyncConnection, booking: Booking, space: Space, reason: str | None, parts: SpacesParts
) -> Booking:
    """The officer's yes (no reason) or no."""
    now = parts.clock()
    domain.expect(booking, "pending")
    if reason is None:
        after = domain.agreed(booking, now)
        await store.save(tx, after)
        return after
    after = domain.moved(booking, "rejected", now, reason)
    await store.save(tx, after)
    await refund(tx, after, parts, reason, whole=True)
    await free_again(tx, space, after, parts)
    return after


async def cancel(tx: AsyncConnection, booking: Booking, space: Space, reason: str, parts: SpacesParts) -> Booking:
    """Given up by the citizen; whoever waits is offered the time."""
    after = domain.cancel(booking, reason, parts.clock())
    await store.save(tx, after)
    await refund(tx, after, parts, reason, whole=booking.state == "pending")
    await free_again(tx, space, after, parts)
    return after


async def change(tx: AsyncConnection, booking: Booking, space: Space, edit: BookingEdit, parts: SpacesParts) -> Booking:
    """The booking with what was changed; other times are placed as a new booking's are. Raises Taken, Refused, Conflict."""
    domain.expect(booking, "held", "pending", "confirmed")
    now, changes = parts.clock(), edit.changes()
    after = domain.moved(booking, booking.state, now, booking.because, hold_until=booking.hold_until, **changes)
    domain.check_people(space.terms, after.people)
    if (after.starts_at, after.ends_at) != (booking.starts_at, booking.ends_at):
        after = await _moved_in_time(tx, booking, after, space, parts)
    await store.save(tx, after)
    await close_gaps(tx, space, after, parts)
    return after


async def _moved_in_time(
    tx: AsyncConnection, before: Booking, after: Booking, space: Space, parts: SpacesParts
) -> Booking:
    now, window = parts.clock(), Span(after.starts_at, after.ends_at)
    if before.starts_at <= now or before.credit_minutes:
        raise Conflict(
            "starts_at", "fixed", "시작했거나 이용권을 쓴 예약은 취소하고 다시 잡습니다 / cancel and book anew"
        )
    domain.check_window(space, window, now)
    await check_open(tx, space, window)
    taken = domain.occupied_by(space.terms, window)
    others = [b for b in await store.in_the_way(tx, before.unit_id, taken) if b.id != before.id]
    unit_id = before.unit_id if not others else await unit_for(tx, space, taken, parts, let_go)
    if unit_id is None:
        raise domain.Taken("starts_at", "taken", FULL)
    terms = space.terms
    price_krw = 0 if before.subscription_id is not None else domain.price_of(terms, window)
    return replace(after, unit_id=unit_id, price_krw=price_krw, before_min=terms.before_min, after_min=terms.after_min)


async def cancel_for(
    tx: AsyncConnection, bookings: Sequence[Booking], reason: str, parts: SpacesParts, *, now: datetime | None = None
) -> list[Booking]:
    """Cancel what a closure, a holiday or a cut of capacity affects, whoever's it is: each citizen is told once per
    booking, by its event; what is over or cancelled already is left. Spaces are locked in the order of their ids.
    """
    at, cancelled = now or parts.clock(), []
    for space_id in sorted({booking.space_id for booking in bookings}):
        await locked_space(tx, space_id)
    for seen in bookings:
        booking = await store.get(tx, seen.id, for_update=True)
        if booking is not None and booking.state in ("held", "pending", "confirmed"):
            after = domain.moved(booking, "cancelled", at, reason)
            await store.save(tx, after)
            await settle_offer(tx, after, "lapsed", parts)
            await refund(tx, after, parts, reason, whole=True)
            cancelled.append(after)
    return cancelled
