"""What the API of spaces takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from services.spaces.facilities.domain import PricePer, Space, SpaceKind, Terms, usual_expiry
from shared.offers.models import Description, Headline, Interests, Krw, OfferView, PlaceBody, Radius, about
from shared.web.bodies import Body, Edit, Moment, Number

Capacity = Annotated[int, Field(ge=1, le=10_000, description="how many people at once"), Number]
Accessibility = Annotated[
    str,
    StringConstraints(min_length=1, max_length=1_000, strip_whitespace=True),
    Field(description="step-free access, lift, accessible toilet, hearing loop"),
]


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

    def terms(self, now: datetime) -> Terms:
        return Terms(
            self.headline, self.description, self.place.place(), self.radius_m, self.space_kind, self.capacity,
            self.price.amount_krw, self.price.per, self.accessibility, self.interests, self.opens_at, self.closes_at,
            self.expires_at or usual_expiry(self.opens_at, self.closes_at, now),
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

    @classmethod
    def of(cls, space: Space) -> SpaceView:
        terms = space.terms
        return cls(
            **about(space), headline=terms.headline, description=terms.description, place=PlaceBody.of(terms.place),
            radius_m=terms.radius_m, space_kind=terms.space_kind, capacity=terms.capacity,
            price=PriceBody(amount_krw=terms.price_krw, per=terms.price_per), accessibility=terms.accessibility,
            interests=terms.interests, opens_at=terms.opens_at, closes_at=terms.closes_at, expires_at=terms.expires_at,
        )  # fmt: skip
