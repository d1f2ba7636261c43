"""What the API of trust takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from services.jobs.claims.models import Reason
from services.jobs.trust.domain import MOST_TAGS, Profile, Review, Side
from shared.contracts.base import Slug
from shared.web.bodies import Body, YesNo


class ReviewBody(Body):
    """Tags rather than stars; the vocabulary is in the answer to a tag that is not in it."""

    tags: Annotated[tuple[Slug, ...], Field(max_length=MOST_TAGS)] = ()
    recommends: YesNo
    comment: Annotated[str, StringConstraints(max_length=500, strip_whitespace=True)] = ""


class Decision(Body):
    hide: YesNo
    reason: Reason


class ReviewView(BaseModel):
    """A review as one side sees it; the other side's only once it is shown."""

    id: UUID
    claim_id: UUID
    by: Side
    state: Literal["sealed", "revealed", "hidden"]
    tags: tuple[str, ...]
    recommends: bool
    comment: str
    appeal: str | None
    decided_because: str | None
    created_at: datetime
    shown_at: datetime | None

    @classmethod
    def of(cls, review: Review, *, shown: bool) -> ReviewView:
        same: dict[str, Any] = {name: getattr(review, name) for name in cls.model_fields if name != "shown_at"}
        state = "revealed" if shown and review.state == "sealed" else review.state
        return cls(**{**same, "state": state}, shown_at=review.changed_at if shown else None)


class ProfileView(BaseModel):
    """Trust earned. Rates are shares from 0 to 1, null where there is nothing to tell."""

    finished_jobs: int
    hours: float
    rehire_rate: float | None
    punctuality: float | None
    recommendations: int
    reviews: int
    tags: dict[str, int]
    no_shows: int
    late_dropouts: int
    badges: tuple[str, ...]

    @classmethod
    def of(cls, profile: Profile) -> ProfileView:
        return cls(
            **{name: getattr(profile, name) for name in cls.model_fields if name != "tags"}, tags=dict(profile.tags)
        )


class SignedSummary(BaseModel):
    """경력 요약: a JWS that anybody can check against GET /profile-keys."""

    jws: str
    expires_at: datetime


class JwsBody(Body):
    jws: Annotated[str, StringConstraints(min_length=10, max_length=8_000)]


class Checked(BaseModel):
    valid: bool
    summary: dict[str, Any] | None = None


class Keys(BaseModel):
    keys: list[dict[str, Any]]
