"""What the API of drafts takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from services.notices.drafts.domain import Draft, State
from services.notices.publishing.models import NoticeDraft
from shared.web.bodies import Body, Moment


class DraftEdit(Body):
    """The whole notice, and when it is to be told."""

    notice: NoticeDraft
    publish_at: Moment | None = Field(
        default=None, description="when it is told; as soon as it is approved when left out"
    )


class DraftBody(DraftEdit):
    revises: UUID | None = Field(default=None, description="the published notice that this is a new text of")


class Returning(Body):
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]


class ActView(BaseModel):
    """Who did what to a draft; `-` is the clock."""

    act: str
    by_whom: str
    note: str
    at: datetime


class DraftView(BaseModel):
    """A draft as its institution sees it. `because` says why it came back."""

    id: UUID
    notice_id: UUID
    base_version: int | None
    version: int
    state: State
    notice: NoticeDraft
    publish_at: datetime | None
    writers: tuple[str, ...]
    submitted_by: str | None
    approved_by: str | None
    because: str | None
    created_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, draft: Draft) -> DraftView:
        same = {name: getattr(draft, name) for name in DraftView.model_fields if name not in ("notice", "acts")}
        return cls(**same, notice=NoticeDraft.model_validate(draft.content))


class WholeDraftView(DraftView):
    acts: list[ActView] = []
