"""`watches.v1`: what each citizen wants to hear of, and whether matching may act on their position at all."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import AwareDatetime, Field

from shared.clock import SEOUL
from shared.contracts.base import CitizenId, Event, Kind, Line, Part, Slug, Topic, Window
from shared.contracts.posting import MAX_RADIUS_M

WATCHES = Topic(
    name="watches.v1",
    partitions=8,
    key="citizen id",
    owners=("matching",),
    consumers=("matching", "delivery"),
    compacted=True,
    description="Whole current watch and consent state per citizen; partitioned as locations.v1 is.",
    extra={"min.cleanable.dirty.ratio": "0.1", "segment.ms": "3600000"},
)

Weekday = Annotated[int, Field(ge=0, le=6)]


class WeeklyWindow(Part):
    """A window that recurs every week in Asia/Seoul; weekday 0 is Monday; an end at or before the start is next day's."""

    weekday: Weekday
    starts: time
    ends: time


class QuietHours(Part):
    """Daily hours in Asia/Seoul during which nothing but an emergency is told; may span midnight."""

    starts: time
    ends: time

    def until(self, now: datetime) -> datetime | None:
        """The end of the quiet hours that `now` is in, or None. Their start is inside, their end is not."""
        starts, ends = (hour.replace(tzinfo=None) for hour in (self.starts, self.ends))
        local = now.astimezone(SEOUL)
        clock = local.timetz().replace(tzinfo=None)
        within = starts <= clock < ends if starts < ends else clock >= starts or clock < ends
        if starts == ends or not within:
            return None
        end = datetime.combine(local.date(), ends, SEOUL)
        return end if clock < ends else end + timedelta(days=1)


class Watch(Event):
    """A citizen's whole settings. Empty interests mean all; no windows at all mean always available; without a
    radius of their own a citizen hears as far as each posting reaches (700 m unless it says otherwise).

    `home_dongs` are 행정동 chosen by hand (J1): a posting for one of them concerns the citizen without any position or
    consent to location. `follows` are channels whose postings for followers concern them wherever they are.
    """

    TYPE: ClassVar[str] = "kr.gwangsan.watch.v1"
    TOPIC: ClassVar[str] = WATCHES.name

    citizen_id: CitizenId
    version: int = Field(ge=1)
    consent_epoch: int = Field(ge=0)
    located: bool
    paused: bool = False
    kinds: tuple[Kind, ...] = ("job", "space", "notice")
    interests: tuple[Slug, ...] = Field(default=(), max_length=50)
    radius_m: int | None = Field(default=None, ge=50, le=MAX_RADIUS_M)
    birth_year: int | None = Field(default=None, ge=1900, le=2100)
    windows: tuple[Window, ...] = Field(default=(), max_length=50)
    weekly: tuple[WeeklyWindow, ...] = Field(default=(), max_length=50)
    quiet: QuietHours | None = None
    muted_channels: tuple[str, ...] = Field(default=(), max_length=200)
    muted_topics: tuple[Slug, ...] = Field(default=(), max_length=200)
    home_dongs: tuple[Line, ...] = Field(default=(), max_length=21)
    follows: tuple[Line, ...] = Field(default=(), max_length=200)
    muted_postings: tuple[UUID, ...] = Field(default=(), max_length=500)
    digest_hour: int | None = Field(default=None, ge=0, le=23)
    changed_at: AwareDatetime

    def topic_key(self) -> str:
        return self.citizen_id
