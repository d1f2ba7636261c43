"""What the APIs of offers take and give alike."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field, StringConstraints

from shared.contracts.base import Slug
from shared.contracts.posting import MAX_RADIUS_M
from shared.offers.domain import Offer, Place, Status
from shared.web.bodies import Body, Latitude, Longitude, Number

Headline = Annotated[str, StringConstraints(min_length=2, max_length=200, strip_whitespace=True)]
Description = Annotated[str, StringConstraints(max_length=5_000, strip_whitespace=True)]
Radius = Annotated[int, Field(ge=50, le=MAX_RADIUS_M, description="metres; 700 is a ten-minute walk"), Number]
Interests = Annotated[tuple[Slug, ...], Field(max_length=20)]
Krw = Annotated[int, Field(ge=0, le=10_000_000), Number]


class PlaceBody(Body):
    name: Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
    address: Annotated[str, StringConstraints(max_length=300)] | None = None
    lat: Latitude
    lon: Longitude

    def place(self) -> Place:
        return Place(self.name, self.address, self.lat, self.lon)

    @classmethod
    def of(cls, place: Place) -> PlaceBody:
        return cls(name=place.name, address=place.address, lat=place.lat, lon=place.lon)


class Closing(Body):
    reason: Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


class Listing(Body):
    """Which offers a list holds. `open` leaves out what has expired."""

    status: Literal["open", "closed", "all"] = "open"
    institution: Annotated[str, Field(max_length=100)] | None = None
    interest: Annotated[str, Field(max_length=40)] | None = None
    limit: int = Field(50, ge=1, le=200, description="how many at most")
    cursor: str | None = Field(None, max_length=200, description="next_cursor of the page before")


Wanted = Annotated[Listing, Query()]


class OfferView(BaseModel):
    """An offer as anybody may see it; each service adds its terms."""

    id: UUID
    version: int
    urgency_epoch: int
    status: Status
    closed_because: str | None
    institution: str
    created_at: datetime
    changed_at: datetime


def about(offer: Offer[Any]) -> dict[str, Any]:
    """The fields of OfferView."""
    return {name: getattr(offer, name) for name in OfferView.model_fields}
