"""Routes of imports: a CSV or an answer of 고용24 as the body; looked at first, applied in whole or in part, taken back."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from sqlalchemy import Row as DbRow

from services.jobs.imports import domain, store, work24
from services.jobs.imports.domain import Row, RowError
from services.jobs.imports.handlers import applied, planned, refusal, roll_back
from services.jobs.imports.models import ImportReport, ImportView, Mode, RollbackView
from services.jobs.limits import limited
from services.jobs.parts import JobsParts, UseJobs
from shared.auth import Officer, Principal
from shared.geo import district
from shared.rules import Conflict
from shared.web.idempotency import IdempotencyKey, once
from shared.web.paging import Cursor, Limit, Page, decode_cursor, page_of
from shared.web.problems import Problem, not_found

router = APIRouter(prefix="/imports", tags=["가져오기 imports"], dependencies=[limited("writes")])

MOST_BYTES = 10_000_000
How = Annotated[Mode, Query(description="dry-run changes nothing and tells what would happen")]


def _takes(media_type: str) -> dict[str, Any]:
    body = {media_type: {"schema": {"type": "string"}}}
    return {"requestBody": {"required": True, "content": body}}


class _Seen(BaseModel):
    """What makes two requests the same: the file and the mode."""

    mode: Mode
    digest: str


async def _body(request: Request) -> bytes:
    """The body, up to 10 MB, read no further than that."""
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > MOST_BYTES:
            raise Problem(
                413, "too-large", "파일이 너무 큽니다 (10 MB까지) / The file is too large", most_bytes=MOST_BYTES
            )
    return bytes(read)


async def _import(
    raw: bytes, rows: list[Row], errors: list[RowError], source: str, mode: Mode, officer: Principal, key: str,
    parts: JobsParts,
) -> Response:  # fmt: skip
    seen = _Seen(mode=mode, digest=hashlib.sha256(raw).hexdigest())
    route = f"POST /imports/{source}"
    async with once(parts.database, principal=officer.subject, key=key, route=route, body=seen) as kept:
        if kept.response is not None:
            return kept.response
        plan = await planned(kept.tx, rows, errors, officer, parts)
        if mode == "all-or-nothing" and plan.errors:
            raise refusal(plan.errors)
        return await kept.answer(200, await applied(kept.tx, plan, mode, source, officer, parts))


@router.post("/csv", response_model=ImportReport, summary="CSV 가져오기 Import a CSV", openapi_extra=_takes("text/csv"))
async def post_csv(
    request: Request, officer: Officer, key: IdempotencyKey, parts: UseJobs, mode: How = "dry-run"
) -> Response:
    """UTF-8 (with or without mark) or cp949; the columns are 외부번호, 제목, 장소, 시작, 종료, 보수 and more (docs)."""
    raw = await _body(request)
    rows, errors = domain.rows_of(raw)
    return await _import(raw, rows, errors, "csv", mode, officer, key, parts)


@router.post(
    "/work24", response_model=ImportReport, summary="고용24 가져오기 Import an answer of 고용24 (L01)",
    openapi_extra=_takes("application/xml"),
)  # fmt: skip
async def post_work24(
    request: Request, officer: Officer, key: IdempotencyKey, parts: UseJobs, mode: How = "dry-run"
) -> Response:
    """What the source answered, as it came; its <error> or page of HTML is told as what it is."""
    raw = await _body(request)
    rows, errors = work24.rows_of(raw, district())
    return await _import(raw, rows, errors, "work24", mode, officer, key, parts)


def _view(row: DbRow[Any]) -> ImportView:
    report = ImportReport.model_validate(row.report)
    return ImportView(id=row.id, source=row.source, at=row.at, rolled_back_at=row.rolled_back_at, report=report)


@router.get("", summary="가져오기 기록 Imports of the institution, newest first")
async def list_imports(officer: Officer, parts: UseJobs, limit: Limit = 50, cursor: Cursor = None) -> Page[ImportView]:
    after = decode_cursor(cursor)
    async with parts.database.transaction() as tx:
        rows = await store.page(tx, str(officer.institution), after, limit)
    return page_of([_view(row) for row in rows], limit, [(row.at, row.id) for row in rows])


@router.post("/{import_id}/rollback", response_model=RollbackView, summary="되돌리기 Take an import back")
async def post_rollback(import_id: UUID, officer: Officer, key: IdempotencyKey, parts: UseJobs) -> Response:
    route = f"POST /imports/{import_id}/rollback"
    async with once(parts.database, principal=officer.subject, key=key, route=route) as kept:
        if kept.response is not None:
            return kept.response
        done = await store.take(kept.tx, import_id, str(officer.institution))
        if done is None:
            raise not_found("import")
        if done.rolled_back_at is not None:
            raise Conflict("import", "rolled-back", "this import was taken back already")
        return await kept.answer(200, await roll_back(kept.tx, import_id, officer, parts))
