"""Routes of drafts and templates: keep what is known of a posting, post from it in under a minute (J9)."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Response
from pydantic import ValidationError
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from services.jobs.drafts import store
from services.jobs.drafts.models import DraftBody, DraftView, PostingPart
from services.jobs.limits import limited
from services.jobs.parts import UseJobs
from services.jobs.postings.handlers import open_job
from services.jobs.postings.models import JobView, PostingDraft
from shared.auth import Officer, Principal
from shared.web.etags import IfMatch, etag, expected_version, stale, versioned
from shared.web.idempotency import IdempotencyKey, once
from shared.web.paging import Cursor, Limit, Page, decode_cursor, page_of
from shared.web.problems import Problem, not_found

router = APIRouter(prefix="/drafts", tags=["초안·서식 drafts and templates"], dependencies=[limited("writes")])


def _view(row: Row[Any]) -> DraftView:
    part = PostingPart.model_validate(row.body)
    return DraftView(
        id=row.id, name=row.name, keep=row.keep, version=row.version, posting=part, changed_at=row.changed_at
    )


async def _take(tx: AsyncConnection, id_: UUID, officer: Principal) -> Row[Any]:
    row = await store.take(tx, id_, str(officer.institution))
    if row is None:
        raise not_found("draft")
    return row


@router.post("", status_code=201, response_model=DraftView, summary="초안·서식 저장 Keep a draft or template")
async def post_draft(body: DraftBody, officer: Officer, key: IdempotencyKey, parts: UseJobs) -> Response:
    async with once(parts.database, principal=officer.subject, key=key, route="POST /drafts", body=body) as claim:
        if claim.response is not None:
            return claim.response
        values = {"id": uuid4(), "institution": officer.institution, **_values(body, officer), "now": parts.clock()}
        row = await store.add(claim.tx, values)
        return await claim.answer(201, _view(row), {"ETag": etag(1), "Location": f"/api/jobs/drafts/{row.id}"})


def _values(body: DraftBody, officer: Principal) -> dict[str, Any]:
    return {
        "name": body.name, "keep": body.keep, "body": body.posting.model_dump_json(exclude_none=True),
        "by": officer.subject,
    }  # fmt: skip


@router.get("", summary="우리 기관의 초안·서식 The institution's drafts and templates")
async def list_drafts(officer: Officer, parts: UseJobs, limit: Limit = 50, cursor: Cursor = None) -> Page[DraftView]:
    after = decode_cursor(cursor)
    async with parts.database.transaction() as tx:
        rows = await store.page(tx, str(officer.institution), after, limit)
    return page_of([_view(row) for row in rows], limit, [(row.changed_at, row.id) for row in rows])


@router.get("/{draft_id}", summary="초안 하나 One draft")
async def get_draft(draft_id: UUID, officer: Officer, parts: UseJobs, response: Response) -> DraftView:
    async with parts.database.transaction() as tx:
        row = await _take(tx, draft_id, officer)
    response.headers["ETag"] = etag(row.version)
    return _view(row)


@router.put("/{draft_id}", response_model=DraftView, summary="초안 고치기 Replace a draft")
async def put_draft(
    draft_id: UUID, body: DraftBody, officer: Officer, parts: UseJobs, if_match: IfMatch = None
) -> Response:
    version = expected_version(if_match)
    async with parts.database.transaction() as tx:
        row = await _take(tx, draft_id, officer)
        if row.version != version:
            raise stale(row.version)
        row = await store.save(tx, {"id": draft_id, **_values(body, officer), "now": parts.clock()})
    return versioned(_view(row), row.version)


@router.delete("/{draft_id}", status_code=204, summary="초안 지우기 Drop a draft")
async def delete_draft(draft_id: UUID, officer: Officer, parts: UseJobs) -> Response:
    async with parts.database.transaction() as tx:
        await _take(tx, draft_id, officer)
        await store.drop(tx, draft_id)
    return Response(status_code=204)


@router.post("/{draft_id}/post", status_code=201, response_model=JobView, summary="서식으로 올리기 Post from a draft")
async def post_from_draft(
    draft_id: UUID, part: PostingPart, officer: Officer, key: IdempotencyKey, parts: UseJobs
) -> Response:
    """What is given here goes before what the draft says; together they must be a whole posting."""
    route = f"POST /drafts/{draft_id}/post"
    async with once(parts.database, principal=officer.subject, key=key, route=route, body=part) as claim:
        if claim.response is not None:
            return claim.response
        row = await _take(claim.tx, draft_id, officer)
        job = await open_job(claim.tx, _whole({**row.body, **part.given()}), officer, parts)
        if not row.keep:
            await store.drop(claim.tx, draft_id)
        return await claim.answer(201, JobView.of(job), {"ETag": etag(1), "Location": f"/api/jobs/postings/{job.id}"})


def _whole(values: dict[str, Any]) -> PostingDraft:
    try:
        return PostingDraft.model_validate(values)
    except ValidationError as error:
        errors = [
            {"field": ".".join(map(str, ("body", *e["loc"]))), "rule": e["type"], "detail": e["msg"]}
            for e in error.errors(include_input=False, include_url=False)
        ]
        title = "초안에 빠진 것이 있습니다 / The draft is not a whole posting yet"
        raise Problem(422, "invalid", title, errors=errors) from None
