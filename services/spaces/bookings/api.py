"""Routes of bookings: hold a time, confirm it, change it, give it up; for officers, decide."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.availability.handlers import alternatives_to
from services.spaces.bookings import domain, store
from services.spaces.bookings.domain import Booking, Taken
from services.spaces.bookings.engine import FULL
from services.spaces.bookings.handlers import cancel, change, confirm, hold_time, living
from services.spaces.bookings.models import Because, BookingBody, BookingEdit, BookingView
from services.spaces.calendars.domain import Span
from services.spaces.facilities.api import desk
from services.spaces.facilities.domain import Space
from services.spaces.parts import SpacesParts, UseSpaces
from shared.auth import Citizen, Principal
from shared.web.etags import IfMatch, etag, expected_version, stale, versioned
from shared.web.idempotency import IdempotencyKey, Once, once
from shared.web.paging import Cursor, Limit, Page, decode_cursor, page_of
from shared.web.problems import Problem, not_found, of_refusal

router = APIRouter(tags=["예약 bookings"])


async def own_booking(
    tx: AsyncConnection, booking_id: UUID, citizen: Principal, parts: SpacesParts
) -> tuple[Booking, Space]:
    """The citizen's own booking as it is now, locked; another's is not known to be there."""
    seen = await store.get(tx, booking_id)
    if seen is None or seen.citizen_id != citizen.subject:
        raise not_found("booking")
    return await living(tx, booking_id, parts)


async def answered(kept: Once, booking: Booking, status: int = 200) -> Response:
    headers = {"ETag": etag(booking.version), "Location": f"/api/spaces/bookings/{booking.id}"}
    return await kept.answer(status, BookingView.of(booking), headers)


async def no_room(parts: SpacesParts, space_id: UUID, window: Span, why: Taken) -> Problem:
    """409 with what is free instead; a crowd asks the database once a second."""
    asked = (space_id, window.starts_at, window.ends_at)
    found = parts.alternatives.get(asked)
    if found is None:
        async with parts.database.transaction() as tx:
            space = await desk.find(tx, space_id)
            found = (await alternatives_to(tx, space, window, parts)).model_dump(mode="json")
        parts.alternatives.put(asked, found)
    problem = of_refusal(why)
    problem.title = "그 시간은 찼습니다. 가까운 다른 시간과 공간이 있습니다 / Taken; these are nearest"
    problem.extra["alternatives"] = found
    return problem


async def _glance(parts: SpacesParts, space_id: UUID, window: Span, citizen: str, key: str) -> None:
    """Most of a crowd comes too late: once one of it was, the others look before they wait for the lock. Raises Taken."""
    now, late_s = parts.clock(), parts.settings.spaces_checkin_late_s
    if parts.alternatives.get((space_id, window.starts_at, window.ends_at)) is None:
        return
    async with parts.database.statement() as tx:
        seen = await store.glance(tx, space_id, window, citizen, key, now, late_s)
    if not seen.there:
        raise not_found("space")
    if not (seen.known or seen.free):
        raise Taken("starts_at", "taken", FULL)


@router.post(
    "/spaces/{space_id}/bookings", status_code=201, response_model=BookingView, summary="시간 잡기 Hold a time"
)
async def post_booking(
    space_id: UUID, body: BookingBody, citizen: Citizen, key: IdempotencyKey, parts: UseSpaces
) -> Response:
    """201: held for five minutes, to be confirmed. 409: taken, with the nearest other times and spaces."""
    route, wish = f"POST /spaces/{space_id}/bookings", body.wish()
    try:
        await _glance(parts, space_id, wish.window, citizen.subject, key)
        async with once(parts.database, principal=citizen.subject, key=key, route=route, body=body) as kept:
            if kept.response is not None:
                return kept.response
            return await answered(kept, await hold_time(kept.tx, space_id, citizen.subject, wish, parts), 201)
    except Taken as why:
        raise await no_room(parts, space_id, wish.window, why) from None


@router.get("/bookings", summary="내 예약 My bookings, newest first")
async def list_bookings(
    citizen: Citizen, parts: UseSpaces, limit: Limit = 50, cursor: Cursor = None
) -> Page[BookingView]:
    after, now, late_s = decode_cursor(cursor), parts.clock(), parts.settings.spaces_checkin_late_s
    async with parts.database.transaction() as tx:
        found = await store.page(tx, citizen.subject, after, limit)
    views = [BookingView.of(domain.lapsed(b, now, late_s) or b) for b in found]
    return page_of(views, limit, [(b.created_at, b.id) for b in found])


@router.get("/bookings/{booking_id}", summary="내 예약 하나 One of my bookings")
async def get_booking(booking_id: UUID, citizen: Citizen, parts: UseSpaces, response: Response) -> BookingView:
    """As it is now, whether or not anything has noted that its time is up."""
    async with parts.database.transaction() as tx:
        booking = await store.get(tx, booking_id)
    if booking is None or booking.citizen_id != citizen.subject:
        raise not_found("booking")
    response.headers["ETag"] = etag(booking.version)
    return BookingView.of(domain.lapsed(booking, parts.clock(), parts.settings.spaces_checkin_late_s) or booking)


@router.post("/bookings/{booking_id}/confirm", response_model=BookingView, summary="확정 Confirm a hold")
async def post_confirm(booking_id: UUID, citizen: Citizen, key: IdempotencyKey, parts: UseSpaces) -> Response:
    """Confirmed at once, or pending where an officer of the institution decides."""
    route = f"POST /bookings/{booking_id}/confirm"
    async with once(parts.database, principal=citizen.subject, key=key, route=route) as kept:
        if kept.response is not None:
            return kept.response
        booking, space = await own_booking(kept.tx, booking_id, citizen, parts)
        return await answered(kept, await confirm(kept.tx, booking, space, parts))


@router.post("/bookings/{booking_id}/extend", response_model=BookingView, summary="시간 더 Extend a hold")
async def post_extend(booking_id: UUID, citizen: Citizen, key: IdempotencyKey, parts: UseSpaces) -> Response:
    """As long again, for who needs more time to decide (KWCAG: timers can be extended)."""
    route = f"POST /bookings/{booking_id}/extend"
    async with once(parts.database, principal=citizen.subject, key=key, route=route) as kept:
        if kept.response is not None:
            return kept.response
        booking, _ = await own_booking(kept.tx, booking_id, citizen, parts)
        settings = parts.settings
        after = domain.extend_hold(booking, parts.clock(), settings.spaces_hold_s, settings.spaces_hold_extensions)
        await store.save(kept.tx, after)
        return await answered(kept, after)


@router.post("/bookings/{booking_id}/cancel", response_model=BookingView, summary="취소 Give a booking up")
async def post_cancel(
    booking_id: UUID, body: Because, citizen: Citizen, key: IdempotencyKey, parts: UseSpaces
) -> Response:
    route = f"POST /bookings/{booking_id}/cancel"
    async with once(parts.database, principal=citizen.subject, key=key, route=route, body=body) as kept:
        if kept.response is not None:
            return kept.response
        booking, space = await own_booking(kept.tx, booking_id, citizen, parts)
        return await answered(kept, await cancel(kept.tx, booking, space, body.reason, parts))


@router.patch("/bookings/{booking_id}", response_model=BookingView, summary="예약 변경 Change a booking")
async def patch_booking(
    booking_id: UUID, edit: BookingEdit, citizen: Citizen, parts: UseSpaces, if_match: IfMatch = None
) -> Response:
    version = expected_version(if_match)
    async with parts.database.transaction() as tx:
        booking, space = await own_booking(tx, booking_id, citizen, parts)
        if booking.version != version:
            raise stale(booking.version)
        after = await change(tx, booking, space, edit, parts) if edit.changes() else booking
    return versioned(BookingView.of(after), after.version)
