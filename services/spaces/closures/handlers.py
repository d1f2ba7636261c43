"""Closing spaces and declaring holidays, in the caller's transaction: whoever is affected is moved or cancelled, and told
by the one event of their booking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.bookings import store as bookings
from services.spaces.bookings.domain import Booking, check_people, check_window, occupied_by
from services.spaces.bookings.engine import check_open, unit_for
from services.spaces.bookings.handlers import cancel_for
from services.spaces.calendars import store as calendars
from services.spaces.calendars.domain import Closure, Span, allows
from services.spaces.calendars.rest import Holiday, Holidays
from services.spaces.checkin.handlers import close_gaps, let_go, shut_gaps
from services.spaces.closures import domain, store
from services.spaces.closures.domain import Fate
from services.spaces.closures.models import ClosingBody, HolidayBody, SettlingBody
from services.spaces.facilities.domain import Space
from services.spaces.parts import SpacesParts
from services.spaces.subscriptions import store as subscriptions
from services.spaces.subscriptions.domain import Plan, covers
from shared.auth import Principal
from shared.rules import Conflict, Refused
from shared.web.problems import Problem, not_found

REBOOK_WITHIN_M = 700.0
LOOKED_AHEAD = timedelta(days=400)  # bookings begin at most 366 days ahead


async def close_spaces(
    tx: AsyncConnection, body: ClosingBody, who: Principal, parts: SpacesParts
) -> tuple[list[tuple[UUID, UUID]], list[Fate]]:
    """Shut them and settle whom that affects. Returns (closure, space) pairs and each booking's fate."""
    now, span = parts.clock(), Span(body.starts_at, body.ends_at)
    domain.check_closing(body.starts_at, body.ends_at, now)
    ids = body.space_ids or await store.in_place(tx, str(who.institution), str(body.place))
    spaces = await _locked(tx, ids, parts)
    for id_ in ids:
        _check_own(spaces.get(id_), who)
    made = [(id_, Closure(uuid4(), body.starts_at, body.ends_at, body.reason)) for id_ in sorted(set(ids))]
    await calendars.close(tx, made, source="officer", by=who.subject, now=now)
    for id_ in sorted(set(ids)):
        await shut_gaps(tx, spaces[id_], span, parts)
    hit = await _affected(tx, ids, span, parts)
    fates = await settled(tx, hit, spaces, body.reason, parts, rebook=body.rebook)
    return [(closure.id, id_) for id_, closure in made], fates


def _check_own(space: Space | None, who: Principal) -> None:
    if space is None:
        raise not_found("space")
    if space.institution != who.institution:
        raise Problem(403, "not-yours", "다른 기관의 공간입니다 / This space belongs to another institution")


async def settle_calendar(
    tx: AsyncConnection, space_id: UUID, body: SettlingBody, who: Principal, parts: SpacesParts
) -> list[Fate]:
    """What stands though the calendar, as it is now, shuts it out: after a change of hours, or another's calendar taken in."""
    spaces, now = await _locked(tx, [space_id], parts), parts.clock()
    _check_own(spaces.get(space_id), who)
    span = Span(now, now + LOOKED_AHEAD)
    hit = await _affected(tx, [space_id], span, parts)
    rules = (await calendars.rules_of(tx, [space_id], Span(now - LOOKED_AHEAD, now + 2 * LOOKED_AHEAD)))[space_id]
    shut_out = [one for one in hit if allows(rules, Span(one.starts_at, one.ends_at)) is not None]
    return await settled(tx, shut_out, spaces, body.reason, parts, rebook=body.rebook)


async def declare_holiday(tx: AsyncConnection, body: HolidayBody, who: Principal, parts: SpacesParts) -> list[Fate]:
    """The day is a holiday from now on; bookings that their calendar no longer allows are settled. Raises Conflict."""
    known = await calendars.holidays(tx)
    if body.day in known or not await calendars.declare(tx, body.day, body.name, who.subject, parts.clock()):
        raise Conflict("day", "holiday", "이미 공휴일입니다 / it is a holiday already")
    ids, midnight = await calendars.resting_spaces(tx), calendars.midnight(body.day)
    # A rest day may be put off to the days after a holiday, so those are looked at too.
    span = Span(midnight, midnight + timedelta(days=3))
    # All locks are taken at once, in one order; who else could take the bookings is known from a look before.
    seen = await _newly_refused(tx, await _affected(tx, ids, span, parts), span, known, body)
    near = await store.near(tx, {one.space_id for one in seen}, REBOOK_WITHIN_M, parts.clock())
    spaces = await store.locked(tx, {*ids, *near})
    hit = await _newly_refused(tx, await _affected(tx, ids, span, parts), span, known, body)
    return await settled(tx, hit, spaces, f"{body.day} {body.name}", parts, rebook=body.rebook)


