"""What the API of spaces takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from services.spaces.facilities.domain import (
    MOST_UNITS,
    Approval,
    PricePer,
    Space,
    SpaceKind,
    Terms,
    usual_expiry,
    usual_units,
)
from shared.offers.models import Description, Headline, Interests, Krw, OfferView, PlaceBody, Radius, about
from shared.web.bodies import Body, Edit, Moment, Number

Capacity = Annotated[int, Field(ge=1, le=10_000, description="how many people at once"), Number]
Accessibility = Annotated[
    str,
    StringConstraints(min_length=1, max_length=1_000, strip_whitespace=True),
    Field(description="step-free access, lift, accessible toilet, hearing loop"),
]
Units = Annotated[int, Field(ge=1, le=MOST_UNITS, description="desks or seats, each booked for itself"), Number]
Amenities = Annotated[
    tuple[Annotated[str, StringConstraints(min_length=1, max_length=60, strip_whitespace=True)], ...],
    Field(max_length=30, description="빔프로젝터, 화이트보드, 와이파이, …"),
]
Photos = Annotated[
    tuple[Annotated[str, StringConstraints(pattern=r"^https://[^\s]+$", max_length=500)], ...],
    Field(max_length=10, description="links to pictures"),
]
Buffer = Annotated[int, Field(ge=0, le=240, description="minutes kept free around each booking"), Number]
Length = Annotated[int, Field(ge=5, le=10_080, description="minutes"), Number]
Lead = Annotated[
    int, Field(ge=0, le=43_200, description="minutes before the start a booking is made at the latest"), Number
]
Ahead = Annotated[int, Field(ge=1, le=366, description="days ahead a booking may begin"), Number]


class PriceBody(Body):
    """0 is free."""

    amount_krw: Krw = 0
    per: PricePer = "hour"


class SpaceDraft(Body):
    """A new space."""

    headline: Headline
    description: Description = ""
    place: PlaceBody
    radius_m: Radius = 700
    space_kind: SpaceKind
    capacity: Capacity
    price: PriceBody = PriceBody()
    accessibility: Accessibility | None = None
    interests: Interests = ()
    opens_at: Moment | None = Field(default=None, description="at once when left out")
    closes_at: Moment | None = None
    expires_at: Moment | None = Field(
        default=None, description="30 days after opening when left out, closes_at at the latest"
    )

    units: Units | None = Field(
        default=None, description="a room is 1; desks and seats as many as capacity when left out"
    )
    amenities: Amenities = ()
    photos: Photos = ()
    before_min: Buffer = 0
    after_min: Buffer = 0
    min_minutes: Length = 30
    max_minutes: Length = 1_440
    lead_minutes: Lead = 0
    ahead_days: Ahead = 90
    approval: Approval = "instant"

    def terms(self, now: datetime) -> Terms:
        return Terms(
            self.headline, self.description, self.place.place(), self.radius_m, self.space_kind, self.capacity,
            self.price.amount_krw, self.price.per, self.accessibility, self.interests, self.opens_at, self.closes_at,
            self.expires_at or usual_expiry(self.opens_at, self.closes_at, now),
            self.units or usual_units(self.space_kind, self.capacity), self.amenities, self.photos, self.before_min,
            self.after_min, self.min_minutes, self.max_minutes, self.lead_minutes, self.ahead_days, self.approval,
        )  # fmt: skip


class SpaceEdit(Edit):
    """Only what is to change."""

    CLEARABLE: ClassVar[frozenset[str]] = frozenset({"accessibility", "opens_at", "closes_at"})

    headline: Headline | None = None
    description: Description | None = None
    place: PlaceBody | None = None
    radius_m: Radius | None = None
    space_kind: SpaceKind | None = None
    capacity: Capacity | None = None
    price: PriceBody | None = None
    accessibility: Accessibility | None = None
    interests: Interests | None = None
    opens_at: Moment | None = None
    closes_at: Moment | None = None
    expires_at: Moment | None = None
    units: Units | None = None
    amenities: Amenities | None = None
    photos: Photos | None = None
    before_min: Buffer | None = None
    after_min: Buffer | None = None
    min_minutes: Length | None = None
    max_minutes: Length | None = None
    lead_minutes: Lead | None = None
    ahead_days: Ahead | None = None
    approval: Approval | None = None

    def of_terms(self) -> dict[str, Any]:
        """The changes as `Terms` names them."""
        changes = self.changes()
        if self.place is not None:
            changes["place"] = self.place.place()
        if changes.pop("price", None) is not None and self.price is not None:
            changes |= {"price_krw": self.price.amount_krw, "price_per": self.price.per}
        return changes


class SpaceView(OfferView):
    """A space as anybody may see it."""

    headline: str
    description: str
    place: PlaceBody
    radius_m: int
    space_kind: SpaceKind
    capacity: int
    price: PriceBody
    accessibility: str | None
    interests: tuple[str, ...]
    opens_at: datetime | None
    closes_at: datetime | None
    expires_at: datetime
    units: int
    amenities: tuple[str, ...]
    photos: tuple[str, ...]
    before_min: int
    after_min: int
    min_minutes: int
    max_minutes: int
    lead_minutes: int
    ahead_days: int
    approval: Approval

    @classmethod
    def of(cls, space: Space) -> SpaceView:
        terms = space.terms
        same = {name: getattr(terms, name) for name in cls.model_fields if hasattr(terms, name) and name != "place"}
        price = PriceBody(amount_krw=terms.price_krw, per=terms.price_per)
        return cls(**about(space), **same, place=PlaceBody.of(terms.place), price=price)
