"""Routes of imports: a file of public data as the body; looked at first, applied in whole or in part, taken back."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from sqlalchemy import Row as DbRow

from services.spaces.imports import domain, store
from services.spaces.imports.handlers import applied, decide, planned, refusal, roll_back, stale_before
from services.spaces.imports.models import (
    Decision,
    FeedView,
    ImportReport,
    ImportView,
    Mode,
    OfferView,
    RollbackView,
    SourceName,
)
from services.spaces.imports.targets import TARGETS
from services.spaces.parts import UseSpaces
from shared.auth import Officer
from shared.rules import Conflict
from shared.web.idempotency import IdempotencyKey, once
from shared.web.paging import Cursor, Limit, Page, decode_cursor, page_of
from shared.web.problems import Problem, not_found

router = APIRouter(prefix="/imports", tags=["가져오기 imports"])

MOST_BYTES = 20_000_000
How = Annotated[Mode, Query(description="dry-run changes nothing and tells what would happen")]
_TEXT = {"schema": {"type": "string"}}
_TAKES = {"requestBody": {"required": True, "content": {"text/csv": _TEXT, "application/json": {"schema": {}}}}}


class _Seen(BaseModel):
    """What makes two requests the same: the file and the mode."""

    mode: Mode
    digest: str


async def body_of(request: Request, most_bytes: int = MOST_BYTES) -> bytes:
    """The body, read no further than the most it may have. Raises a 413 problem."""
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > most_bytes:
            title = f"파일이 너무 큽니다 ({most_bytes // 1_000_000} MB까지) / The file is too large"
            raise Problem(413, "too-large", title, most_bytes=most_bytes)
    return bytes(read)


@router.post(
    "/{source}", response_model=ImportReport, summary="공공데이터 가져오기 Import public data", openapi_extra=_TAKES
)
async def post_import(
    source: SourceName, request: Request, officer: Officer, key: IdempotencyKey, parts: UseSpaces, mode: How = "dry-run"
) -> Response:
    """facilities: 전국공공시설개방정보표준데이터; libraries: 전국도서관표준데이터. CSV (UTF-8 or cp949), JSON of the portal, or an
    answer of its API, as they come.
    """
    raw = await body_of(request)
    rows, errors = domain.rows_of(raw, TARGETS[source].source)
    seen, now = _Seen(mode=mode, digest=hashlib.sha256(raw).hexdigest()), parts.clock()
    route = f"POST /imports/{source}"
    async with once(parts.database, principal=officer.subject, key=key, route=route, body=seen) as kept:
        if kept.response is not None:
            return kept.response
        await store.lock(kept.tx, str(officer.institution), source)
        plan = await planned(kept.tx, TARGETS[source], rows, errors, officer, now)
        if mode == "all-or-nothing" and plan.errors:
            raise refusal(plan.errors)
        return await kept.answer(200, await applied(kept.tx, plan, mode, officer, now))


@router.get("", summary="가져오기 기록 Imports of the institution, newest first")
async def list_imports(
    officer: Officer, parts: UseSpaces, limit: Limit = 50, cursor: Cursor = None
) -> Page[ImportView]:
    after = decode_cursor(cursor)
    async with parts.database.transaction() as tx:
        rows = await store.page(tx, str(officer.institution), after, limit)
    views = [ImportView.model_validate(row, from_attributes=True) for row in rows]
    return page_of(views, limit, [(row.at, row.id) for row in rows])


@router.post("/{import_id}/rollback", response_model=RollbackView, summary="되돌리기 Take an import back")
async def post_rollback(import_id: UUID, officer: Officer, key: IdempotencyKey, parts: UseSpaces) -> Response:
    route = f"POST /imports/{import_id}/rollback"
    async with once(parts.database, principal=officer.subject, key=key, route=route) as kept:
        if kept.response is not None:
            return kept.response
        done = await store.take(kept.tx, import_id, str(officer.institution))
        if done is None:
            raise not_found("import")
        if done.rolled_back_at is not None:
            raise Conflict("import", "rolled-back", "이미 되돌렸습니다 / this import was taken back already")
        return await kept.answer(200, await roll_back(kept.tx, done, officer, parts.clock()))


def _offer(row: DbRow[Any]) -> OfferView:
    return OfferView.model_validate(row, from_attributes=True)


@router.get("/near-duplicates", summary="겹치는 것으로 보이는 행 Near-duplicates to decide, newest first")
async def list_near_duplicates(
    officer: Officer, parts: UseSpaces, limit: Limit = 50, cursor: Cursor = None, decided: bool = False
) -> Page[OfferView]:
    after = decode_cursor(cursor)
    async with parts.database.transaction() as tx:
        rows = await store.offers(tx, str(officer.institution), after, limit, decided_too=decided)
    return page_of([_offer(row) for row in rows], limit, [(row.at, row.id) for row in rows])


@router.post("/near-duplicates/{offer_id}", response_model=OfferView, summary="합치거나 따로 두기 Merge, or keep apart")
async def post_decision(
    offer_id: UUID, body: Decision, officer: Officer, key: IdempotencyKey, parts: UseSpaces
) -> Response:
    route = f"POST /imports/near-duplicates/{offer_id}"
    async with once(parts.database, principal=officer.subject, key=key, route=route, body=body) as kept:
        if kept.response is not None:
            return kept.response
        offer = await store.take_offer(kept.tx, offer_id, str(officer.institution))
        if offer is None:
            raise not_found("near-duplicate")
        decided = await decide(kept.tx, offer, body.decision, officer, parts.clock())
        return await kept.answer(200, _offer(decided))


@router.get("/feeds", summary="자료원의 새 소식 When each source last had news")
async def list_feeds(officer: Officer, parts: UseSpaces) -> list[FeedView]:
    before = stale_before(parts.clock(), parts.settings.spaces_feed_stale_days)
    async with parts.database.transaction() as tx:
        rows = await store.feeds(tx, str(officer.institution))
    return [
        FeedView(source=row.source, last_at=row.last_at, last_rows=row.last_rows, news_at=row.news_at,
                 stale=row.last_rows > 0 and row.news_at <= before)
        for row in rows
    ]  # fmt: skip
