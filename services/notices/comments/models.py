"""What the API of comments takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, StringConstraints

from services.notices.comments.domain import Comment, Reason, State
from shared.web.bodies import Body


class CommentBody(Body):
    body: Annotated[str, StringConstraints(min_length=2, max_length=1_000, strip_whitespace=True)]


class AnswerBody(Body):
    answer: Annotated[str, StringConstraints(min_length=1, max_length=2_000, strip_whitespace=True)]


class ReportBody(Body):
    reason: Reason


class ActBody(Body):
    reason: Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


class CommentView(BaseModel):
    """A comment and its answer, without who asked."""

    id: UUID
    notice_id: UUID
    version: int
    body: str
    answer: str | None
    answered_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, comment: Comment) -> CommentView:
        return cls.model_validate(comment, from_attributes=True)


class OwnCommentView(CommentView):
    """As its author and the institution see it."""

    state: State

    @classmethod
    def of(cls, comment: Comment) -> OwnCommentView:
        return cls.model_validate(comment, from_attributes=True)


class ReportedView(OwnCommentView):
    """As moderation sees it: how often it was reported, and why."""

    institution: str
    reports: dict[Reason, int]
