"""What the API of bookings takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from services.spaces.bookings.domain import Booking, Wish
from services.spaces.calendars.domain import Span
from shared.contracts.posting import veiled
from shared.contracts.space import BookingState
from shared.web.bodies import Body, Edit, Moment, Number

Reason = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=50, strip_whitespace=True)]
Purpose = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
People = Annotated[int, Field(ge=1, le=10_000), Number]


class BookingBody(Body):
    """A time that is wanted; whole minutes, the end not inside, so that one booking's end may be the next one's start."""

    starts_at: Moment
    ends_at: Moment
    people: People = 1
    name: Name | None = Field(default=None, description="whom the officer is to expect")
    purpose: Purpose | None = None
    subscription_id: UUID | None = Field(default=None, description="pay with this subscription's hours or seat")

    def wish(self) -> Wish:
        return Wish(Span(self.starts_at, self.ends_at), self.people, self.name, self.purpose, self.subscription_id)


class BookingEdit(Edit):
    """Only what is to change. Other times are checked as a new booking's are, on the unit that it has or another."""

    CLEARABLE: ClassVar[frozenset[str]] = frozenset({"name", "purpose"})

    starts_at: Moment | None = None
    ends_at: Moment | None = None
    people: People | None = None
    name: Name | None = None
    purpose: Purpose | None = None


class Because(Body):
    reason: Reason


class BookingView(BaseModel):
    """A booking as its citizen sees it."""

    id: UUID
    space_id: UUID
    institution: str
    version: int
    state: BookingState
    starts_at: datetime
    ends_at: datetime
    hold_until: datetime | None
    extensions: int
    people: int
    name: str | None
    purpose: str | None
    price_krw: int
    subscription_id: UUID | None
    credit_minutes: int
    series_id: UUID | None
    checked_in_at: datetime | None
    ended_at: datetime | None
    because: str | None
    created_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, booking: Booking) -> BookingView:
        return cls(**{name: getattr(booking, name) for name in cls.model_fields})


class QueuedView(BaseModel):
    """A booking as an officer of its institution sees it: what deciding needs, never who they are elsewhere."""

    id: UUID
    space_id: UUID
    version: int
    state: BookingState
    starts_at: datetime
    ends_at: datetime
    people: int
    name: str | None
    purpose: str | None
    citizen: str = Field(description="the same person within this space, nobody anywhere else")
    series_id: UUID | None
    because: str | None
    created_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, booking: Booking) -> QueuedView:
        same: dict[str, Any] = {n: getattr(booking, n) for n in cls.model_fields if n != "citizen"}
        return cls(**same, citizen=veiled(booking.space_id, booking.citizen_id))


class WindowView(BaseModel):
    starts_at: datetime
    ends_at: datetime


class OtherSpace(BaseModel):
    """Another space that is free at the time wanted. `distance_m` is a bucket from the one that is not."""

    space_id: UUID
    headline: str
    place: str
    distance_m: int
    price_krw: int
    price_per: str
    link: str


class Alternatives(BaseModel):
    """The nearest other times here, the nearest other spaces at that time."""

    other_times: list[WindowView]
    other_spaces: list[OtherSpace]
