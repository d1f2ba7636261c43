"""Every SQL statement about comments, reports of them and moderation."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notices.comments.domain import Comment

Of = Literal["notice", "author", "institution", "reported"]
_COLUMNS = tuple(field.name for field in fields(Comment))
_ADD = text(f"INSERT INTO comment ({', '.join(_COLUMNS)}) VALUES ({', '.join(':' + c for c in _COLUMNS)})")  # noqa: S608
_SAVE = text("""
    UPDATE comment SET version = :version, state = :state, answer = :answer, answered_at = :answered_at, reported = :reported,
        changed_at = :changed_at
    WHERE id = :id
""")
_GET = text("SELECT * FROM comment WHERE id = :id FOR UPDATE")
_DROP = text("DELETE FROM comment WHERE id = :id AND author = :author RETURNING id")
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended('comment/' || :author, 0))")
_UNANSWERED = text("SELECT count(*) FROM comment WHERE notice_id = :notice AND author = :author AND state = 'open'")
_NEWEST = "AND (CAST(:at AS timestamptz) IS NULL OR (created_at, id) < (:at, :id)) ORDER BY created_at DESC, id DESC LIMIT :limit"
_PAGES = {
    "notice": text(f"SELECT * FROM comment WHERE notice_id = :of AND state = 'answered' {_NEWEST}"),  # noqa: S608
    "author": text(f"SELECT * FROM comment WHERE author = :of {_NEWEST}"),  # noqa: S608
    "institution": text(f"SELECT * FROM comment WHERE institution = :of AND state = :state {_NEWEST}"),  # noqa: S608
    "reported": text(f"SELECT * FROM comment WHERE reported {_NEWEST}"),  # noqa: S608
}
_REPORT = text("""
    INSERT INTO comment_report (comment_id, reporter, reason, at) VALUES (:comment, :reporter, :reason, :at)
    ON CONFLICT DO NOTHING RETURNING comment_id
""")
_REPORTS = text("""
    SELECT comment_id, reason, count(*) AS times FROM comment_report WHERE comment_id = ANY(CAST(:ids AS uuid[]))
    GROUP BY comment_id, reason ORDER BY comment_id, reason
""")
_NOTE = text(
    "INSERT INTO comment_act (comment_id, act, moderator, reason, at) VALUES (:comment, :act, :by, :reason, :at)"
)


def _comment(row: Row[Any]) -> Comment:
    return Comment(**{name: getattr(row, name) for name in _COLUMNS})


async def add(tx: AsyncConnection, comment: Comment) -> None:
    await tx.execute(_ADD, asdict(comment))


async def save(tx: AsyncConnection, comment: Comment) -> None:
    await tx.execute(_SAVE, asdict(comment))


async def take(tx: AsyncConnection, id_: UUID) -> Comment | None:
    """The comment, locked."""
    row = (await tx.execute(_GET, {"id": id_})).first()
    return None if row is None else _comment(row)


async def drop(tx: AsyncConnection, id_: UUID, author: str) -> bool:
    """Whether there was such a comment of this author's."""
    return (await tx.execute(_DROP, {"id": id_, "author": author})).first() is not None


async def unanswered(tx: AsyncConnection, notice_id: UUID, author: str) -> int:
    """How many comments of the author wait there; who writes another at the same time waits too."""
    await tx.execute(_ONE_AT_A_TIME, {"author": author})
    return int((await tx.execute(_UNANSWERED, {"notice": notice_id, "author": author})).scalar_one())


async def page(
    tx: AsyncConnection, kind: Of, of: str | UUID | None, after: tuple[datetime, UUID] | None, limit: int,
    state: str | None = None,
) -> list[Comment]:  # fmt: skip
    """Newest first: what everybody may read of a notice, one's own, an institution's in a state, the moderators' queue."""
    at, id_ = after or (None, None)
    named = ({"of": of} if of is not None else {}) | ({"state": state} if state is not None else {})
    rows = await tx.execute(_PAGES[kind], {**named, "at": at, "id": id_, "limit": limit + 1})
    return [_comment(row) for row in rows]


async def report(tx: AsyncConnection, comment_id: UUID, reporter: str, reason: str, at: datetime) -> bool:
    """False where this person reported this comment before."""
    values = {"comment": comment_id, "reporter": reporter, "reason": reason, "at": at}
    return (await tx.execute(_REPORT, values)).first() is not None


async def reports(tx: AsyncConnection, ids: list[UUID]) -> dict[UUID, dict[str, int]]:
    """How often each was reported, by reason; never by whom."""
    found: dict[UUID, dict[str, int]] = {id_: {} for id_ in ids}
    for row in await tx.execute(_REPORTS, {"ids": ids}):
        found[row.comment_id][row.reason] = row.times
    return found


async def note(tx: AsyncConnection, comment: Comment, act: str, by: str, reason: str) -> None:
    values = {"comment": comment.id, "act": act, "by": by, "reason": reason, "at": comment.changed_at}
    await tx.execute(_NOTE, values)
