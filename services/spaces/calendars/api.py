"""Routes of calendars: a space's hours and rest days, how a text is understood, public holidays."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.calendars import store
from services.spaces.calendars.domain import Span, open_spans
from services.spaces.calendars.models import CalendarBody, CalendarView, HolidayView, RestView, TextBody
from services.spaces.calendars.reading import read_rest
from services.spaces.facilities.api import desk
from shared.auth import Officer
from shared.clock import SEOUL
from shared.publishing import UseParts
from shared.web.etags import IfMatch, etag, expected_version, stale, versioned

router = APIRouter(tags=["달력 calendars"])

Since = Annotated[
    date | None, Query(ge=date(2000, 1, 1), le=date(2099, 1, 1), description="a day of Asia/Seoul; today")
]
Days = Annotated[int, Query(ge=1, le=62, description="how many days to show as open or shut")]


async def _calendar(tx: AsyncConnection, space_id: UUID, span: Span) -> CalendarView:
    ((rules, version),) = (await store.versioned_rules_of(tx, [space_id], span)).values()
    return CalendarView.of(space_id, version, rules, open_spans(rules, span.starts_at, span.ends_at))


def days_from(day: date, days: int) -> Span:
    """Whole days in Asia/Seoul."""
    since = store.midnight(day)
    return Span(since, since + timedelta(days=days))


@router.get("/spaces/{space_id}/calendar", summary="운영시간·휴관일 Hours, rest days and closures of a space")
async def get_calendar(
    space_id: UUID, parts: UseParts, response: Response, since: Since = None, days: Days = 14
) -> CalendarView:
    span = days_from(since or parts.clock().astimezone(SEOUL).date(), days)
    async with parts.database.transaction() as tx:
        await desk.find(tx, space_id)
        view = await _calendar(tx, space_id, span)
    response.headers["ETag"] = etag(view.version)
    return view


@router.put(
    "/spaces/{space_id}/calendar", response_model=CalendarView, summary="운영시간·휴관일 정하기 Set hours and rest days"
)
async def put_calendar(
    space_id: UUID, body: CalendarBody, officer: Officer, parts: UseParts, if_match: IfMatch = None
) -> Response:
    """`If-Match` names the version read before; "v0" where none was set yet."""
    version, hours, now = expected_version(if_match), body.hours.hours(), parts.clock()
    async with parts.database.transaction() as tx:
        await desk.take(tx, space_id, officer)
        current = await store.version_of(tx, space_id)
        if current != version:
            raise stale(current)
        await store.put_calendars(tx, [(space_id, hours, body.rest)], officer.subject, now)
        view = await _calendar(tx, space_id, days_from(now.astimezone(SEOUL).date(), 14))
    return versioned(view, view.version)


@router.post("/rest-days/read", summary="휴관일 글 읽어 보기 How a text about rest days is understood")
async def read_rest_days(body: TextBody, officer: Officer) -> RestView:
    """Nothing is kept. What is not understood is named and would be shown, never applied."""
    return RestView.of(read_rest(body.text))


@router.get("/holidays", summary="공휴일 Public holidays by law and declared")
async def get_holidays(parts: UseParts) -> list[HolidayView]:
    async with parts.database.transaction() as tx:
        holidays = await store.holidays(tx)
    return [HolidayView.of(holidays.by_day[day]) for day in sorted(holidays.by_day)]
