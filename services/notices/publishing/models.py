"""What the API of notices takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from services.notices.publishing.domain import PUBLISHED_FOR, Notice, Terms, current_codes
from shared.contracts.posting import Circle, Where
from shared.geo import District
from shared.offers.models import Headline, Interests, OfferView, Radius, about
from shared.web.bodies import Body, Edit, Latitude, Longitude, Moment, YesNo

NoticeText = Annotated[str, StringConstraints(min_length=1, max_length=10_000, strip_whitespace=True)]
Channel = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
DongCode = Annotated[str, Field(max_length=20, description="행정동 code, the one since 2026-07 or the one before")]


class CircleBody(Body):
    lat: Latitude
    lon: Longitude
    radius_m: Radius = 700


class TargetBody(Body):
    """Circles or 행정동 or both, at least one: inside any of them is inside."""

    circles: tuple[CircleBody, ...] = Field(default=(), max_length=20)
    dongs: tuple[DongCode, ...] = Field(default=(), max_length=42)

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if not self.circles and not self.dongs:
            raise PydanticCustomError("no-target", "a notice needs at least one circle or one 행정동")
        return self

    def where(self, district: District) -> Where:
        circles = tuple(Circle(lat=c.lat, lon=c.lon, radius_m=c.radius_m) for c in self.circles)
        return Where(circles=circles, dongs=current_codes(self.dongs, district))

    @classmethod
    def of(cls, where: Where) -> TargetBody:
        return cls(circles=tuple(CircleBody(**c.model_dump()) for c in where.circles), dongs=where.dongs)


class NoticeDraft(Body):
    """A new notice."""

    headline: Headline
    body: NoticeText
    target: TargetBody
    topics: Interests = ()
    channel: Channel | None = Field(default=None, description="the institution when left out")
    urgent: YesNo = False
    expires_at: Moment | None = Field(default=None, description="14 days from now when left out")

    def terms(self, institution: str, district: District, now: datetime) -> Terms:
        return Terms(
            self.headline, self.body, self.target.where(district), self.topics, self.channel or institution,
            self.urgent, self.expires_at or now + PUBLISHED_FOR,
        )  # fmt: skip


class NoticeEdit(Edit):
    """Only what is to change; a target replaces the whole target."""

    headline: Headline | None = None
    body: NoticeText | None = None
    target: TargetBody | None = None
    topics: Interests | None = None
    channel: Channel | None = None
    urgent: YesNo | None = None
    expires_at: Moment | None = None

    def of_terms(self, district: District) -> dict[str, Any]:
        """The changes as `Terms` names them."""
        changes = self.changes()
        if self.target is not None:
            changes["target"] = self.target.where(district)
        if "topics" in changes:
            changes["interests"] = changes.pop("topics")
        return changes


class NoticeView(OfferView):
    """A notice as anybody may see it. A version above 1 that is open was edited ("수정됨")."""

    headline: str
    body: str
    target: TargetBody
    topics: tuple[str, ...]
    channel: str
    urgent: bool
    expires_at: datetime

    @classmethod
    def of(cls, notice: Notice) -> NoticeView:
        terms = notice.terms
        return cls(
            **about(notice), headline=terms.headline, body=terms.body, target=TargetBody.of(terms.target),
            topics=terms.interests, channel=terms.channel, urgent=terms.urgent, expires_at=terms.expires_at,
        )  # fmt: skip
