"""What happens to comments, in the caller's transaction."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from services.notices.channels.handlers import entitled
from services.notices.comments import domain, store
from services.notices.comments.domain import Act, Comment, Reason
from services.notices.parts import SOURCE
from services.notices.publishing.domain import seen_at
from services.notices.publishing.handlers import desk
from shared.auth import Principal
from shared.messaging.outbox import emit
from shared.rules import Conflict
from shared.web.problems import Problem, not_found


async def take(tx: AsyncConnection, id_: UUID) -> Comment:
    comment = await store.take(tx, id_)
    if comment is None:
        raise not_found("comment")
    return comment


async def ask(tx: AsyncConnection, notice_id: UUID, author: str, body: str, now: datetime) -> Comment:
    notice = seen_at(await desk.find(tx, notice_id), now)
    comment = domain.asked(uuid4(), notice, author, body, await store.unanswered(tx, notice_id, author), now)
    await store.add(tx, comment)
    return comment


async def answer(tx: AsyncConnection, id_: UUID, officer: Principal, words: str, now: datetime) -> Comment:
    """Any officer with a role answers for the institution that was asked; who asked is told, and nobody else."""
    comment = await take(tx, id_)
    if comment.institution != officer.institution:
        raise Problem(403, "not-yours", "다른 기관에 쓴 글입니다 / This comment is to another institution")
    await entitled(tx, officer, "author")
    after = domain.answered(comment, words, now)
    if after.version == comment.version:
        return after
    await store.save(tx, after)
    about = await desk.find(tx, comment.notice_id)
    await emit(tx, domain.as_event(after, about), source=SOURCE, now=now)
    return after


async def report(tx: AsyncConnection, id_: UUID, reporter: str, reason: Reason, now: datetime) -> Comment:
    comment = await take(tx, id_)
    after = domain.reported(comment)
    if not await store.report(tx, id_, reporter, reason, now):
        raise Conflict("comment_id", "reported-already", "this comment was reported by you already")
    await store.save(tx, after)
    return after


async def moderate(
    tx: AsyncConnection, id_: UUID, act: Act, moderator: Principal, reason: str, now: datetime
) -> Comment:
    """The comment's new state and a line about it, together."""
    after = domain.moderated(await take(tx, id_), act, now)
    await store.save(tx, after)
    await store.note(tx, after, act, moderator.subject, reason)
    return after
