"""Routes of closures and declared holidays: first looked at, then done; everybody concerned is told once."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.calendars import store as calendars
from services.spaces.closures import store
from services.spaces.closures.handlers import close_spaces, declare_holiday, is_own_day, settle_calendar
from services.spaces.closures.models import (
    AffectedView,
    ClosedSpace,
    ClosingBody,
    ClosureReport,
    ClosureView,
    HolidayBody,
    HolidayReport,
    Mode,
    SettlingBody,
    SettlingReport,
)
from services.spaces.facilities.api import desk
from services.spaces.parts import SpacesParts, UseSpaces
from shared.auth import Admin, Officer, Principal
from shared.rules import Conflict
from shared.web.idempotency import IdempotencyKey, once
from shared.web.paging import Cursor, Limit, Page, decode_cursor, page_of
from shared.web.problems import not_found

router = APIRouter(tags=["휴관·임시공휴일 closures"])

How = Annotated[Mode, Query(description="dry-run changes nothing and lists whom it would affect")]
Day = Annotated[date, Path(ge=date(2020, 1, 1), le=date(2099, 12, 31))]


class _Seen(BaseModel):
    """What makes two requests the same."""

    mode: Mode
    body: ClosingBody | HolidayBody | SettlingBody


async def _closed(
    tx: AsyncConnection, body: ClosingBody, who: Principal, parts: SpacesParts, mode: Mode
) -> ClosureReport:
    """A dry run does all that would be done and takes it back, so that it tells the truth."""
    trial = await tx.begin_nested()
    made, fates = await close_spaces(tx, body, who, parts)
    await (trial.commit() if mode == "apply" else trial.rollback())
    return ClosureReport(
        mode=mode, applied=mode == "apply", affected=[AffectedView.of(fate) for fate in fates],
        closures=[ClosedSpace(closure_id=closure, space_id=space) for closure, space in made],
    )  # fmt: skip


@router.post("/closures", response_model=ClosureReport, summary="휴관 정하기 Close spaces for a span")
async def post_closure(
    body: ClosingBody, officer: Officer, key: IdempotencyKey, parts: UseSpaces, mode: How = "dry-run"
) -> Response:
    seen = _Seen(mode=mode, body=body)
    async with once(parts.database, principal=officer.subject, key=key, route="POST /closures", body=seen) as kept:
        if kept.response is not None:
            return kept.response
        return await kept.answer(200, await _closed(kept.tx, body, officer, parts, mode))


@router.get("/closures", summary="휴관 목록 Closures of the institution, newest first")
async def list_closures(
    officer: Officer, parts: UseSpaces, space_id: UUID | None = None, over: bool = False, limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ClosureView]:  # fmt: skip
    after, now = decode_cursor(cursor), parts.clock()
    async with parts.database.transaction() as tx:
        rows = await store.page(tx, str(officer.institution), space_id, after, limit, now, over_too=over)
    views = [ClosureView.model_validate(row, from_attributes=True) for row in rows]
    return page_of(views, limit, [(row.made_at, row.id) for row in rows])


@router.delete("/closures/{closure_id}", summary="휴관 취소 Lift a closure: the space opens again")
async def delete_closure(closure_id: UUID, officer: Officer, parts: UseSpaces) -> ClosureView:
    """Whoever was moved or cancelled stays so. Lifting twice changes nothing."""
    async with parts.database.transaction() as tx:
        found = await calendars.closure(tx, closure_id)
        if found is None:
            raise not_found("closure")
        await desk.take(tx, found.space_id, officer)
        await calendars.lift(tx, [closure_id], parts.clock())
        return ClosureView.model_validate(await calendars.closure(tx, closure_id), from_attributes=True)


@router.post(
    "/spaces/{space_id}/calendar/settle", response_model=SettlingReport,
    summary="바뀐 운영시간에 걸린 예약 정리 Settle bookings that the calendar no longer allows",
)  # fmt: skip
async def post_settling(
    space_id: UUID, body: SettlingBody, officer: Officer, key: IdempotencyKey, parts: UseSpaces, mode: How = "dry-run"
) -> Response:
    """After a change of hours or rest days, or a calendar that was taken in: moved or cancelled, each citizen told once."""
    seen, route = _Seen(mode=mode, body=body), f"POST /spaces/{space_id}/calendar/settle"
    async with once(parts.database, principal=officer.subject, key=key, route=route, body=seen) as kept:
        if kept.response is not None:
            return kept.response
        trial = await kept.tx.begin_nested()
        fates = await settle_calendar(kept.tx, space_id, body, officer, parts)
        await (trial.commit() if mode == "apply" else trial.rollback())
        affected = [AffectedView.of(fate) for fate in fates]
        report = SettlingReport(mode=mode, applied=mode == "apply", space_id=space_id, affected=affected)
        return await kept.answer(200, report)


@router.post("/holidays", response_model=HolidayReport, summary="임시공휴일 정하기 Declare a public holiday")
async def post_holiday(
    body: HolidayBody, admin: Admin, key: IdempotencyKey, parts: UseSpaces, mode: How = "dry-run"
) -> Response:
    """Bookings that their calendars no longer allow are moved or cancelled, each citizen told once."""
    seen = _Seen(mode=mode, body=body)
    async with once(parts.database, principal=admin.subject, key=key, route="POST /holidays", body=seen) as kept:
        if kept.response is not None:
            return kept.response
        trial = await kept.tx.begin_nested()
        fates = await declare_holiday(kept.tx, body, admin, parts)
        await (trial.commit() if mode == "apply" else trial.rollback())
        affected = [AffectedView.of(fate) for fate in fates]
        report = HolidayReport(mode=mode, applied=mode == "apply", day=body.day, name=body.name, affected=affected)
        return await kept.answer(200, report)


@router.delete("/holidays/{day}", status_code=204, summary="임시공휴일 거두기 Take back a declared holiday")
async def delete_holiday(day: Day, admin: Admin, parts: UseSpaces) -> Response:
    """Whoever was moved or cancelled stays so; holidays by law stay."""
    async with parts.database.transaction() as tx:
        known = await calendars.holidays(tx)
        if day not in known:
            raise not_found("holiday")
        if not is_own_day(day, known) or not await calendars.undeclare(tx, day):
            raise Conflict("day", "by-law", "법정공휴일입니다 / a holiday by law")
    return Response(status_code=204)
