"""What follows when time is free again, in the caller's transaction: who waits is offered it, else people nearby hear of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.bookings import store as bookings
from services.spaces.bookings.domain import Booking, Taken, Wish
from services.spaces.bookings.engine import check_open, locked_space, place
from services.spaces.calendars.domain import Span
from services.spaces.checkin import domain, store
from services.spaces.checkin.domain import Gap, PenaltyRule, Point, Waiting
from services.spaces.events import tell
from services.spaces.facilities.domain import Space
from services.spaces.facilities.store import spaces
from services.spaces.parts import SpacesParts
from services.spaces.settings import Settings
from services.spaces.subscriptions.handlers import refund
from shared.contracts.posting import veiled
from shared.contracts.space import WaitingState
from shared.rules import Conflict, Refused


async def points_of(tx: AsyncConnection, citizen_id: str, parts: SpacesParts) -> list[Point]:
    """A citizen's points, as far back as they may still suspend."""
    return await store.points_of(tx, citizen_id, parts.clock() - look_back(parts))


def look_back(parts: SpacesParts) -> timedelta:
    """Points that lapsed longer ago suspend nobody any more."""
    return timedelta(days=31 * (parts.settings.spaces_suspension_months + 1))


def penalty_rule(settings: Settings) -> PenaltyRule:
    return PenaltyRule(
        settings.spaces_penalty_points, settings.spaces_penalty_months, settings.spaces_suspension_months
    )


async def let_go(tx: AsyncConnection, space: Space, lapsed: Booking, parts: SpacesParts) -> None:
    """A booking that has lapsed, kept and told, with all that follows."""
    await bookings.save(tx, lapsed)
    if lapsed.state == "no_show":
        await _give_point(tx, lapsed, parts)
    if lapsed.state == "expired":
        await refund(tx, lapsed, parts, lapsed.because, whole=True)
    if lapsed.state != "done":
        await free_again(tx, space, lapsed, parts)


async def free_again(tx: AsyncConnection, space: Space, booking: Booking, parts: SpacesParts) -> None:
    """What is left of the booking's time goes to who waits for it; else, where it begins soon, people nearby are told."""
    now, settings = parts.clock(), parts.settings
    if booking.waiting_id is not None:
        await settle_offer(tx, booking, "left" if booking.state == "cancelled" else "lapsed", parts)
    free = domain.freed(booking, now)
    if free is None or await _offered(tx, space, free, parts):
        return
    await _reopen_gaps(tx, space, booking, parts)
    worth_telling = booking.confirmed_at is not None or booking.waiting_id is not None or booking.state == "rejected"
    soon = free.starts_at - now <= timedelta(seconds=settings.spaces_gap_ahead_s)
    if worth_telling and soon and await _usable(tx, space, free, settings):
        await _tell_gap(tx, space, domain.gap_of(uuid4(), booking, free, now), settings)


async def _usable(tx: AsyncConnection, space: Space, free: Span, settings: Settings) -> bool:
    """Long enough, the space still offered, and open all the time."""
    if free.ends_at - free.starts_at < timedelta(seconds=settings.spaces_gap_least_s) or space.status == "closed":
        return False
    return await _is_open(tx, space, free)


async def _is_open(tx: AsyncConnection, space: Space, window: Span) -> bool:
    try:
        await check_open(tx, space, window)
    except Refused:
        return False
    return True


async def _offered(tx: AsyncConnection, space: Space, free: Span, parts: SpacesParts) -> bool:
    """Hold the time for the first in line who may have it. Whether somebody was offered it."""
    for waiting in await store.line_for(tx, space.id, free):
        points = await points_of(tx, waiting.citizen_id, parts)
        if domain.suspended_until(points, penalty_rule(parts.settings), parts.clock()) is not None:
            continue
        offer = await _offer(tx, space, waiting, free, parts)
        if offer is not None:
            await _keep_line(tx, domain.line_moved(waiting, "offered", parts.clock(), offer))
            return True
    return False


async def _offer(tx: AsyncConnection, space: Space, waiting: Waiting, free: Span, parts: SpacesParts) -> Booking | None:
    settings = parts.settings
    for window in domain.offer_windows(waiting, free, settings.spaces_gap_least_s):
        if not await _usable(tx, space, window, settings):
            continue
        offer = await _placed(tx, space, waiting, window, parts)
        if offer is not None:
            await close_gaps(tx, space, offer, parts)
            return offer
    return None


async def _placed(
    tx: AsyncConnection, space: Space, waiting: Waiting, window: Span, parts: SpacesParts
) -> Booking | None:
    wish, hold_s = Wish(window, waiting.people, waiting_id=waiting.id), parts.settings.spaces_offer_s
    try:
        return await place(tx, space, waiting.citizen_id, wish, parts, let_go, hold_s=hold_s)
    except Taken:
        return None  # somebody was faster


async def settle_offer(tx: AsyncConnection, booking: Booking, state: WaitingState, parts: SpacesParts) -> None:
    """What became of an offer to who waited."""
    if booking.waiting_id is None:
        return
    waiting = await store.get_waiting(tx, booking.waiting_id, for_update=True)
    if waiting is not None and waiting.state == "offered":
        await _keep_line(tx, domain.line_moved(waiting, state, parts.clock()))


async def _keep_line(tx: AsyncConnection, waiting: Waiting) -> None:
    await store.put_waiting(tx, waiting)
    await tell(tx, domain.as_waiting_event(waiting), waiting.changed_at)


