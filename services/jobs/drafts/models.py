"""Drafts and templates: parts of a posting that an institution keeps."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from services.jobs.postings.domain import Approval
from services.jobs.postings.models import Age, PayBody, Slots
from shared.contracts.base import Slug
from shared.offers.models import Description, Headline, Interests, PlaceBody, Radius
from shared.web.bodies import Body, Moment, YesNo


class PostingPart(Body):
    """Whatever of a posting is known already."""

    headline: Headline | None = None
    description: Description | None = None
    place: PlaceBody | None = None
    radius_m: Radius | None = None
    interests: Interests | None = None
    min_age: Age | None = None
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    expires_at: Moment | None = None
    pay: PayBody | None = None
    slots: Slots | None = None
    urgent: YesNo | None = None
    category: Slug | None = None
    approval: Approval | None = None
    not_a_duplicate: YesNo | None = None

    def given(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude_none=True)


class DraftBody(Body):
    """A draft; with `keep` a template, which posting from it does not use up."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
    keep: YesNo = Field(default=False, description="a template: stays when it is posted from")
    posting: PostingPart = PostingPart()


class DraftView(BaseModel):
    id: UUID
    name: str
    keep: bool
    version: int
    posting: PostingPart
    changed_at: datetime
