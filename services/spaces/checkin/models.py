"""What the API of checking in, waiting and penalties takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import Row

from services.spaces.bookings.domain import Wish
from services.spaces.bookings.models import People
from services.spaces.calendars.domain import Span
from services.spaces.checkin.domain import Point, Waiting
from shared.contracts.posting import veiled
from shared.contracts.space import WaitingState
from shared.web.bodies import Body, Moment


class WaitingBody(Body):
    """A time that is taken and still wanted."""

    starts_at: Moment
    ends_at: Moment
    people: People = 1

    def wish(self) -> Wish:
        return Wish(Span(self.starts_at, self.ends_at), self.people)


class WaitingView(BaseModel):
    """A place in the line; once offered, `booking_id` is the hold to confirm until `offered_until`."""

    id: UUID
    space_id: UUID
    version: int
    state: WaitingState
    starts_at: datetime
    ends_at: datetime
    people: int
    booking_id: UUID | None
    offered_until: datetime | None
    created_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, waiting: Waiting) -> WaitingView:
        return cls(**{name: getattr(waiting, name) for name in cls.model_fields})


class PointView(BaseModel):
    id: UUID
    booking_id: UUID
    institution: str
    given_at: datetime
    lapses_at: datetime
    waived_at: datetime | None
    waived_because: str | None

    @classmethod
    def of(cls, point: Point) -> PointView:
        return cls(**{name: getattr(point, name) for name in cls.model_fields})


class PenaltiesView(BaseModel):
    """My penalty points: those that count now, and until when I may book nothing."""

    points: list[PointView]
    live: int
    suspends_at: int = Field(description="so many live points suspend")
    suspended_until: datetime | None


class NoShowView(BaseModel):
    """A point as an officer of the institution sees it."""

    id: UUID
    booking_id: UUID
    space_id: UUID
    starts_at: datetime
    citizen: str = Field(description="the same person within this space, nobody anywhere else")
    given_at: datetime
    lapses_at: datetime
    waived_at: datetime | None
    waived_because: str | None

    @classmethod
    def of(cls, row: Row[Any]) -> NoShowView:
        same = {name: getattr(row, name) for name in cls.model_fields if name != "citizen"}
        return cls(**same, citizen=veiled(row.space_id, row.citizen_id))
