"""Routes of notices: parse, decide, save, emit, render. An officer of both roles publishes at once; others go by a draft."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Response

from services.notices.channels.handlers import entitled, entitled_to_publish
from services.notices.drafts.handlers import publish_due
from services.notices.limits import limited
from services.notices.parts import UseNotices
from services.notices.publishing import domain, store
from services.notices.publishing.handlers import change_notice, desk, open_notice
from services.notices.publishing.models import (
    ChangeView,
    DiffView,
    NoticeDraft,
    NoticeEdit,
    NoticeView,
    RevisionView,
)
from services.notices.publishing.revisions import changes
from services.notices.publishing.store import notices
from shared.auth import Officer
from shared.geo import district
from shared.offers.models import Closing, Wanted
from shared.web.etags import IfMatch, etag, expected_version, versioned
from shared.web.idempotency import IdempotencyKey, once
from shared.web.paging import Page, decode_cursor, page_of
from shared.web.problems import not_found

router = APIRouter(prefix="/notices", tags=["소식 notices"])
Version = Annotated[int, Query(ge=1, le=2_147_483_647)]


@router.post("", status_code=201, response_model=NoticeView, summary="소식 알리기 Publish a notice at once",
             dependencies=[limited("writes")])  # fmt: skip
async def publish_notice(draft: NoticeDraft, officer: Officer, key: IdempotencyKey, parts: UseNotices) -> Response:
    async with once(parts.database, principal=officer.subject, key=key, route="POST /notices", body=draft) as claim:
        if claim.response is not None:
            return claim.response
        now = parts.clock()
        institution = await entitled_to_publish(claim.tx, officer, parts, "author", "approver")
        terms = draft.terms(institution.name, district(), now)
        domain.one_officer_is_enough(None, terms)
        notice = await open_notice(
            claim.tx, uuid4(), terms, institution=institution, posted_by=officer.subject, now=now
        )
        headers = {"ETag": etag(1), "Location": f"/api/notices/notices/{notice.id}"}
        return await claim.answer(201, NoticeView.of(notice), headers)


@router.get("", summary="소식 목록 List notices, newest first")
async def list_notices(parts: UseNotices, wanted: Wanted) -> Page[NoticeView]:
    after, now = decode_cursor(wanted.cursor), parts.clock()
    async with parts.database.transaction() as tx:
        await publish_due(tx, parts)
        found = await notices.newest(tx, wanted, after=after, now=now)
    views = [NoticeView.of(notice, now) for notice in found]
    return page_of(views, wanted.limit, [(n.created_at, n.id) for n in found])


@router.get("/{notice_id}", summary="소식 하나 One notice")
async def get_notice(notice_id: UUID, parts: UseNotices, response: Response) -> NoticeView:
    async with parts.database.transaction() as tx:
        await publish_due(tx, parts)
        notice = await desk.find(tx, notice_id)
    response.headers["ETag"] = etag(notice.version)
    return NoticeView.of(notice, parts.clock())


@router.patch("/{notice_id}", response_model=NoticeView, summary="소식 수정 Edit a notice",
              dependencies=[limited("writes")])  # fmt: skip
async def edit_notice(
    notice_id: UUID, edit: NoticeEdit, officer: Officer, parts: UseNotices, if_match: IfMatch = None
) -> Response:
    version = expected_version(if_match)
    async with parts.database.transaction() as tx:
        before = await desk.take(tx, notice_id, officer, version=version)
        await entitled_to_publish(tx, officer, parts, "author", "approver")
        after = domain.edit(before, edit.of_terms(district()), parts.clock())
        domain.one_officer_is_enough(before.terms, after.terms)
        await change_notice(tx, before, after)
    return versioned(NoticeView.of(after), after.version)


@router.post("/{notice_id}/withdraw", response_model=NoticeView, summary="소식 거두기 Withdraw a notice")
async def withdraw_notice(
    notice_id: UUID, closing: Closing, officer: Officer, key: IdempotencyKey, parts: UseNotices
) -> Response:
    """One approver may withdraw anything, an emergency too: silence is the safe side."""
    route = f"POST /notices/{notice_id}/withdraw"
    async with once(parts.database, principal=officer.subject, key=key, route=route, body=closing) as claim:
        if claim.response is not None:
            return claim.response
        before = await desk.take(claim.tx, notice_id, officer)
        await entitled(claim.tx, officer, "approver")
        after = domain.withdraw(before, closing.reason, parts.clock())
        await desk.change(claim.tx, before, after)
        return await claim.answer(200, NoticeView.of(after), {"ETag": etag(after.version)})


@router.get("/{notice_id}/revisions", summary="고친 내력 Every version, newest first")
async def list_revisions(notice_id: UUID, parts: UseNotices) -> list[RevisionView]:
    async with parts.database.transaction() as tx:
        await desk.find(tx, notice_id)
        kept = await store.revisions(tx, notice_id)
    return [RevisionView(version=version, at=at, **RevisionView.words(terms)) for version, at, terms in kept]


@router.get("/{notice_id}/diff", summary="달라진 점 What became different between two versions")
async def get_diff(notice_id: UUID, from_version: Version, to_version: Version, parts: UseNotices) -> DiffView:
    async with parts.database.transaction() as tx:
        before = await store.revision(tx, notice_id, from_version)
        after = await store.revision(tx, notice_id, to_version)
    if before is None or after is None:
        raise not_found("revision")
    told = [ChangeView.of(changed) for changed in changes(before, after)]
    return DiffView(from_version=from_version, to_version=to_version, changes=told)
