"""What the API of availability takes and gives. Never whose a booking is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field

from services.spaces.availability.domain import FreeTime, SpaceTimes, free_times
from services.spaces.bookings.domain import check_years
from services.spaces.calendars.domain import Span
from services.spaces.facilities.domain import SpaceKind
from shared.contracts.base import Lat, Lon
from shared.rules import Refused
from shared.web.bodies import Body, Moment

MOST_DAYS = 31
WEEK = timedelta(days=7)


class Range(Body):
    """A week from now, unless said; at most 31 days."""

    since: Moment | None = None
    until: Moment | None = None

    def span(self, now: datetime) -> Span:
        """Raises Refused for a range that is reversed or too long."""
        try:
            since = self.since or now
            until = self.until or since + WEEK
        except OverflowError:
            raise Refused("since", "time-range", "달력 밖의 시각입니다 / outside the calendar") from None
        check_years(Span(since, until))
        if until <= since:
            raise Refused("until", "reversed", "끝이 시작보다 늦어야 합니다 / a range ends after it begins")
        if until - since > timedelta(days=MOST_DAYS):
            raise Refused("until", "too-long", f"{MOST_DAYS}일까지 볼 수 있습니다 / at most so many days at once")
        return Span(since, until)


class Listed(Range):
    """Which spaces, and for which time."""

    institution: Annotated[str, Field(max_length=100)] | None = None
    space_kind: SpaceKind | None = None
    limit: int = Field(100, ge=1, le=500, description="how many spaces at most")
    cursor: str | None = Field(None, max_length=200, description="next_cursor of the page before")


class Near(Body):
    """Around which point; a straight line of 700 m is a ten-minute walk."""

    lat: Lat
    lon: Lon
    radius_m: int = Field(700, ge=50, le=2_000, description="metres; the rim is inside")
    minutes: int | None = Field(
        None, ge=5, le=1_440, description="free for so long at least; the space's shortest if unsaid"
    )
    space_kind: SpaceKind | None = None


WantedRange = Annotated[Range, Query()]
WantedList = Annotated[Listed, Query()]
WantedNear = Annotated[Near, Query()]


class FreeView(BaseModel):
    """A span in which so many units are free from end to end."""

    starts_at: datetime
    ends_at: datetime
    units: int

    @classmethod
    def of(cls, free: FreeTime) -> FreeView:
        return cls(starts_at=free.starts_at, ends_at=free.ends_at, units=free.units)


class SpaceFree(BaseModel):
    """A space's free times: any window inside one of them, from min_minutes to max_minutes long, can be booked."""

    space_id: UUID
    headline: str
    units: int
    min_minutes: int
    max_minutes: int
    free: list[FreeView]

    @classmethod
    def of(cls, times: SpaceTimes, asked: Span, now: datetime) -> SpaceFree:
        terms = times.space.terms
        free = [FreeView.of(one) for one in free_times(times, asked, now)]
        return cls(space_id=times.space.id, headline=terms.headline, units=len(times.units),
                   min_minutes=terms.min_minutes, max_minutes=terms.max_minutes, free=free)  # fmt: skip


class AsOf(BaseModel):
    """How old an answer is: it was read from the booking engine's own tables at `as_of`, `age_s` before it was given."""

    as_of: datetime
    age_s: float


class SpaceFreeNow(AsOf):
    space: SpaceFree


class FreeList(AsOf):
    since: datetime
    until: datetime
    items: list[SpaceFree]
    next_cursor: str | None = None


class NearView(BaseModel):
    """A space that is free from this minute on."""

    space_id: UUID
    headline: str
    place: str
    lat: float
    lon: float
    distance_m: int = Field(description="straight line, rounded up to 100 m")
    free_from: datetime
    free_until: datetime
    units: int
    price_krw: int
    price_per: str
    approval: str
    link: str


class NearList(AsOf):
    radius_m: int
    items: list[NearView]
