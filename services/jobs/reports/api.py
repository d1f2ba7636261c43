"""Routes of reports (신고) and of moderation: the queue, hold, release, remove, block, and the audit trail."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Path, Query, Response

from services.jobs.claims.models import Because
from services.jobs.limits import limited
from services.jobs.parts import UseJobs
from services.jobs.reports import store
from services.jobs.reports.domain import Act, State
from services.jobs.reports.handlers import moderate, take_report
from services.jobs.reports.models import AuditView, BlockedView, Kind, ReportBody, ReportReceipt, ReportView
from services.jobs.trust.api import Moderator
from shared.auth import Citizen
from shared.contracts.base import NO_NUL
from shared.web.idempotency import IdempotencyKey, once
from shared.web.paging import Cursor, Limit, Page, decode_cursor, page_of
from shared.web.problems import not_found

router = APIRouter(tags=["신고 reports"])

Name = Annotated[str, Path(min_length=1, max_length=200, pattern=NO_NUL)]
Subject = Annotated[str | None, Query(max_length=300, pattern=NO_NUL, description="posting:<id> or citizen:<id>")]


@router.post(
    "/postings/{posting_id}/reports", status_code=201, response_model=ReportReceipt, summary="신고 Report a posting",
    dependencies=[limited("reports")],
)  # fmt: skip
async def post_report(
    posting_id: UUID, body: ReportBody, citizen: Citizen, key: IdempotencyKey, parts: UseJobs
) -> Response:
    route = f"POST /postings/{posting_id}/reports"
    async with once(parts.database, principal=citizen.subject, key=key, route=route, body=body) as kept:
        if kept.response is not None:
            return kept.response
        report = await take_report(kept.tx, uuid4(), posting_id, citizen.subject, body, parts.clock())
        return await kept.answer(201, ReportReceipt.of(report))


@router.get("/moderation/reports", summary="신고 목록 The queue, oldest first")
async def list_reports(
    moderator: Moderator, parts: UseJobs, state: State = "open", limit: Limit = 50, cursor: Cursor = None
) -> Page[ReportView]:
    after = decode_cursor(cursor)
    async with parts.database.transaction() as tx:
        reports = await store.queue(tx, state, after, limit)
    return page_of([ReportView.of(r) for r in reports], limit, [(r.created_at, r.id) for r in reports])


@router.post(
    "/moderation/reports/{report_id}/{act}", response_model=ReportView, summary="보류·해제·삭제 Hold, release, remove"
)
async def post_act(
    report_id: UUID, act: Act, body: Because, moderator: Moderator, key: IdempotencyKey, parts: UseJobs
) -> Response:
    route = f"POST /moderation/reports/{report_id}/{act}"
    async with once(parts.database, principal=moderator.subject, key=key, route=route, body=body) as kept:
        if kept.response is not None:
            return kept.response
        report = await moderate(kept.tx, report_id, act, body.reason, moderator, parts.clock())
        return await kept.answer(200, ReportView.of(report))


@router.get("/moderation/blocked", summary="차단 목록 Who is blocked")
async def list_blocked(moderator: Moderator, parts: UseJobs) -> list[BlockedView]:
    async with parts.database.transaction() as tx:
        return [BlockedView.model_validate(row, from_attributes=True) for row in await store.blocked(tx)]


@router.put("/moderation/blocked/{kind}/{name}", summary="차단 Block a citizen or an institution")
async def put_blocked(kind: Kind, name: Name, body: Because, moderator: Moderator, parts: UseJobs) -> BlockedView:
    """A blocked citizen claims nothing; a blocked institution posts nothing. What was agreed stays."""
    now, by = parts.clock(), moderator.subject
    values = {"kind": kind, "name": name, "reason": body.reason, "by": by, "since": now}
    async with parts.database.transaction() as tx:
        row = await store.block(tx, values)
        await store.note(tx, moderator=by, act="block", subject=f"{kind}:{name}", reason=body.reason, at=now)
    return BlockedView.model_validate(row, from_attributes=True)


@router.delete("/moderation/blocked/{kind}/{name}", status_code=204, summary="차단 해제 Unblock")
async def delete_blocked(kind: Kind, name: Name, moderator: Moderator, parts: UseJobs) -> Response:
    now, by = parts.clock(), moderator.subject
    async with parts.database.transaction() as tx:
        if not await store.unblock(tx, kind, name):
            raise not_found("block")
        await store.note(tx, moderator=by, act="unblock", subject=f"{kind}:{name}", reason="-", at=now)
    return Response(status_code=204)


@router.get("/moderation/audit", summary="처리 기록 The audit trail, newest first")
async def list_audit(
    moderator: Moderator, parts: UseJobs, subject: Subject = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[AuditView]:
    after = decode_cursor(cursor)
    async with parts.database.transaction() as tx:
        rows = await store.trail(tx, subject, after, limit)
    views = [AuditView.model_validate(row, from_attributes=True) for row in rows]
    return page_of(views, limit, [(row.at, row.id) for row in rows])
