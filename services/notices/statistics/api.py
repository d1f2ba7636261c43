"""Routes of statistic cards: for anybody the card, its table, chart, revisions and a page to embed; for officers the series."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from services.notices.channels.handlers import entitled_to_publish
from services.notices.limits import limited
from services.notices.parts import NoticesParts, UseNotices
from services.notices.statistics import chart, store
from services.notices.statistics.domain import About, Every, Line, Point, Statistic, headline, said, table_of
from services.notices.statistics.files import RowError, of_csv, of_kosis
from services.notices.statistics.handlers import add_series, change, make, take
from services.notices.statistics.models import (
    CardView,
    CellView,
    LineView,
    Mode,
    RevisionView,
    SeriesReport,
    StatisticBody,
    StatisticView,
    points_of,
)
from shared.auth import Officer, Principal
from shared.web.etags import IfMatch, etag, expected_version, versioned
from shared.web.idempotency import IdempotencyKey, once
from shared.web.paging import Cursor, Limit, Page, decode_cursor, page_of
from shared.web.problems import Problem, invalid, not_found

router = APIRouter(prefix="/statistics", tags=["통계 카드 statistics"])
writes = [limited("writes")]
MOST_BYTES = 2_000_000
FRAMED = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors *",
    "Cache-Control": "public, max-age=300",
}
Reader = Callable[[bytes, Every], tuple[list[Point], list[RowError]]]


def _given(media: str) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {media: {"schema": {"type": "string"}}}}}


def _told(media: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": "as a file", "content": {media: {"schema": {"type": "string"}}}}}


class _File(BaseModel):
    mode: Mode
    as_of: date
    digest: str


How = Annotated[Mode, Query(description="dry-run changes nothing and tells what would happen")]
AsOf = Annotated[date, Query(description="when these figures were so")]


async def _found(parts: NoticesParts, id_: UUID) -> tuple[Statistic, list[Line]]:
    async with parts.database.transaction() as tx:
        statistic = await store.get(tx, id_)
    if statistic is None:
        raise not_found("statistic")
    return statistic, _lines(parts, statistic)


def _lines(parts: NoticesParts, statistic: Statistic) -> list[Line]:
    return table_of(statistic.points, statistic.about.measure, parts.settings.notices_count_least)


def _view(parts: NoticesParts, statistic: Statistic) -> StatisticView:
    lines = _lines(parts, statistic)
    card = CardView.of(statistic, lines)
    return StatisticView(**card.model_dump(), table=[LineView.of(line) for line in lines])


@router.post(
    "", status_code=201, response_model=StatisticView, dependencies=writes, summary="통계 카드 만들기 Make a card"
)
async def post_statistic(body: StatisticBody, officer: Officer, key: IdempotencyKey, parts: UseNotices) -> Response:
    async with once(parts.database, principal=officer.subject, key=key, route="POST /statistics", body=body) as claim:
        if claim.response is not None:
            return claim.response
        await entitled_to_publish(claim.tx, officer, parts, "author")
        made = await make(claim.tx, body, officer, parts.clock())
        headers = {"ETag": etag(1), "Location": f"/api/notices/statistics/{made.id}"}
        return await claim.answer(201, _view(parts, made), headers)


@router.get("", summary="통계 카드 목록 Cards, newest first")
async def list_statistics(
    parts: UseNotices,
    channel: Annotated[str | None, Query(max_length=100)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[CardView]:
    after = decode_cursor(cursor)
    if channel and "\0" in channel:
        raise invalid("query.channel", "nul-character", "text may not hold the character U+0000")
    async with parts.database.transaction() as tx:
        found = await store.page(tx, channel, after, limit)
    views = [CardView.of(one, _lines(parts, one)) for one in found]
    return page_of(views, limit, [(one.created_at, one.id) for one in found])


@router.get("/{statistic_id}", summary="통계 카드와 표 One card with its table")
async def get_statistic(statistic_id: UUID, parts: UseNotices, response: Response) -> StatisticView:
    statistic, _ = await _found(parts, statistic_id)
    response.headers["ETag"] = etag(statistic.version)
    return _view(parts, statistic)


@router.put("/{statistic_id}", response_model=StatisticView, dependencies=writes, summary="통계 고치기 Revise a card")
async def put_statistic(
    statistic_id: UUID, body: StatisticBody, officer: Officer, parts: UseNotices, if_match: IfMatch = None
) -> Response:
    version = expected_version(if_match)
    async with parts.database.transaction() as tx:
        await entitled_to_publish(tx, officer, parts, "author")
        after = await change(tx, await take(tx, statistic_id, officer, version), body, parts.clock())
    return versioned(_view(parts, after), after.version)


@router.delete("/{statistic_id}", status_code=204, dependencies=writes, summary="통계 거두기 Withdraw a card")
async def delete_statistic(statistic_id: UUID, officer: Officer, parts: UseNotices) -> None:
    async with parts.database.transaction() as tx:
        await entitled_to_publish(tx, officer, parts, "author")
        await store.withdraw(tx, (await take(tx, statistic_id, officer)).id, parts.clock())


@router.post("/{statistic_id}/import", response_model=SeriesReport, dependencies=writes, openapi_extra=_given("text/csv"),
             summary="CSV로 계열 올리기 Figures from a CSV: 기간, 값, 구분")  # fmt: skip
async def import_series(
    statistic_id: UUID, request: Request, officer: Officer, key: IdempotencyKey, parts: UseNotices, as_of: AsOf,
    mode: How = "valid-rows",
) -> Response:  # fmt: skip
    return await _import(statistic_id, request, officer, key, parts, (mode, as_of, of_csv, "import"))


@router.post("/{statistic_id}/kosis/import", response_model=SeriesReport, dependencies=writes,
             openapi_extra=_given("application/json"), summary="KOSIS 응답 올리기 Figures from an answer of KOSIS")  # fmt: skip
async def import_kosis(
    statistic_id: UUID, request: Request, officer: Officer, key: IdempotencyKey, parts: UseNotices, as_of: AsOf,
    mode: How = "valid-rows",
) -> Response:  # fmt: skip
    return await _import(statistic_id, request, officer, key, parts, (mode, as_of, of_kosis, "kosis"))


async def _import(
    statistic_id: UUID, request: Request, officer: Principal, key: str, parts: NoticesParts,
    how: tuple[Mode, date, Reader, str],
) -> Response:  # fmt: skip
    mode, as_of, reader, name = how
    raw = await _body(request)
    seen = _File(mode=mode, as_of=as_of, digest=hashlib.sha256(raw).hexdigest())
    route = f"POST /statistics/{statistic_id}/{name}"
    async with once(parts.database, principal=officer.subject, key=key, route=route, body=seen) as claim:
        if claim.response is not None:
            return claim.response
        await entitled_to_publish(claim.tx, officer, parts, "author")
        before = await take(claim.tx, statistic_id, officer)
        read = reader(raw, before.about.every)
        return await claim.answer(200, await add_series(claim.tx, before, read, mode, as_of, parts.clock()))


async def _body(request: Request) -> bytes:
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > MOST_BYTES:
            raise Problem(
                413, "too-large", "파일이 너무 큽니다 (2 MB까지) / The file is too large", most_bytes=MOST_BYTES
            )
    return bytes(read)


@router.get("/{statistic_id}/revisions", summary="고친 내력 What the card said before, newest first")
async def list_statistic_revisions(statistic_id: UUID, parts: UseNotices) -> list[RevisionView]:
    await _found(parts, statistic_id)
    async with parts.database.transaction() as tx:
        rows = await store.revisions(tx, statistic_id)
    views = []
    for row in rows:
        about = About(**row.about)
        newest = headline(table_of(points_of(row.points), about.measure, parts.settings.notices_count_least))
        period, value = (None, None) if newest is None else (newest[0], CellView.of(newest[1]))
        told = {"version": row.version, "at": row.at, "as_of": row.as_of, "title": about.title}
        views.append(RevisionView(**told, period=period, value=value))
    return views


@router.get(
    "/{statistic_id}/chart.svg", response_class=Response, responses=_told("image/svg+xml"), summary="그림 The chart"
)
async def get_chart(statistic_id: UUID, parts: UseNotices) -> Response:
    statistic, lines = await _found(parts, statistic_id)
    drawn = chart.svg(statistic, lines, parts.settings.notices_count_least)
    headers = {**FRAMED, "ETag": etag(statistic.version), "Access-Control-Allow-Origin": "*"}
    return Response(drawn, media_type="image/svg+xml", headers=headers)


@router.get(
    "/{statistic_id}/table.csv", response_class=Response, responses=_told("text/csv"), summary="표 The table as CSV"
)
async def get_table(statistic_id: UUID, parts: UseNotices) -> Response:
    """RFC 4180 with the mark by which spreadsheets know UTF-8; what is hidden is empty and says so beside it."""
    statistic, lines = await _found(parts, statistic_id)
    written, least = io.StringIO(newline=""), parts.settings.notices_count_least
    rows = csv.writer(written)
    rows.writerow(["기간", "구분", "값", "비고"])
    for line in lines:
        for name, cell in [("전체", line.total), *line.groups.items()]:
            # A spreadsheet runs what begins with these: an apostrophe makes it text.
            safe = f"'{name}" if name[:1] in "=+-@\t\r" else name
            rows.writerow(
                [
                    line.period,
                    safe,
                    "" if cell.value is None else f"{cell.value:f}",
                    said(cell, least) if cell.hidden else "",
                ]
            )
    headers = {"Content-Disposition": f'attachment; filename="statistic-{statistic.id}.csv"'}
    return Response("\ufeff" + written.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/{statistic_id}/embed", response_class=HTMLResponse, summary="끼워 넣기 A page for a frame on any site")
async def get_embed(statistic_id: UUID, parts: UseNotices) -> HTMLResponse:
    statistic, lines = await _found(parts, statistic_id)
    return HTMLResponse(chart.embed(statistic, lines, parts.settings.notices_count_least), headers=FRAMED)
