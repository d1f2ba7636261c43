"""Routes of notices: parse, decide, save, emit, render."""

from __future__ import annotations

from uuid import UUID, uuid4

from fastapi import APIRouter, Response

from services.notices.channels import store as channels
from services.notices.channels.handlers import entitled, entitled_to_publish
from services.notices.parts import UseNotices
from services.notices.publishing import domain
from services.notices.publishing.models import NoticeDraft, NoticeEdit, NoticeView
from services.notices.publishing.store import notices
from shared.auth import Officer
from shared.geo import district
from shared.offers.desk import Desk
from shared.offers.models import Closing, Wanted
from shared.web.etags import IfMatch, etag, expected_version, versioned
from shared.web.idempotency import IdempotencyKey, once
from shared.web.paging import Page, decode_cursor, page_of

router = APIRouter(prefix="/notices", tags=["소식 notices"])
desk = Desk("notice", source="/services/notices", store=notices, as_posting=domain.as_posting)


@router.post("", status_code=201, response_model=NoticeView, summary="소식 알리기 Publish a notice")
async def publish_notice(draft: NoticeDraft, officer: Officer, key: IdempotencyKey, parts: UseNotices) -> Response:
    async with once(parts.database, principal=officer.subject, key=key, route="POST /notices", body=draft) as claim:
        if claim.response is not None:
            return claim.response
        now = parts.clock()
        institution = (await entitled_to_publish(claim.tx, officer, parts, "author", "approver")).name
        terms = draft.terms(institution, district(), now)
        notice = domain.publish(uuid4(), terms, institution=institution, posted_by=officer.subject, now=now)
        await channels.add(claim.tx, terms.channel, institution, now)
        await desk.open(claim.tx, notice)
        headers = {"ETag": etag(1), "Location": f"/api/notices/notices/{notice.id}"}
        return await claim.answer(201, NoticeView.of(notice), headers)


@router.get("", summary="소식 목록 List notices, newest first")
async def list_notices(parts: UseNotices, wanted: Wanted) -> Page[NoticeView]:
    after = decode_cursor(wanted.cursor)
    async with parts.database.transaction() as tx:
        found = await notices.newest(tx, wanted, after=after, now=parts.clock())
    return page_of([NoticeView.of(notice) for notice in found], wanted.limit, [(n.created_at, n.id) for n in found])


@router.get("/{notice_id}", summary="소식 하나 One notice")
async def get_notice(notice_id: UUID, parts: UseNotices, response: Response) -> NoticeView:
    async with parts.database.transaction() as tx:
        notice = await desk.find(tx, notice_id)
    response.headers["ETag"] = etag(notice.version)
    return NoticeView.of(notice)


@router.patch("/{notice_id}", response_model=NoticeView, summary="소식 수정 Edit a notice")
async def edit_notice(
    notice_id: UUID, edit: NoticeEdit, officer: Officer, parts: UseNotices, if_match: IfMatch = None
) -> Response:
    version = expected_version(if_match)
    async with parts.database.transaction() as tx:
        await entitled(tx, officer, "author", "approver")
        before = await desk.take(tx, notice_id, officer, version=version)
        after = domain.edit(before, edit.of_terms(district()), parts.clock())
        await desk.change(tx, before, after)
    return versioned(NoticeView.of(after), after.version)


@router.post("/{notice_id}/withdraw", response_model=NoticeView, summary="소식 거두기 Withdraw a notice")
async def withdraw_notice(
    notice_id: UUID, closing: Closing, officer: Officer, key: IdempotencyKey, parts: UseNotices
) -> Response:
    route = f"POST /notices/{notice_id}/withdraw"
    async with once(parts.database, principal=officer.subject, key=key, route=route, body=closing) as claim:
        if claim.response is not None:
            return claim.response
        await entitled(claim.tx, officer, "approver")
        before = await desk.take(claim.tx, notice_id, officer)
        after = domain.withdraw(before, closing.reason, parts.clock())
        await desk.change(claim.tx, before, after)
        return await claim.answer(200, NoticeView.of(after), {"ETag": etag(after.version)})
