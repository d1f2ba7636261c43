"""Routes of job postings: parse, decide, save, emit, render."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from services.jobs.postings import domain, store
from services.jobs.postings.domain import JobPosting, Refused
from services.jobs.postings.models import Closing, JobView, PostingDraft, PostingEdit
from shared.auth import Officer, Principal
from shared.messaging.outbox import emit
from shared.publishing import UseParts
from shared.web.etags import IfMatch, etag, expected_version, stale
from shared.web.idempotency import IdempotencyKey, once
from shared.web.paging import Cursor, Limit, Page, decode_cursor, page_of
from shared.web.problems import Problem, invalid, not_found

router = APIRouter(prefix="/postings", tags=["일자리 jobs"])
SOURCE = "/services/jobs"


@router.post("", status_code=201, response_model=JobView, summary="일자리 등록 Post a job")
async def post_posting(draft: PostingDraft, officer: Officer, key: IdempotencyKey, parts: UseParts) -> Response:
    async with once(parts.database, principal=officer.subject, key=key, route="POST /postings", body=draft) as claim:
        if claim.response is not None:
            return claim.response
        try:
            job = domain.open_posting(
                uuid4(),
                draft.terms(),
                institution=str(officer.institution),
                posted_by=officer.subject,
                now=parts.clock(),
            )
        except Refused as refused:
            raise _problem(refused) from refused
        await store.add(claim.tx, job)
        await emit(claim.tx, domain.as_posting(job), source=SOURCE, now=job.changed_at)
        return await claim.answer(201, JobView.of(job), {"ETag": etag(1), "Location": f"/api/jobs/postings/{job.id}"})


@router.get("", summary="일자리 목록 List jobs, newest first")
async def list_postings(
    parts: UseParts,
    status: Literal["open", "closed"] | None = "open",
    institution: Annotated[str | None, Query(max_length=100)] = None,
    interest: Annotated[str | None, Query(max_length=40)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[JobView]:
    after = decode_cursor(cursor)
    async with parts.database.transaction() as tx:
        jobs = await store.newest(
            tx, status=status, institution=institution, interest=interest, after=after, limit=limit
        )
    return page_of([JobView.of(job) for job in jobs], limit, [(job.created_at, job.id) for job in jobs])


@router.get("/{posting_id}", summary="일자리 하나 One job")
async def get_posting(posting_id: UUID, parts: UseParts, response: Response) -> JobView:
    async with parts.database.transaction() as tx:
        job = await store.get(tx, posting_id)
    if job is None:
        raise not_found("posting")
    response.headers["ETag"] = etag(job.version)
    return JobView.of(job)


@router.patch("/{posting_id}", response_model=JobView, summary="일자리 수정 Edit a job")
async def edit_posting(
    posting_id: UUID, changes: PostingEdit, officer: Officer, if_match: IfMatch = None, *, parts: UseParts
) -> Response:
    expected = expected_version(if_match)
    async with parts.database.transaction() as tx:
        before = await _own(tx, posting_id, officer)
        if before.version != expected:
            raise stale(before.version)
        try:
            after = domain.edit(before, changes.as_changes(before.terms), parts.clock())
        except Refused as refused:
            raise _problem(refused) from refused
        await _save(tx, before, after)
    return _shown(after)


@router.post("/{posting_id}/close", response_model=JobView, summary="일자리 마감 Close a job")
async def close_posting(
    posting_id: UUID, closing: Closing, officer: Officer, key: IdempotencyKey, parts: UseParts
) -> Response:
    route = f"POST /postings/{posting_id}/close"
    async with once(parts.database, principal=officer.subject, key=key, route=route, body=closing) as claim:
        if claim.response is not None:
            return claim.response
        before = await _own(claim.tx, posting_id, officer)
        after = domain.close(before, closing.reason, parts.clock())
        await _save(claim.tx, before, after)
        return await claim.answer(200, JobView.of(after), {"ETag": etag(after.version)})


async def _own(tx: AsyncConnection, posting_id: UUID, officer: Principal) -> JobPosting:
    """The posting, locked; only its own institution may change it."""
    job = await store.get(tx, posting_id, for_update=True)
    if job is None:
        raise not_found("posting")
    if job.institution != officer.institution:
        raise Problem(403, "not-yours", "다른 기관의 일자리입니다 / This posting belongs to another institution")
    return job


async def _save(tx: AsyncConnection, before: JobPosting, after: JobPosting) -> None:
    if after.version != before.version:
        await store.save(tx, after)
        await emit(tx, domain.as_posting(after), source=SOURCE, now=after.changed_at)


def _problem(refused: Refused) -> Problem:
    return invalid(f"body.{refused.field}", refused.rule, refused.detail)


def _shown(job: JobPosting) -> JSONResponse:
    content: Any = JobView.of(job).model_dump(mode="json")
    return JSONResponse(content, headers={"ETag": etag(job.version)})
