"""Routes of statistic cards: for anybody the card, its table, chart, revisions and a page to embed; for officers the series."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel

from services.notices.channels.domain import Role
from services.notices.channels.handlers import entitled, entitled_to_publish
from services.notices.limits import limited
from services.notices.parts import NoticesParts, UseNotices
from services.notices.statistics import chart, pages, store
from services.notices.statistics.files import Reader, of_csv, of_kosis
from services.notices.statistics.handlers import add_series, cards, find, make, rewrite, take
from services.notices.statistics.models import (
    CardView,
    Mode,
    RevisionView,
    SeriesReport,
    StatisticBody,
    StatisticEdit,
    StatisticView,
)
from services.notices.statistics.periods import Language
from services.notices.statistics.revisions import revisions_of
from services.notices.statistics.table import Card
from shared.auth import Officer, Principal
from shared.web.etags import IfMatch, etag, expected_version, versioned
from shared.web.idempotency import IdempotencyKey, once
from shared.web.paging import Cursor, Page, decode_cursor, page_of
from shared.web.problems import Problem, invalid, not_found

router = APIRouter(prefix="/statistics", tags=["통계 카드 statistics"])
writes = [limited("writes")]
FRESH_FOR = "public, max-age=60"
PICTURE = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
Seen = Annotated[str | None, Header(alias="If-None-Match", max_length=2_000)]
Lang = Annotated[Language, Query(description="of the words around the figures")]
Look = Annotated[chart.Name, Query(description="plain: without title and source, for a page that tells them")]
How = Annotated[Mode, Query(description="dry-run changes nothing and tells what would happen")]
AsOf = Annotated[date, Query(description="when these figures were so, in Seoul; not in the future")]
Why = Annotated[str, Query(max_length=300, pattern=r"^[^\x00-\x1f]*$", description="shown with the revision")]


def _given(media: str) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {media: {"schema": {"type": "string"}}}}}


def _told(media: str) -> dict[int | str, dict[str, Any]]:
    return {
        200: {"description": "the card", "content": {media: {"schema": {"type": "string"}}}},
        304: {"description": "not changed since"},
    }


class _File(BaseModel):
    mode: Mode
    as_of: date
    reason: str
    digest: str


@router.post(
    "", status_code=201, response_model=StatisticView, dependencies=writes, summary="통계 카드 만들기 Make a card"
)
async def post_statistic(body: StatisticBody, officer: Officer, key: IdempotencyKey, parts: UseNotices) -> Response:
    """Shown at once, so it takes an officer of both roles, as publishing a notice at once does."""
    async with once(parts.database, principal=officer.subject, key=key, route="POST /statistics", body=body) as claim:
        if claim.response is not None:
            return claim.response
        await entitled_to_publish(claim.tx, officer, parts, "author", "approver")
        made = await make(claim.tx, body, officer, parts.settings.notices_count_least, parts.clock())
        headers = {"ETag": etag(1), "Location": f"/api/notices/statistics/{made.statistic.id}"}
        return await claim.answer(201, StatisticView.of(made), headers)


@router.get("", summary="통계 카드 목록 Cards, newest first")
async def list_statistics(
    parts: UseNotices,
    channel: Annotated[str | None, Query(max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
    cursor: Cursor = None,
) -> Page[CardView]:
    after = decode_cursor(cursor)
    if channel and "\0" in channel:
        raise invalid("query.channel", "nul-character", "text may not hold the character U+0000")
    async with parts.database.transaction() as tx:
        found = await store.page(tx, channel, after, limit)
        views = [CardView.of(card) for card in await cards(tx, found)]
    return page_of(views, limit, [(one.created_at, one.id) for one in found])


@router.get("/{statistic_id}", response_model=StatisticView, summary="통계 카드와 표 One card with its table",
            responses={304: {"description": "not changed since"}})  # fmt: skip
async def get_statistic(statistic_id: UUID, parts: UseNotices, seen: Seen = None) -> Response:
    card = await _found(parts, statistic_id)
    tag = etag(card.statistic.version)
    if _has(seen, tag):
        return Response(None, 304, {"ETag": tag})
    return versioned(StatisticView.of(card), card.statistic.version)


@router.put("/{statistic_id}", response_model=StatisticView, dependencies=writes, summary="통계 고치기 Revise a card")
async def put_statistic(
    statistic_id: UUID, body: StatisticEdit, officer: Officer, parts: UseNotices, if_match: IfMatch = None
) -> Response:
    """The whole series as it is to be. A card that was withdrawn is there again, with all its revisions."""
    version = expected_version(if_match)
    async with parts.database.transaction() as tx:
        await entitled_to_publish(tx, officer, parts, "author", "approver")
        after = await rewrite(tx, await take(tx, statistic_id, officer, version), body, parts.clock())
    return versioned(StatisticView.of(after), after.statistic.version)


@router.delete("/{statistic_id}", status_code=204, dependencies=writes, summary="통계 거두기 Withdraw a card")
async def delete_statistic(statistic_id: UUID, officer: Officer, parts: UseNotices) -> None:
    async with parts.database.transaction() as tx:
        await entitled(tx, officer, "approver")
        found = await take(tx, statistic_id, officer)
        if found.withdrawn_at is not None:
            raise not_found("statistic")
        await store.withdraw(tx, found.id, parts.clock())


@router.post("/{statistic_id}/import", response_model=SeriesReport, dependencies=writes, openapi_extra=_given("text/csv"),
             summary="CSV로 계열 올리기 Figures from a CSV: 기간, 값, 구분, 상태")  # fmt: skip
async def import_series(
    statistic_id: UUID, request: Request, officer: Officer, key: IdempotencyKey, parts: UseNotices, as_of: AsOf,
    mode: How = "valid-rows", reason: Why = "",
) -> Response:  # fmt: skip
    return await _import((statistic_id, "import", of_csv), request, officer, key, parts, (mode, as_of, reason))


@router.post("/{statistic_id}/kosis/import", response_model=SeriesReport, dependencies=writes,
             openapi_extra=_given("application/json"), summary="KOSIS 응답 올리기 Figures from an answer of KOSIS")  # fmt: skip
async def import_kosis(
    statistic_id: UUID, request: Request, officer: Officer, key: IdempotencyKey, parts: UseNotices, as_of: AsOf,
    mode: How = "valid-rows", reason: Why = "",
) -> Response:  # fmt: skip
    return await _import((statistic_id, "kosis", of_kosis), request, officer, key, parts, (mode, as_of, reason))


async def _import(
    what: tuple[UUID, str, Reader], request: Request, officer: Principal, key: str, parts: NoticesParts,
    how: tuple[Mode, date, str],
) -> Response:  # fmt: skip
    (id_, name, reader), (mode, as_of, reason) = what, how
    raw = await _body(request, parts.settings.statistics_max_bytes)
    seen = _File(mode=mode, as_of=as_of, reason=reason, digest=hashlib.sha256(raw).hexdigest())
    route = f"POST /statistics/{id_}/{name}"
    async with once(parts.database, principal=officer.subject, key=key, route=route, body=seen) as claim:
        if claim.response is not None:
            return claim.response
        roles: tuple[Role, ...] = ("author",) if mode == "dry-run" else ("author", "approver")
        await entitled_to_publish(claim.tx, officer, parts, *roles)
        before = await take(claim.tx, id_, officer)
        read = await asyncio.to_thread(reader, raw, before.about, as_of)
        return await claim.answer(200, await add_series(claim.tx, before, read, how, parts.clock()))


async def _body(request: Request, most_bytes: int) -> bytes:
    """Read no further than is taken."""
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > most_bytes:
            raise Problem(413, "too-large", "파일이 너무 큽니다 / The file is too large", most_bytes=most_bytes)
    return bytes(read)


@router.get("/{statistic_id}/revisions", summary="고친 내력 What each version changed, newest first")
async def list_statistic_revisions(statistic_id: UUID, parts: UseNotices) -> list[RevisionView]:
    """As it was shown: what is hidden now or was hidden then is hidden here too."""
    async with parts.database.transaction() as tx:
        statistic = (await find(tx, statistic_id)).statistic
        rows = await store.versions(tx, statistic_id)
        history = await store.history(tx, statistic_id)
    words = [(row.version, row.at, row.as_of, row.reason, row.about) for row in reversed(rows)]
    return [RevisionView.of(revision, statistic) for revision in reversed(revisions_of(words, history))]


@router.get(
    "/{statistic_id}/chart.svg", response_class=Response, responses=_told("image/svg+xml"), summary="그림 The chart"
)
async def get_chart(
    statistic_id: UUID, parts: UseNotices, lang: Lang = "ko", look: Look = "wide", seen: Seen = None
) -> Response:
    draw = partial(chart.svg, language=lang, look=look)
    return await _drawn(parts, statistic_id, draw, "image/svg+xml", seen, {"Content-Security-Policy": PICTURE})


@router.get("/{statistic_id}/table.html", response_class=Response, responses=_told("text/html"), summary="표 The table")
async def get_table(statistic_id: UUID, parts: UseNotices, lang: Lang = "ko", seen: Seen = None) -> Response:
    draw = partial(pages.table_page, language=lang)
    headers = {"Content-Security-Policy": pages.POLICY.replace("frame-ancestors *", "frame-ancestors 'none'")}
    return await _drawn(parts, statistic_id, draw, "text/html; charset=utf-8", seen, headers)


@router.get("/{statistic_id}/table.csv", response_class=Response, responses=_told("text/csv"), summary="표 파일 As CSV")
async def get_table_csv(statistic_id: UUID, parts: UseNotices, seen: Seen = None) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="statistic-{statistic_id}.csv"'}
    return await _drawn(parts, statistic_id, pages.table_csv, "text/csv; charset=utf-8", seen, headers)


@router.get("/{statistic_id}/embed", response_class=Response, responses=_told("text/html"),
            summary="끼워 넣기 A page for a frame on any site")  # fmt: skip
async def get_embed(statistic_id: UUID, parts: UseNotices, lang: Lang = "ko", seen: Seen = None) -> Response:
    draw = partial(pages.embed, language=lang)
    return await _drawn(
        parts, statistic_id, draw, "text/html; charset=utf-8", seen, {"Content-Security-Policy": pages.POLICY}
    )


async def _found(parts: NoticesParts, id_: UUID) -> Card:
    async with parts.database.transaction() as tx:
        return await find(tx, id_)


async def _drawn(
    parts: NoticesParts, id_: UUID, draw: Callable[[Card], str], media: str, seen: str | None, more: dict[str, str]
) -> Response:
    """Drawn of what everybody may see; 304 for who has it. The ETag is of the bytes."""
    body = draw(await _found(parts, id_)).encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": FRESH_FOR, "Access-Control-Allow-Origin": "*", **more}
    if _has(seen, tag):
        return Response(None, 304, headers)
    return Response(body, 200, headers, media_type=media)


def _has(seen: str | None, tag: str) -> bool:
    """If-None-Match (RFC 9110 §13.1.2)."""
    return seen is not None and (
        seen.strip() == "*" or tag in (one.strip().removeprefix("W/") for one in seen.split(","))
    )
