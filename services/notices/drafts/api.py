"""Routes of drafts: write, submit, approve or return, drop. What is approved is told at once or at its hour."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notices.channels.domain import Institution, Role
from services.notices.channels.handlers import entitled, entitled_to_publish
from services.notices.drafts import domain, store
from services.notices.drafts.domain import Draft, State
from services.notices.drafts.handlers import approve, begin, content_of, for_two, keep, publish_due, take, terms_of
from services.notices.drafts.models import ActView, DraftBody, DraftEdit, DraftView, Returning, WholeDraftView
from services.notices.limits import limited
from services.notices.parts import NoticesParts, UseNotices
from services.notices.publishing.store import notices
from shared.auth import Officer, Principal
from shared.web.etags import IfMatch, etag, expected_version, versioned
from shared.web.idempotency import IdempotencyKey, once
from shared.web.paging import Cursor, Limit, Page, decode_cursor, page_of
from shared.web.problems import not_found

router = APIRouter(prefix="/drafts", tags=["초안·승인 drafts"])

Act = Callable[[AsyncConnection, Draft, Institution], Awaitable[Draft]]


async def _acted(
    parts: NoticesParts, officer: Principal, key: str, about: tuple[UUID, str], role: Role, act: Act, *,
    version: int | None = None, body: BaseModel | None = None,
) -> Response:  # fmt: skip
    """One act on one draft, once under its key."""
    draft_id, named = about
    route = f"POST /drafts/{draft_id}/{named} {version or ''}"
    async with once(parts.database, principal=officer.subject, key=key, route=route, body=body) as claim:
        if claim.response is not None:
            return claim.response
        institution = await entitled_to_publish(claim.tx, officer, parts, role)
        after = await act(claim.tx, await take(claim.tx, draft_id, officer, version=version), institution)
        return await claim.answer(200, DraftView.of(after), {"ETag": etag(after.version)})


@router.post("", status_code=201, response_model=DraftView, summary="초안 쓰기 Write a draft",
             dependencies=[limited("writes")])  # fmt: skip
async def post_draft(body: DraftBody, officer: Officer, key: IdempotencyKey, parts: UseNotices) -> Response:
    async with once(parts.database, principal=officer.subject, key=key, route="POST /drafts", body=body) as claim:
        if claim.response is not None:
            return claim.response
        institution = await entitled_to_publish(claim.tx, officer, parts, "author")
        draft = await begin(claim.tx, body, officer, institution, parts.clock())
        headers = {"ETag": etag(1), "Location": f"/api/notices/drafts/{draft.id}"}
        return await claim.answer(201, DraftView.of(draft), headers)


@router.get("", summary="우리 기관의 초안 The institution's drafts, newest first")
async def list_drafts(
    officer: Officer, parts: UseNotices, state: State | None = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[DraftView]:
    after = decode_cursor(cursor)
    async with parts.database.transaction() as tx:
        await publish_due(tx, parts)
        drafts = await store.page(tx, str(officer.institution), state, after, limit)
    return page_of([DraftView.of(draft) for draft in drafts], limit, [(d.created_at, d.id) for d in drafts])


@router.get("/{draft_id}", summary="초안 하나와 그 내력 One draft, and who did what to it")
async def get_draft(draft_id: UUID, officer: Officer, parts: UseNotices, response: Response) -> WholeDraftView:
    async with parts.database.transaction() as tx:
        await publish_due(tx, parts)
        draft = await store.get(tx, draft_id, str(officer.institution))
        if draft is None:
            raise not_found("draft")
        acts = [ActView.model_validate(row, from_attributes=True) for row in await store.acts(tx, draft_id)]
    response.headers["ETag"] = etag(draft.version)
    return WholeDraftView(**DraftView.of(draft).model_dump(), acts=acts)


@router.put("/{draft_id}", response_model=DraftView, summary="초안 고치기 Rewrite a draft; it is to be submitted again",
            dependencies=[limited("writes")])  # fmt: skip
async def put_draft(
    draft_id: UUID, body: DraftEdit, officer: Officer, parts: UseNotices, if_match: IfMatch = None
) -> Response:
    version, now = expected_version(if_match), parts.clock()
    async with parts.database.transaction() as tx:
        institution = await entitled_to_publish(tx, officer, parts, "author")
        draft = await take(tx, draft_id, officer, version=version)
        base = None if draft.base_version is None else await notices.get(tx, draft.notice_id)
        await terms_of(tx, body.notice, base, institution, body.publish_at, now)
        content = content_of(DraftBody(notice=body.notice))
        two = for_two(body.notice, base)
        after = domain.rewritten(draft, content, two, body.publish_at, officer.subject, now)
        await keep(tx, after, "write", officer.subject)
    return versioned(DraftView.of(after), after.version)


@router.post("/{draft_id}/submit", response_model=DraftView, summary="승인 요청 Submit for approval")
async def submit_draft(draft_id: UUID, officer: Officer, key: IdempotencyKey, parts: UseNotices) -> Response:
    async def act(tx: AsyncConnection, draft: Draft, _: Institution) -> Draft:
        return await keep(tx, domain.submitted(draft, officer.subject, parts.clock()), "submit", officer.subject)

    return await _acted(parts, officer, key, (draft_id, "submit"), "author", act)


@router.post("/{draft_id}/approve", response_model=DraftView, summary="승인 Approve exactly what was read")
async def approve_draft(
    draft_id: UUID, officer: Officer, key: IdempotencyKey, parts: UseNotices, if_match: IfMatch = None
) -> Response:
    """Told at once unless it has a later hour. An emergency is approved by another officer than its writers."""

    async def act(tx: AsyncConnection, draft: Draft, institution: Institution) -> Draft:
        return await approve(tx, draft, officer, institution, parts.clock())

    version = expected_version(if_match)
    return await _acted(parts, officer, key, (draft_id, "approve"), "approver", act, version=version)


@router.post("/{draft_id}/return", response_model=DraftView, summary="되돌려 보내기 Return with a reason")
async def return_draft(
    draft_id: UUID, body: Returning, officer: Officer, key: IdempotencyKey, parts: UseNotices
) -> Response:
    async def act(tx: AsyncConnection, draft: Draft, _: Institution) -> Draft:
        after = domain.returned(draft, body.reason, parts.clock())
        return await keep(tx, after, "return", officer.subject, body.reason)

    return await _acted(parts, officer, key, (draft_id, "return"), "approver", act, body=body)


@router.delete("/{draft_id}", response_model=DraftView, summary="초안 버리기 Drop a draft, scheduled or not")
async def drop_draft(draft_id: UUID, officer: Officer, parts: UseNotices) -> Any:
    async with parts.database.transaction() as tx:
        await entitled(tx, officer, "author")
        after = domain.dropped(await take(tx, draft_id, officer), parts.clock())
        await keep(tx, after, "drop", officer.subject)
    return DraftView.of(after)
