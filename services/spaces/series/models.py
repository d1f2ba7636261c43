"""What the API of series takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import Row

from services.spaces.bookings.models import Name, People, Purpose, Reason
from services.spaces.series.domain import DateResult, Result, Series
from shared.contracts.space import BookingState
from shared.web.bodies import Body, Moment

Rule = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, strip_whitespace=True),
    Field(description="RFC 5545: FREQ=WEEKLY;BYDAY=MO,WE;COUNT=10 – with COUNT or UNTIL, at most 100 dates in a year"),
]


class SeriesBody(Body):
    """A time that is wanted again and again; days and times of day are Korea's."""

    starts_at: Moment
    ends_at: Moment
    rrule: Rule
    holidays: Literal["skip", "keep"] = Field(default="skip", description="skip dates that are public holidays")
    conflicts: Literal["skip", "refuse"] = Field(
        default="skip", description="skip dates that cannot be had, or refuse all"
    )
    preview: Literal["book", "look"] = Field(
        default="book", description="look: say what would become of each date, book none"
    )
    people: People = 1
    name: Name | None = None
    purpose: Purpose | None = None
    subscription_id: UUID | None = None


class SeriesCancel(Body):
    """`one` date, it and all `following`, or `all` that are to come."""

    scope: Literal["one", "following", "all"]
    starts_at: Moment | None = Field(default=None, description="which date, for one and following")
    reason: Reason


class DateView(BaseModel):
    """What became of one date when the series was made; `state` is its booking's now."""

    n: int
    starts_at: datetime
    ends_at: datetime
    result: Result
    rule: str | None
    detail: str | None
    booking_id: UUID | None
    state: BookingState | None = None

    @classmethod
    def of(cls, date: DateResult | Row[Any]) -> DateView:
        return cls(**{name: getattr(date, name, None) for name in cls.model_fields})


class SeriesView(BaseModel):
    id: UUID
    space_id: UUID
    rrule: str
    starts_at: datetime
    ends_at: datetime
    holidays: Literal["skip", "keep"]
    created_at: datetime
    booked: int
    dates: list[DateView]

    @classmethod
    def of(cls, series: Series, dates: list[DateView]) -> SeriesView:
        own = {name: getattr(series, name) for name in cls.model_fields if hasattr(series, name)}
        return cls(**own, booked=sum(date.result == "booked" for date in dates), dates=dates)
