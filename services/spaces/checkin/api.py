"""Routes of checking in and out, of waiting for a time, of penalty points."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.bookings import domain as booking_rules
from services.spaces.bookings import store as bookings
from services.spaces.bookings.api import answered, own_booking
from services.spaces.bookings.domain import Booking, Wish
from services.spaces.bookings.engine import check_open, locked_space, unit_for
from services.spaces.bookings.models import Because, BookingView, QueuedView
from services.spaces.checkin import domain, store
from services.spaces.checkin.domain import Waiting
from services.spaces.checkin.handlers import (
    free_again,
    join_line,
    leave_line,
    let_go,
    penalty_rule,
    points_of,
    refuse_suspended,
    waive,
)
from services.spaces.checkin.models import NoShowView, PenaltiesView, PointView, WaitingBody, WaitingView
from services.spaces.desk.api import institutions_booking
from services.spaces.facilities.domain import Space
from services.spaces.parts import SpacesParts, UseSpaces
from shared.auth import Citizen, Officer, Principal
from shared.rules import Conflict
from shared.web.etags import etag
from shared.web.idempotency import IdempotencyKey, once
from shared.web.paging import Cursor, Limit, Page, decode_cursor, page_of
from shared.web.problems import not_found

router = APIRouter(tags=["체크인 check-in"])


async def _arrive(tx: AsyncConnection, booking: Booking, parts: SpacesParts) -> Booking:
    settings = parts.settings
    after = domain.check_in(booking, parts.clock(), settings.spaces_checkin_early_s, settings.spaces_checkin_late_s)
    await bookings.save(tx, after)
    return after


@router.post("/bookings/{booking_id}/check-in", response_model=BookingView, summary="체크인 Check in")
async def post_check_in(booking_id: UUID, citizen: Citizen, key: IdempotencyKey, parts: UseSpaces) -> Response:
    """From ten minutes before the start to fifteen after; then the time is released and counts as a no-show."""
    route = f"POST /bookings/{booking_id}/check-in"
    async with once(parts.database, principal=citizen.subject, key=key, route=route) as kept:
        if kept.response is not None:
            return kept.response
        booking, _ = await own_booking(kept.tx, booking_id, citizen, parts)
        return await answered(kept, await _arrive(kept.tx, booking, parts))


@router.post(
    "/bookings/{booking_id}/check-out", response_model=BookingView, summary="체크아웃 Leave, earlier than booked"
)
async def post_check_out(booking_id: UUID, citizen: Citizen, key: IdempotencyKey, parts: UseSpaces) -> Response:
    """The rest of the time goes to who waits for it, or to people nearby."""
    route = f"POST /bookings/{booking_id}/check-out"
    async with once(parts.database, principal=citizen.subject, key=key, route=route) as kept:
        if kept.response is not None:
            return kept.response
        booking, space = await own_booking(kept.tx, booking_id, citizen, parts)
        after = domain.check_out(booking, parts.clock())
        await bookings.save(kept.tx, after)
        await free_again(kept.tx, space, after, parts)
        return await answered(kept, after)


@router.post("/desk/bookings/{booking_id}/check-in", response_model=QueuedView, summary="창구 체크인 Check somebody in")
async def post_desk_check_in(booking_id: UUID, officer: Officer, key: IdempotencyKey, parts: UseSpaces) -> Response:
    """For who came and has no device to say so."""
    route = f"POST /desk/bookings/{booking_id}/check-in"
    async with once(parts.database, principal=officer.subject, key=key, route=route) as kept:
        if kept.response is not None:
            return kept.response
        booking, _ = await institutions_booking(kept.tx, booking_id, officer, parts)
        after = await _arrive(kept.tx, booking, parts)
        return await kept.answer(200, QueuedView.of(after), {"ETag": etag(after.version)})


async def _refuse_free(tx: AsyncConnection, space: Space, wish: Wish, parts: SpacesParts) -> None:
    """Nobody waits for what can be had. Raises Refused or Conflict."""
    booking_rules.check_window(space, wish.window, parts.clock())
    booking_rules.check_people(space.terms, wish.people)
    await check_open(tx, space, wish.window)
    taken = booking_rules.occupied_by(space.terms, wish.window)
    if await unit_for(tx, space, taken, parts, let_go) is not None:
        raise Conflict("starts_at", "free", "지금 예약할 수 있습니다 / it is free: book it")


@router.post("/spaces/{space_id}/waitlist", status_code=201, response_model=WaitingView, summary="대기 Wait for a time")
async def post_waiting(
    space_id: UUID, body: WaitingBody, citizen: Citizen, key: IdempotencyKey, parts: UseSpaces
) -> Response:
    """When it becomes free it is held for the first in line for ten minutes, and told (`space-waiting`)."""
    route = f"POST /spaces/{space_id}/waitlist"
    async with once(parts.database, principal=citizen.subject, key=key, route=route, body=body) as kept:
        if kept.response is not None:
            return kept.response
        await refuse_suspended(kept.tx, citizen.subject, parts)
        space = await locked_space(kept.tx, space_id)
        await _refuse_free(kept.tx, space, body.wish(), parts)
        waiting = await join_line(kept.tx, space, citizen.subject, body.wish(), parts)
        return await kept.answer(201, WaitingView.of(waiting), {"Location": f"/api/spaces/waitlist/{waiting.id}"})


@router.get("/waitlist", summary="내 대기 What I wait for, newest first")
async def list_waiting(
    citizen: Citizen, parts: UseSpaces, limit: Limit = 50, cursor: Cursor = None
) -> Page[WaitingView]:
    after = decode_cursor(cursor)
    async with parts.database.transaction() as tx:
        found = await store.my_waiting(tx, citizen.subject, after, limit)
    return page_of([WaitingView.of(w) for w in found], limit, [(w.created_at, w.id) for w in found])


async def _own_waiting(tx: AsyncConnection, waiting_id: UUID, citizen: Principal) -> Waiting:
    """Locked, its space first; another's is not known to be there."""
    seen = await store.get_waiting(tx, waiting_id)
    if seen is None or seen.citizen_id != citizen.subject:
        raise not_found("waiting")
    await locked_space(tx, seen.space_id)
    return await store.get_waiting(tx, waiting_id, for_update=True) or seen


