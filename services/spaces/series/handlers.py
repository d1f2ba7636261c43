"""What happens to series, in the caller's transaction: each date booked by the engine, with a result of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.bookings.domain import Booking, Taken, Wish
from services.spaces.bookings.engine import locked_space
from services.spaces.bookings.handlers import cancel, confirm, hold_on
from services.spaces.calendars import store as calendars
from services.spaces.calendars.domain import Span
from services.spaces.checkin.handlers import refuse_suspended
from services.spaces.facilities.domain import Space
from services.spaces.parts import SpacesParts
from services.spaces.series import domain, store
from services.spaces.series.domain import Bounds, DateResult, Series
from services.spaces.series.models import DateView, SeriesBody, SeriesCancel
from shared.clock import SEOUL
from shared.rules import Conflict, Refused
from shared.web.problems import Problem, not_found


async def make_series(
    tx: AsyncConnection, space_id: UUID, citizen_id: str, body: SeriesBody, parts: SpacesParts
) -> tuple[Series, list[DateResult]]:
    """Every date tried; what can be had is booked. Raises Refused for the rule itself, Conflict where nothing was left."""
    settings, now = parts.settings, parts.clock()
    first = Span(body.starts_at, body.ends_at)
    if first.ends_at <= first.starts_at:
        raise Refused("ends_at", "after-start", "끝이 시작보다 늦어야 합니다 / a booking ends after it starts")
    dates = domain.dates_of(body.rrule, first, Bounds(settings.spaces_series_dates, settings.spaces_series_days))
    await refuse_suspended(tx, citizen_id, parts)
    space = await locked_space(tx, space_id)
    series = Series(
        uuid4(), space.id, space.institution, citizen_id, body.rrule, dates[0].starts_at, dates[0].ends_at,
        body.holidays, now,
    )  # fmt: skip
    await store.add(tx, series)
    results = await _tried(tx, space, series, body, dates, parts)
    _check_results(results, body)
    await store.add_dates(tx, series.id, results)
    return series, results


async def _tried(
    tx: AsyncConnection, space: Space, series: Series, body: SeriesBody, dates: Sequence[Span], parts: SpacesParts
) -> list[DateResult]:
    holidays, results = await calendars.holidays(tx), list[DateResult]()
    wish = Wish(dates[0], body.people, body.name, body.purpose, body.subscription_id, series.id)
    for n, window in enumerate(dates, 1):
        holiday = holidays.get(window.starts_at.astimezone(SEOUL).date()) if series.holidays == "skip" else None
        if holiday is not None:
            results.append(DateResult(n, window.starts_at, window.ends_at, "holiday", "holiday", holiday.name))
        else:
            results.append(await _try(tx, space, series, n, replace(wish, window=window), parts))
    return results


async def _try(tx: AsyncConnection, space: Space, series: Series, n: int, wish: Wish, parts: SpacesParts) -> DateResult:
    """One date; what is refused leaves no trace of itself."""
    window = wish.window
    try:
        async with tx.begin_nested():
            held = await hold_on(tx, space, series.citizen_id, wish, parts)
            booking = await confirm(tx, held, space, parts)
    except Refused as why:
        return domain.why_not(n, window, why, taken=isinstance(why, Taken))
    return DateResult(n, window.starts_at, window.ends_at, "booked", booking_id=booking.id)


def _check_results(results: Sequence[DateResult], body: SeriesBody) -> None:
    """A looked-at series may come to nothing; one that is booked may not. Raises a 409 problem with each date."""
    booked = sum(one.result == "booked" for one in results)
    if body.preview == "look" or booked == len(results) or (booked and body.conflicts == "skip"):
        return
    title = (
        "예약할 수 없는 날이 있습니다 / Some dates cannot be had"
        if booked
        else "예약할 수 있는 날이 없습니다 / No date can be had"
    )
    error = {"field": "body.rrule", "rule": "dates", "detail": "dates names each; conflicts=skip books the others"}
    listed = [DateView.of(one).model_dump(mode="json") | {"booking_id": None} for one in results]
    raise Problem(409, "series-conflict", title, errors=[error], dates=listed)


async def cancel_dates(
    tx: AsyncConnection, series_id: UUID, citizen_id: str, body: SeriesCancel, parts: SpacesParts
) -> tuple[Series, list[Booking]]:
    """One date, it and those after, or all to come; each given back by the rule. Raises Conflict where there is none."""
    series = await store.get(tx, series_id)
    if series is None or series.citizen_id != citizen_id:
        raise not_found("series")
    if body.scope != "all" and body.starts_at is None:
        raise Refused("starts_at", "which-date", "어느 날인지 알려 주세요 / one and following need a date")
    space, now = await locked_space(tx, series.space_id), parts.clock()
    since = series.starts_at if body.scope == "all" or body.starts_at is None else body.starts_at
    until = body.starts_at if body.scope == "one" else None
    coming = await store.to_come(tx, series_id, now, since, until)
    if not coming:
        raise Conflict("starts_at", "no-date", "취소할 예약이 없습니다 / nothing there to cancel")
    return series, [await cancel(tx, booking, space, body.reason, parts) for booking in coming]
