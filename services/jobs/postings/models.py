"""What the API of job postings takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import Field

from services.jobs.postings.domain import Approval, JobPosting, PayPer, Terms
from shared.contracts.base import Slug
from shared.offers.models import Description, Headline, Interests, Krw, OfferView, PlaceBody, Radius, about
from shared.web.bodies import Body, Edit, Moment, Number, YesNo

Slots = Annotated[int, Field(ge=1, le=1_000), Number]
Age = Annotated[int, Field(ge=0, le=120), Number]
PieceMinutes = Annotated[int, Field(ge=1, le=1_440), Number]


class PayBody(Body):
    amount_krw: Krw
    per: PayPer = "hour"
    minutes_per_piece: PieceMinutes | None = Field(
        default=None, description="how long a piece takes, where pay is per piece"
    )


class PostingDraft(Body):
    """A new posting."""

    headline: Headline
    description: Description = ""
    place: PlaceBody
    radius_m: Radius = 700
    interests: Interests = ()
    min_age: Age | None = None
    starts_at: Moment
    ends_at: Moment
    expires_at: Moment | None = Field(default=None, description="the start of the work when left out")
    pay: PayBody
    slots: Slots = 1
    urgent: YesNo = False
    category: Slug | None = Field(default=None, description="one of GET /rules/categories")
    approval: Approval = Field(default="instant", description="officer: the institution chooses among those who apply")
    not_a_duplicate: YesNo = Field(default=False, description="the poster has looked: this is not the one already open")

    def terms(self, series_id: UUID | None = None) -> Terms:
        return Terms(
            self.headline, self.description, self.place.place(), self.radius_m, self.interests, self.min_age,
            self.starts_at, self.ends_at, self.expires_at or self.starts_at, self.pay.amount_krw, self.pay.per,
            self.slots, self.urgent, self.category, self.approval, self.pay.minutes_per_piece, series_id,
        )  # fmt: skip


class PostingEdit(Edit):
    """Only what is to change."""

    CLEARABLE: ClassVar[frozenset[str]] = frozenset({"min_age", "category"})

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

    def of_terms(self) -> dict[str, Any]:
        """The changes as `Terms` names them."""
        changes = self.changes()
        if self.place is not None:
            changes["place"] = self.place.place()
        if changes.pop("pay", None) is not None and self.pay is not None:
            pay = self.pay
            changes |= {"pay_krw": pay.amount_krw, "pay_per": pay.per, "piece_minutes": pay.minutes_per_piece}
        return changes


class JobView(OfferView):
    """A posting as anybody may see it."""

    headline: str
    description: str
    place: PlaceBody
    radius_m: int
    interests: tuple[str, ...]
    min_age: int | None
    starts_at: datetime
    ends_at: datetime
    expires_at: datetime
    pay: PayBody
    slots: int
    urgent: bool
    category: str | None
    approval: Approval
    series_id: UUID | None
    cancelled: bool

    @classmethod
    def of(cls, job: JobPosting) -> JobView:
        terms = job.terms
        return cls(
            **about(job), headline=terms.headline, description=terms.description, place=PlaceBody.of(terms.place),
            radius_m=terms.radius_m, interests=terms.interests, min_age=terms.min_age, starts_at=terms.starts_at,
            ends_at=terms.ends_at, expires_at=terms.expires_at, slots=terms.slots, urgent=terms.urgent,
            category=terms.category, approval=terms.approval, series_id=terms.series_id, cancelled=terms.cancelled,
            pay=PayBody(amount_krw=terms.pay_krw, per=terms.pay_per, minutes_per_piece=terms.piece_minutes),
        )  # fmt: skip
