"""Routes of series: book again and again, see what became of each date, cancel one, those after it, or all."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.parts import SpacesParts, UseSpaces
from services.spaces.series import store
from services.spaces.series.domain import Series
from services.spaces.series.handlers import cancel_dates, make_series
from services.spaces.series.models import DateView, SeriesBody, SeriesCancel, SeriesView
from shared.auth import Citizen
from shared.web.idempotency import IdempotencyKey, once
from shared.web.paging import Cursor, Limit, Page, decode_cursor, page_of
from shared.web.problems import not_found

router = APIRouter(tags=["반복 예약 series"])


async def _view(tx: AsyncConnection, series: Series) -> SeriesView:
    return SeriesView.of(series, [DateView.of(row) for row in await store.dates(tx, series.id)])


async def _looked(parts: SpacesParts, space_id: UUID, citizen_id: str, body: SeriesBody) -> Response:
    """The engine itself is asked for every date, and whatever it did for that is undone."""
    async with parts.database.engine.connect() as tx:
        series, results = await make_series(tx, space_id, citizen_id, body, parts)
        dates = [DateView.of(one).model_copy(update={"booking_id": None}) for one in results]
        await tx.rollback()
    return JSONResponse(SeriesView.of(series, dates).model_dump(mode="json"))


@router.post(
    "/spaces/{space_id}/series", status_code=201, response_model=SeriesView, summary="반복 예약 Book again and again",
    responses={200: {"model": SeriesView, "description": "only looked: nothing is booked"}},
)  # fmt: skip
async def post_series(
    space_id: UUID, body: SeriesBody, citizen: Citizen, key: IdempotencyKey, parts: UseSpaces
) -> Response:
    """Each date has a result: booked, conflict, holiday, closed or refused, with the rule."""
    if body.preview == "look":
        return await _looked(parts, space_id, citizen.subject, body)
    route = f"POST /spaces/{space_id}/series"
    async with once(parts.database, principal=citizen.subject, key=key, route=route, body=body) as kept:
        if kept.response is not None:
            return kept.response
        series, _ = await make_series(kept.tx, space_id, citizen.subject, body, parts)
        headers = {"Location": f"/api/spaces/series/{series.id}"}
        return await kept.answer(201, await _view(kept.tx, series), headers)


@router.get("/series", summary="내 반복 예약 My series, newest first")
async def list_series(citizen: Citizen, parts: UseSpaces, limit: Limit = 50, cursor: Cursor = None) -> Page[SeriesView]:
    after = decode_cursor(cursor)
    async with parts.database.transaction() as tx:
        found = await store.mine(tx, citizen.subject, after, limit)
        views = [await _view(tx, one) for one in found]
    return page_of(views, limit, [(one.created_at, one.id) for one in found])


@router.get("/series/{series_id}", summary="반복 예약 하나 One of my series, date by date")
async def get_series(series_id: UUID, citizen: Citizen, parts: UseSpaces) -> SeriesView:
    async with parts.database.transaction() as tx:
        series = await store.get(tx, series_id)
        if series is None or series.citizen_id != citizen.subject:
            raise not_found("series")
        return await _view(tx, series)


@router.post("/series/{series_id}/cancel", response_model=SeriesView, summary="반복 취소 Cancel one, following or all")
async def post_series_cancel(
    series_id: UUID, body: SeriesCancel, citizen: Citizen, key: IdempotencyKey, parts: UseSpaces
) -> Response:
    route = f"POST /series/{series_id}/cancel"
    async with once(parts.database, principal=citizen.subject, key=key, route=route, body=body) as kept:
        if kept.response is not None:
            return kept.response
        series, _ = await cancel_dates(kept.tx, series_id, citizen.subject, body, parts)
        return await kept.answer(200, await _view(kept.tx, series))
