"""Comments of citizens to an institution: who sees them, answering, hiding (N8). Pure: the time is passed in.

A comment is between its author and the institution until it is answered; then anybody may read both, and nobody learns who
asked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.notices.publishing.domain import Notice
from shared.contracts import Answered
from shared.rules import Conflict

State = Literal["open", "answered", "hidden"]
Act = Literal["hide", "restore", "keep"]
Reason = Literal["insult", "personal-data", "advertising", "off-topic", "other"]
MOST_UNANSWERED = 3
MY_COMMENTS = "/api/notices/my-comments"


@dataclass(frozen=True)
class Comment:
    """One comment and its answer. `reported` while moderation has not looked."""

    id: UUID
    notice_id: UUID
    institution: str
    author: str
    version: int
    state: State
    body: str
    answer: str | None
    answered_at: datetime | None
    reported: bool
    created_at: datetime
    changed_at: datetime


def asked(id_: UUID, notice: Notice, author: str, body: str, unanswered: int, now: datetime) -> Comment:
    """A new comment on what is still open; at most three of one citizen on one notice wait for an answer. Raises Conflict."""
    if notice.status == "closed":
        raise Conflict("notice_id", "closed", "what is closed takes no comments")
    if unanswered >= MOST_UNANSWERED:
        raise Conflict("notice_id", "wait-for-answer", f"{MOST_UNANSWERED} comments of yours wait for an answer")
    return Comment(id_, notice.id, notice.institution, author, 1, "open", body, None, None, False, now, now)


def answered(comment: Comment, answer: str, now: datetime) -> Comment:
    """With the institution's answer, which may be given anew. Raises Conflict for what moderation hid."""
    if comment.state == "hidden":
        raise Conflict("state", "hidden", "moderation hid this comment")
    if comment.answer == answer:
        return comment
    version = comment.version + 1
    return replace(comment, state="answered", answer=answer, answered_at=now, version=version, changed_at=now)


def as_event(comment: Comment, about: Notice) -> Answered:
    """What the platform learns of an answer: whom to tell that there is one, and where to read it."""
    return Answered(
        comment_id=comment.id, version=comment.version, citizen_id=comment.author, notice_id=comment.notice_id,
        headline=about.terms.headline, institution=comment.institution, link=MY_COMMENTS, answered_at=comment.changed_at,
    )  # fmt: skip


def reported(comment: Comment) -> Comment:
    """In the moderators' queue, unless they decided on it as it is already. Raises Conflict."""
    if comment.state != "answered":
        raise Conflict("state", "not-public", "only what everybody may read is reported")
    return replace(comment, reported=True)


def moderated(comment: Comment, act: Act, now: datetime) -> Comment:
    """Hidden from everybody but its author, restored, or kept as it is; no longer in the queue. Raises Conflict."""
    if act == "hide" and comment.state == "hidden":
        return comment
    if (act == "restore") != (comment.state == "hidden"):
        raise Conflict("state", "not-now", f"a comment that is {comment.state} cannot be followed by {act}")
    back: State = "answered" if comment.answer is not None else "open"
    state: State = {"hide": "hidden", "restore": back, "keep": comment.state}[act]
    return replace(comment, state=state, reported=False, version=comment.version + 1, changed_at=now)