async def _newly_refused(
    tx: AsyncConnection, hit: Sequence[Booking], span: Span, known: Holidays, body: HolidayBody
) -> list[Booking]:
    wide = Span(span.starts_at - timedelta(days=31), span.ends_at + timedelta(days=31))
    rules = await calendars.rules_of(tx, sorted({one.space_id for one in hit}), wide)
    found: list[Booking] = []
    for id_, after in rules.items():
        now_known = Holidays.of((*known.by_day.values(), Holiday(body.day, body.name, "temporary")))
        before, after_ = replace(after, holidays=known), replace(after, holidays=now_known)
        found += domain.newly_refused([one for one in hit if one.space_id == id_], before, after_)
    return sorted(found, key=lambda one: (one.starts_at, one.id))


async def _locked(tx: AsyncConnection, ids: Sequence[UUID], parts: SpacesParts) -> dict[UUID, Space]:
    """The spaces and those that might stand in for them, all locked in one order."""
    others = await store.near(tx, ids, REBOOK_WITHIN_M, parts.clock()) if ids else []
    return await store.locked(tx, {*ids, *others})


async def _affected(tx: AsyncConnection, ids: Sequence[UUID], span: Span, parts: SpacesParts) -> list[Booking]:
    now = parts.clock()
    found = await store.affected(tx, ids, span, now, now - timedelta(seconds=parts.settings.spaces_checkin_late_s))
    if len(found) > store.MOST_AFFECTED:
        most = store.MOST_AFFECTED
        raise Conflict(
            "ends_at", "too-many-affected", f"예약이 {most:,}건을 넘습니다. 나누어 닫으세요 / close it in parts"
        )
    return found


async def settled(
    tx: AsyncConnection,
    hit: Sequence[Booking],
    spaces: dict[UUID, Space],
    reason: str,
    parts: SpacesParts,
    *,
    rebook: bool,
) -> list[Fate]:
    """Each booking moved to the nearest space that can take it, or cancelled; whoever is in the room now is left."""
    fates: dict[UUID, Fate] = {}
    for booking in hit:
        fates[booking.id] = Fate(booking, None)
        if rebook and booking.state in domain.MOVABLE and booking.starts_at > parts.clock():
            fates[booking.id] = await _moved(tx, booking, spaces, reason, parts)
    rest = [one for one in hit if fates[one.id].after is None]
    for after in await cancel_for(tx, rest, reason, parts):
        fates[after.id] = Fate(fates[after.id].before, after)
    return list(fates.values())


async def _moved(
    tx: AsyncConnection, booking: Booking, spaces: dict[UUID, Space], reason: str, parts: SpacesParts
) -> Fate:
    now, window = parts.clock(), Span(booking.starts_at, booking.ends_at)
    own, plan = spaces[booking.space_id], await _plan_of(tx, booking)
    candidates = (one for one in spaces.values() if one.institution == own.institution)
    for space in domain.nearest_first(own, candidates):
        if plan is not None and not covers(plan, space):
            continue
        try:
            check_window(space, window, now)
            check_people(space.terms, booking.people)
            await check_open(tx, space, window)
        except Refused:
            unit_id = None
        else:
            unit_id = await unit_for(tx, space, occupied_by(space.terms, window), parts, let_go)
        if unit_id is not None:
            after = domain.rebooked(booking, space, unit_id, reason, now)
            await bookings.save(tx, after)
            await close_gaps(tx, space, after, parts)
            return Fate(booking, after, space)
    return Fate(booking, None)


async def _plan_of(tx: AsyncConnection, booking: Booking) -> Plan | None:
    """The plan whose credits paid for it: it is good at some spaces only."""
    paid_by = None if booking.subscription_id is None else await subscriptions.get(tx, booking.subscription_id)
    return None if paid_by is None else await subscriptions.get_plan(tx, paid_by.plan_id)


def is_own_day(day: date, known: Holidays) -> bool:
    """Whether a holiday was declared here, rather than known by law."""
    found = known.get(day)
    return found is not None and found.kind == "temporary"