async def join_line(tx: AsyncConnection, space: Space, citizen_id: str, wish: Wish, parts: SpacesParts) -> Waiting:
    """Somebody new in the line of a locked space. Raises Conflict for who waits already."""
    now, window = parts.clock(), wish.window
    if await store.waits_already(tx, space.id, citizen_id, window):
        raise Conflict("starts_at", "waits-already", "이미 기다리고 있습니다 / you wait for this time already")
    waiting = Waiting(
        uuid4(), space.id, space.institution, citizen_id, 1, "waiting", window.starts_at, window.ends_at, wish.people,
        None, None, now, now,
    )  # fmt: skip
    await _keep_line(tx, waiting)
    return waiting


async def leave_line(tx: AsyncConnection, waiting: Waiting, parts: SpacesParts) -> Waiting:
    """No longer waiting; an offer is given back with it, which cancelling the booking does."""
    if waiting.state != "waiting":
        raise Conflict("state", "not-now", f"대기 상태: {waiting.state} / not waiting")
    after = domain.line_moved(waiting, "left", parts.clock())
    await _keep_line(tx, after)
    return after


async def end_waiting(tx: AsyncConnection, parts: SpacesParts) -> int:
    """Whoever waited until their time had passed is told that it is over. One at a time, for the locks."""
    id_ = await store.waited_in_vain(tx, parts.clock())
    seen = None if id_ is None else await store.get_waiting(tx, id_)
    if seen is None:
        return 0
    await locked_space(tx, seen.space_id)
    waiting = await store.get_waiting(tx, seen.id, for_update=True)
    if waiting is not None and waiting.state == "waiting":
        await _keep_line(tx, domain.line_moved(waiting, "over", parts.clock()))
    return 1


async def _tell_gap(tx: AsyncConnection, space: Space, gap: Gap, settings: Settings) -> None:
    await store.put_gap(tx, gap)
    await tell(tx, domain.as_posting(gap, space, settings.spaces_gap_radius_m), gap.changed_at)


async def close_gaps(tx: AsyncConnection, space: Space, booking: Booking, parts: SpacesParts) -> None:
    """What was told as free is taken: every alert about it turns into 마감."""
    for gap in await store.open_gaps(tx, booking.unit_id, booking.occupied):
        closed = replace(
            gap, status="closed", version=gap.version + 1, taken_by=booking.id, changed_at=booking.changed_at
        )
        await _tell_gap(tx, space, closed, parts.settings)


async def shut_gaps(tx: AsyncConnection, space: Space, window: Span, parts: SpacesParts) -> None:
    """What was told as free is shut: a closure, or another calendar's busy time. The space is locked."""
    for gap in await store.gaps_of_space(tx, space.id, window):
        shut = replace(gap, status="closed", version=gap.version + 1, changed_at=parts.clock())
        await _tell_gap(tx, space, shut, parts.settings)


async def withdraw_gaps(tx: AsyncConnection, parts: SpacesParts) -> int:
    """What is told as free and no longer is – the space closed, a closure, other hours – is told as gone. One at a time."""
    now = parts.clock()
    for seen in await store.all_gaps(tx, now):
        window = Span(max(seen.starts_at, now), seen.ends_at)
        space = await spaces.get(tx, seen.space_id)
        if space is None or (space.status == "open" and await _is_open(tx, space, window)):
            continue
        space, gap = await locked_space(tx, seen.space_id), await store.locked_gap(tx, seen.id)
        if gap.status == "open":
            closed = replace(gap, status="closed", version=gap.version + 1, changed_at=now)
            await _tell_gap(tx, space, closed, parts.settings)
        return 1
    return 0


async def _reopen_gaps(tx: AsyncConnection, space: Space, booking: Booking, parts: SpacesParts) -> None:
    """Who took a gap gave it up: it is free as before, and nobody is told a second time."""
    now = parts.clock()
    for gap in await store.gaps_taken_by(tx, booking.id, now + timedelta(seconds=parts.settings.spaces_gap_least_s)):
        not_for = (*gap.not_for, veiled(gap.id, booking.citizen_id))[-50:]
        opened = replace(gap, status="open", version=gap.version + 1, taken_by=None, changed_at=now, not_for=not_for)
        await _tell_gap(tx, space, opened, parts.settings)


async def _give_point(tx: AsyncConnection, booking: Booking, parts: SpacesParts) -> None:
    now, rule = parts.clock(), penalty_rule(parts.settings)
    lapses_at = domain.months_on(now, rule.lapse_months)
    point = Point(uuid4(), booking.id, booking.citizen_id, booking.institution, now, lapses_at)
    await store.put_point(tx, point)
    points = await points_of(tx, booking.citizen_id, parts)
    await tell(tx, domain.as_penalty_event(point, points, rule, now), now)


async def waive(tx: AsyncConnection, point: Point, officer: str, reason: str, parts: SpacesParts) -> Point:
    """The officer takes a point back, with the reason; a suspension that hung on it ends. Twice changes nothing."""
    if point.waived_at is not None:
        return point
    now, rule = parts.clock(), penalty_rule(parts.settings)
    after = replace(point, waived_at=now, waived_by=officer, waived_because=reason)
    await store.put_point(tx, after)
    points = await points_of(tx, point.citizen_id, parts)
    await tell(tx, domain.as_penalty_event(after, points, rule, now, reason), now)
    return after


async def refuse_suspended(tx: AsyncConnection, citizen_id: str, parts: SpacesParts) -> int:
    """Raises Conflict for who may not book for now. Returns how many times they hold already."""
    now = parts.clock()
    holds, points = await store.standing(tx, citizen_id, now, now - look_back(parts))
    until = domain.suspended_until(points, penalty_rule(parts.settings), now)
    if until is not None:
        raise Conflict(
            "citizen", "suspended", f"{until:%Y-%m-%d}까지 예약할 수 없습니다(노쇼) / suspended for no-shows"
        )
    return holds
