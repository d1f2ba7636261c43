"""Routes of officers: what waits for a decision, decisions, bookings called off."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.availability.store import times_of
from services.spaces.bookings import domain, store
from services.spaces.bookings.domain import Booking
from services.spaces.bookings.handlers import cancel_for, decide, living
from services.spaces.bookings.models import Because, QueuedView
from services.spaces.desk import store as statistics
from services.spaces.desk.domain import as_csv, open_minutes, usage_of
from services.spaces.desk.models import UsageView, WantedUsage
from services.spaces.facilities.domain import Space
from services.spaces.parts import SpacesParts, UseSpaces
from shared.auth import Officer, Principal
from shared.web.etags import etag
from shared.web.idempotency import IdempotencyKey, Once, once
from shared.web.paging import Cursor, Limit, Page, decode_cursor, page_of
from shared.web.problems import not_found

router = APIRouter(prefix="/desk", tags=["창구 desk"])


async def institutions_booking(
    tx: AsyncConnection, booking_id: UUID, officer: Principal, parts: SpacesParts
) -> tuple[Booking, Space]:
    """A booking at the officer's institution as it is now, locked; another's is not known to be there."""
    seen = await store.get(tx, booking_id)
    if seen is None or seen.institution != officer.institution:
        raise not_found("booking")
    return await living(tx, booking_id, parts)


async def _answer(kept: Once, booking: Booking) -> Response:
    return await kept.answer(200, QueuedView.of(booking), {"ETag": etag(booking.version)})


@router.get("/bookings", summary="승인 대기 What waits for a decision, the oldest first")
async def list_queue(officer: Officer, parts: UseSpaces, limit: Limit = 50, cursor: Cursor = None) -> Page[QueuedView]:
    after = decode_cursor(cursor)
    async with parts.database.transaction() as tx:
        found = await store.queue(tx, str(officer.institution), after, limit, parts.clock())
    return page_of([QueuedView.of(b) for b in found], limit, [(b.created_at, b.id) for b in found])


@router.post("/bookings/{booking_id}/approve", response_model=QueuedView, summary="승인 Approve")
async def post_approve(booking_id: UUID, officer: Officer, key: IdempotencyKey, parts: UseSpaces) -> Response:
    route = f"POST /desk/bookings/{booking_id}/approve"
    async with once(parts.database, principal=officer.subject, key=key, route=route) as kept:
        if kept.response is not None:
            return kept.response
        booking, space = await institutions_booking(kept.tx, booking_id, officer, parts)
        return await _answer(kept, await decide(kept.tx, booking, space, None, parts))


@router.post("/bookings/{booking_id}/reject", response_model=QueuedView, summary="반려 Reject, with the reason")
async def post_reject(
    booking_id: UUID, body: Because, officer: Officer, key: IdempotencyKey, parts: UseSpaces
) -> Response:
    route = f"POST /desk/bookings/{booking_id}/reject"
    async with once(parts.database, principal=officer.subject, key=key, route=route, body=body) as kept:
        if kept.response is not None:
            return kept.response
        booking, space = await institutions_booking(kept.tx, booking_id, officer, parts)
        return await _answer(kept, await decide(kept.tx, booking, space, body.reason, parts))


@router.post("/bookings/{booking_id}/cancel", response_model=QueuedView, summary="기관 취소 Call a booking off")
async def post_call_off(
    booking_id: UUID, body: Because, officer: Officer, key: IdempotencyKey, parts: UseSpaces
) -> Response:
    """The citizen is told, with the reason, and gets back everything that it cost."""
    route = f"POST /desk/bookings/{booking_id}/cancel"
    async with once(parts.database, principal=officer.subject, key=key, route=route, body=body) as kept:
        if kept.response is not None:
            return kept.response
        booking, _ = await institutions_booking(kept.tx, booking_id, officer, parts)
        domain.expect(booking, "held", "pending", "confirmed")
        (after,) = await cancel_for(kept.tx, [booking], body.reason, parts)
        return await _answer(kept, after)


@router.get(
    "/statistics",
    response_model=UsageView,
    summary="이용 통계 Occupancy by hour and weekday, no-shows; JSON or CSV",
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def get_statistics(officer: Officer, parts: UseSpaces, wanted: WantedUsage) -> Response:
    """Sums over the institution's own spaces, never who."""
    span, institution = wanted.span(parts.clock()), str(officer.institution)
    async with parts.database.transaction() as tx:
        ids = await statistics.spaces_of(tx, institution, wanted.space_id)
        if wanted.space_id is not None and not ids:
            raise not_found("space")
        spaces = await times_of(tx, ids, span, parts.clock(), 0)
        states = await statistics.states(tx, institution, wanted.space_id, span)
        booked = await statistics.booked_minutes(tx, institution, wanted.space_id, span)
    usage = usage_of(states, booked, open_minutes(spaces, span.starts_at, span.ends_at))
    if wanted.format == "json":
        return JSONResponse(UsageView.of(usage, span).model_dump(mode="json"))
    named = {"Content-Disposition": 'attachment; filename="usage.csv"'}
    return Response(as_csv(usage), media_type="text/csv; charset=utf-8", headers=named)
