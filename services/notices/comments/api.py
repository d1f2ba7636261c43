"""Routes of comments: citizens ask, the institution answers, moderation looks at what was reported."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Response

from services.notices.comments import handlers, store
from services.notices.comments.domain import Act, Comment, State
from services.notices.comments.models import (
    ActBody,
    AnswerBody,
    CommentBody,
    CommentView,
    OwnCommentView,
    ReportBody,
    ReportedView,
)
from services.notices.limits import limited
from services.notices.parts import UseNotices
from services.notices.publishing.handlers import desk
from shared.auth import Citizen, Officer, Principal, requires
from shared.web.etags import etag
from shared.web.idempotency import IdempotencyKey, once
from shared.web.paging import Cursor, Limit, Page, decode_cursor, page_of
from shared.web.problems import not_found

router = APIRouter(tags=["의견·답변 comments"])

Moderator = Annotated[Principal, requires("moderator", "admin")]


def _page(views: list[Any], limit: int, comments: list[Comment]) -> Page[Any]:
    return page_of(views, limit, [(comment.created_at, comment.id) for comment in comments])


@router.post("/notices/{notice_id}/comments", status_code=201, response_model=OwnCommentView,
             summary="기관에 묻기 Ask the institution", dependencies=[limited("comments")])  # fmt: skip
async def post_comment(
    notice_id: UUID, body: CommentBody, citizen: Citizen, key: IdempotencyKey, parts: UseNotices
) -> Response:
    """Between the citizen and the institution until it is answered; then everybody may read both, without a name."""
    route = f"POST /notices/{notice_id}/comments"
    async with once(parts.database, principal=citizen.subject, key=key, route=route, body=body) as claim:
        if claim.response is not None:
            return claim.response
        comment = await handlers.ask(claim.tx, notice_id, citizen.subject, body.body, parts.clock())
        return await claim.answer(201, OwnCommentView.of(comment), {"ETag": etag(1)})


@router.get("/notices/{notice_id}/comments", summary="답변이 있는 의견 What was asked and answered, newest first")
async def list_comments(
    notice_id: UUID, parts: UseNotices, limit: Limit = 50, cursor: Cursor = None
) -> Page[CommentView]:
    after = decode_cursor(cursor)
    async with parts.database.transaction() as tx:
        await desk.find(tx, notice_id)
        found = await store.page(tx, "notice", notice_id, after, limit)
    return _page([CommentView.of(comment) for comment in found], limit, found)


@router.get("/my-comments", summary="내가 쓴 의견 My comments and their answers")
async def list_my_comments(
    citizen: Citizen, parts: UseNotices, limit: Limit = 50, cursor: Cursor = None
) -> Page[OwnCommentView]:
    after = decode_cursor(cursor)
    async with parts.database.transaction() as tx:
        found = await store.page(tx, "author", citizen.subject, after, limit)
    return _page([OwnCommentView.of(comment) for comment in found], limit, found)


@router.delete("/comments/{comment_id}", status_code=204, summary="의견 거두기 Take back my comment, answered or not")
async def delete_comment(comment_id: UUID, citizen: Citizen, parts: UseNotices) -> Response:
    async with parts.database.transaction() as tx:
        if not await store.drop(tx, comment_id, citizen.subject):
            raise not_found("comment")
    return Response(status_code=204)


@router.get("/comments", summary="우리 기관에 온 의견 Comments to the institution")
async def list_asked(
    officer: Officer, parts: UseNotices, state: State = "open", limit: Limit = 50, cursor: Cursor = None
) -> Page[OwnCommentView]:
    after = decode_cursor(cursor)
    async with parts.database.transaction() as tx:
        found = await store.page(tx, "institution", str(officer.institution), after, limit, state)
    return _page([OwnCommentView.of(comment) for comment in found], limit, found)


@router.put("/comments/{comment_id}/answer", summary="답변 Answer, or answer anew", dependencies=[limited("writes")])
async def put_answer(comment_id: UUID, body: AnswerBody, officer: Officer, parts: UseNotices) -> OwnCommentView:
    async with parts.database.transaction() as tx:
        return OwnCommentView.of(await handlers.answer(tx, comment_id, officer, body.answer, parts.clock()))


@router.put("/comments/{comment_id}/report", status_code=204, summary="신고 Report a comment",
            dependencies=[limited("comments")])  # fmt: skip
async def report_comment(comment_id: UUID, body: ReportBody, citizen: Citizen, parts: UseNotices) -> Response:
    async with parts.database.transaction() as tx:
        await handlers.report(tx, comment_id, citizen.subject, body.reason, parts.clock())
    return Response(status_code=204)


@router.get("/moderation/comments", summary="신고된 의견 What was reported and not looked at yet")
async def list_reported(
    _: Moderator, parts: UseNotices, limit: Limit = 50, cursor: Cursor = None
) -> Page[ReportedView]:
    after = decode_cursor(cursor)
    async with parts.database.transaction() as tx:
        found = await store.page(tx, "reported", None, after, limit)
        reports = await store.reports(tx, [comment.id for comment in found])
    views = [
        ReportedView.model_validate(
            {**OwnCommentView.of(c).model_dump(), "institution": c.institution, "reports": reports[c.id]}
        )
        for c in found
    ]
    return _page(views, limit, found)


@router.post("/moderation/comments/{comment_id}/{act}", response_model=OwnCommentView,
             summary="가리기·되돌리기·두기 Hide, restore, keep")  # fmt: skip
async def post_moderation(
    comment_id: UUID, act: Act, body: ActBody, moderator: Moderator, key: IdempotencyKey, parts: UseNotices
) -> Response:
    route = f"POST /moderation/comments/{comment_id}/{act}"
    async with once(parts.database, principal=moderator.subject, key=key, route=route, body=body) as claim:
        if claim.response is not None:
            return claim.response
        after = await handlers.moderate(claim.tx, comment_id, act, moderator, body.reason, parts.clock())
        return await claim.answer(200, OwnCommentView.of(after), {"ETag": etag(after.version)})
