"""Routes of job postings: parse, decide, save, emit, render."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from services.jobs.claims.handlers import cancel_claims, follow_edit
from services.jobs.events import tell_poster
from services.jobs.limits import limited
from services.jobs.parts import UseJobs
from services.jobs.postings import domain
from services.jobs.postings.handlers import desk, edit_job, open_job
from services.jobs.postings.models import JobView, PostingDraft, PostingEdit
from services.jobs.postings.store import postings
from shared.auth import Officer
from shared.offers.models import Closing, Wanted
from shared.web.etags import IfMatch, etag, expected_version, versioned
from shared.web.idempotency import IdempotencyKey, once
from shared.web.paging import Page, decode_cursor, page_of

router = APIRouter(prefix="/postings", tags=["일자리 jobs"])


@router.post(
    "", status_code=201, response_model=JobView, summary="일자리 등록 Post a job", dependencies=[limited("writes")]
)
async def post_posting(draft: PostingDraft, officer: Officer, key: IdempotencyKey, parts: UseJobs) -> Response:
    async with once(parts.database, principal=officer.subject, key=key, route="POST /postings", body=draft) as claim:
        if claim.response is not None:
            return claim.response
        job = await open_job(claim.tx, draft, officer, parts)
        return await claim.answer(201, JobView.of(job), {"ETag": etag(1), "Location": f"/api/jobs/postings/{job.id}"})


@router.get("", summary="일자리 목록 List jobs, newest first")
async def list_postings(parts: UseJobs, wanted: Wanted) -> Page[JobView]:
    after = decode_cursor(wanted.cursor)
    async with parts.database.transaction() as tx:
        jobs = await postings.newest(tx, wanted, after=after, now=parts.clock())
    return page_of([JobView.of(job) for job in jobs], wanted.limit, [(job.created_at, job.id) for job in jobs])


@router.get("/{posting_id}", summary="일자리 하나 One job")
async def get_posting(posting_id: UUID, parts: UseJobs, response: Response) -> JobView:
    async with parts.database.transaction() as tx:
        job = await desk.find(tx, posting_id)
    response.headers["ETag"] = etag(job.version)
    return JobView.of(job)


@router.patch(
    "/{posting_id}", response_model=JobView, summary="일자리 수정 Edit a job", dependencies=[limited("writes")]
)
async def edit_posting(
    posting_id: UUID, edit: PostingEdit, officer: Officer, parts: UseJobs, if_match: IfMatch = None
) -> Response:
    """Where pay or time changes, those who have a place are asked to confirm again."""
    version = expected_version(if_match)
    async with parts.database.transaction() as tx:
        before = await desk.take(tx, posting_id, officer, version=version)
        after = await edit_job(tx, before, edit, parts)
        await follow_edit(tx, before, after)
    return versioned(JobView.of(after), after.version)


@router.post("/{posting_id}/close", response_model=JobView, summary="일자리 마감 Close: nobody else is wanted")
async def close_posting(
    posting_id: UUID, closing: Closing, officer: Officer, key: IdempotencyKey, parts: UseJobs
) -> Response:
    route = f"POST /postings/{posting_id}/close"
    async with once(parts.database, principal=officer.subject, key=key, route=route, body=closing) as claim:
        if claim.response is not None:
            return claim.response
        before = await desk.take(claim.tx, posting_id, officer)
        after = domain.close(before, closing.reason, parts.clock())
        await desk.change(claim.tx, before, after)
        return await claim.answer(200, JobView.of(after), {"ETag": etag(after.version)})


@router.post("/{posting_id}/cancel", response_model=JobView, summary="취소 Cancel: the work does not take place")
async def cancel_posting(
    posting_id: UUID, closing: Closing, officer: Officer, key: IdempotencyKey, parts: UseJobs
) -> Response:
    """Everybody who claimed is told, with the reason; everybody else's alert turns into 마감."""
    route, now = f"POST /postings/{posting_id}/cancel", parts.clock()
    async with once(parts.database, principal=officer.subject, key=key, route=route, body=closing) as claim:
        if claim.response is not None:
            return claim.response
        before = await desk.take(claim.tx, posting_id, officer)
        after = domain.cancel(before, closing.reason, now)
        await desk.change(claim.tx, before, after)
        if after is not before:
            await cancel_claims(claim.tx, after, closing.reason, now)
            await tell_poster(claim.tx, after, "cancelled", now, because=closing.reason)
        return await claim.answer(200, JobView.of(after), {"ETag": etag(after.version)})
