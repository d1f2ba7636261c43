"""What the API of job postings takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from services.jobs.postings.domain import JobPosting, PayPer, Place, Terms
from shared.contracts.base import Lat, Lon, Slug
from shared.contracts.posting import MAX_RADIUS_M

Headline = Annotated[str, StringConstraints(min_length=2, max_length=200, strip_whitespace=True)]
Description = Annotated[str, StringConstraints(max_length=5_000, strip_whitespace=True)]
Radius = Annotated[int, Field(ge=50, le=MAX_RADIUS_M, description="metres; 700 is a ten-minute walk")]
Interests = Annotated[tuple[Slug, ...], Field(max_length=20)]
PayKrw = Annotated[int, Field(ge=0, le=10_000_000)]
Slots = Annotated[int, Field(ge=1, le=1_000)]
Age = Annotated[int, Field(ge=0, le=120)]


class Body(BaseModel):
    """A request body: a field that is not known is refused, so that a slip of the pen is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PlaceBody(Body):
    name: Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
    address: Annotated[str, StringConstraints(max_length=300)] | None = None
    lat: Lat
    lon: Lon


class PayBody(Body):
    amount_krw: PayKrw
    per: PayPer = "hour"


class PostingDraft(Body):
    """A new posting."""

    headline: Headline
    description: Description = ""
    place: PlaceBody
    radius_m: Radius = 700
    interests: Interests = ()
    min_age: Age | None = None
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    expires_at: AwareDatetime | None = Field(default=None, description="the start of the work when left out")
    pay: PayBody
    slots: Slots = 1
    urgent: bool = False

    def terms(self) -> Terms:
        place = Place(self.place.name, self.place.address, self.place.lat, self.place.lon)
        return Terms(
            self.headline, self.description, place, self.radius_m, self.interests, self.min_age, self.starts_at,
            self.ends_at, self.expires_at, self.pay.amount_krw, self.pay.per, self.slots, self.urgent,
        )  # fmt: skip


class PostingEdit(Body):
    """Only what is to change."""

    headline: Headline | None = None
    description: Description | None = None
    place: PlaceBody | None = None
    radius_m: Radius | None = None
    interests: Interests | None = None
    min_age: Age | None = None
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None
    pay: PayBody | None = None
    slots: Slots | None = None
    urgent: bool | None = None

    def as_changes(self, terms: Terms) -> dict[str, Any]:
        """The named fields as `Terms` names them. Null clears `min_age`; elsewhere it means unchanged."""
        changes = {name: getattr(self, name) for name in self.model_fields_set}
        changes = {name: value for name, value in changes.items() if value is not None or name == "min_age"}
        if "place" in changes:
            changes["place"] = Place(**changes["place"].model_dump())
        if "pay" in changes:
            pay = changes.pop("pay")
            changes |= {"pay_krw": pay.amount_krw, "pay_per": pay.per}
        if "expires_at" not in changes and terms.expires_at == terms.starts_at and "starts_at" in changes:
            changes["expires_at"] = changes["starts_at"]
        return changes


class Closing(Body):
    reason: Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


class JobView(BaseModel):
    """A posting as anybody may see it."""

    id: UUID
    version: int
    urgency_epoch: int
    status: Literal["open", "closed"]
    closed_because: str | None
    institution: str
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
    created_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, job: JobPosting) -> JobView:
        terms, place = job.terms, job.terms.place
        return cls(
            id=job.id, version=job.version, urgency_epoch=job.urgency_epoch, status=job.status,
            closed_because=job.closed_because, institution=job.institution, headline=terms.headline,
            description=terms.description, radius_m=terms.radius_m, interests=terms.interests, min_age=terms.min_age,
            place=PlaceBody(name=place.name, address=place.address, lat=place.lat, lon=place.lon),
            starts_at=terms.starts_at, ends_at=terms.ends_at, expires_at=job.expires_at, slots=terms.slots,
            pay=PayBody(amount_krw=terms.pay_krw, per=terms.pay_per), urgent=terms.urgent,
            created_at=job.created_at, changed_at=job.changed_at,
        )  # fmt: skip