@router.get("/waitlist/{waiting_id}", summary="내 대기 하나 One that I wait for")
async def get_waiting(waiting_id: UUID, citizen: Citizen, parts: UseSpaces) -> WaitingView:
    async with parts.database.transaction() as tx:
        found = await store.get_waiting(tx, waiting_id)
    if found is None or found.citizen_id != citizen.subject:
        raise not_found("waiting")
    return WaitingView.of(found)


@router.post("/waitlist/{waiting_id}/leave", response_model=WaitingView, summary="대기 취소 Wait no longer")
async def post_leave(waiting_id: UUID, citizen: Citizen, key: IdempotencyKey, parts: UseSpaces) -> Response:
    route = f"POST /waitlist/{waiting_id}/leave"
    async with once(parts.database, principal=citizen.subject, key=key, route=route) as kept:
        if kept.response is not None:
            return kept.response
        waiting = await _own_waiting(kept.tx, waiting_id, citizen)
        return await kept.answer(200, WaitingView.of(await leave_line(kept.tx, waiting, parts)))


@router.get("/penalties", summary="내 벌점 My penalty points")
async def get_penalties(citizen: Citizen, parts: UseSpaces) -> PenaltiesView:
    now, rule = parts.clock(), penalty_rule(parts.settings)
    async with parts.database.transaction() as tx:
        points = await points_of(tx, citizen.subject, parts)
    live, until = domain.live_points(points, now), domain.suspended_until(points, rule, now)
    views = [PointView.of(point) for point in points]
    return PenaltiesView(points=views, live=len(live), suspends_at=rule.points, suspended_until=until)


@router.get("/desk/penalties", summary="기관 노쇼 No-shows at the institution, newest first")
async def list_no_shows(
    officer: Officer, parts: UseSpaces, limit: Limit = 50, cursor: Cursor = None
) -> Page[NoShowView]:
    after = decode_cursor(cursor)
    async with parts.database.transaction() as tx:
        rows = await store.points_page(tx, str(officer.institution), after, limit)
    return page_of([NoShowView.of(row) for row in rows], limit, [(row.given_at, row.id) for row in rows])


@router.post("/desk/penalties/{penalty_id}/waive", response_model=PointView, summary="벌점 취소 Take a point back")
async def post_waive(
    penalty_id: UUID, body: Because, officer: Officer, key: IdempotencyKey, parts: UseSpaces
) -> Response:
    """With the reason; a suspension that hung on the point ends."""
    route = f"POST /desk/penalties/{penalty_id}/waive"
    async with once(parts.database, principal=officer.subject, key=key, route=route, body=body) as kept:
        if kept.response is not None:
            return kept.response
        point = await store.get_point(kept.tx, penalty_id)
        if point is None or point.institution != officer.institution:
            raise not_found("penalty")
        return await kept.answer(200, PointView.of(await waive(kept.tx, point, officer.subject, body.reason, parts)))
