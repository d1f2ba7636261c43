"""`postings.v1`: the whole current state of whatever is open – a job, a space, a notice – in one shared form.

A service that publishes postings here is matched on its first day; matching knows nothing else about it.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from shared.contracts.base import Event, Kind, Lat, Line, Lon, Part, Slug, Text, Topic, Window

POSTINGS = Topic(
    name="postings.v1",
    partitions=8,
    key="posting id",
    owners=("jobs", "spaces", "notices"),
    consumers=("matching", "delivery"),
    compacted=True,
    external=True,
    description="Whole current state of every posting; the newest version per id is kept.",
    extra={"min.cleanable.dirty.ratio": "0.1", "segment.ms": "3600000"},
)

MAX_RADIUS_M = 2_000


class Circle(Part):
    """A place and how far from it the posting is offered; a citizen at exactly `radius_m` is inside."""

    lat: Lat
    lon: Lon
    radius_m: int = Field(ge=50, le=MAX_RADIUS_M)


class Where(Part):
    """Circles, or a set of 행정동 (their codes from July 2026), or both: inside any of them is inside."""

    circles: tuple[Circle, ...] = Field(default=(), max_length=20)
    dongs: tuple[Line, ...] = Field(default=(), max_length=21)


class Widening(Part):
    """How an urgent posting's circles grow while nobody has come: a step every `every_s` from `began_at` on (J5).

    A plain function of time, so that whoever reads the posting knows its radius, whatever died meanwhile.
    """

    steps_m: tuple[Annotated[int, Field(ge=50, le=MAX_RADIUS_M)], ...] = Field(min_length=1, max_length=10)
    every_s: int = Field(ge=1, le=86_400)
    began_at: AwareDatetime

    def radius_m(self, circle_m: int, now: datetime) -> int:
        """The radius of a circle at a moment; a step begins exactly on its second. Never less than the circle's own."""
        step = int((now - self.began_at).total_seconds() // self.every_s)
        return circle_m if step < 0 else max(circle_m, self.steps_m[min(step, len(self.steps_m) - 1)])

    def next_step_at(self, now: datetime) -> datetime | None:
        """When the next step begins, None after the last."""
        done = int((now - self.began_at).total_seconds() // self.every_s)
        step = max(0, done + 1)
        return self.began_at + timedelta(seconds=step * self.every_s) if step < len(self.steps_m) else None


def veiled(posting_id: UUID, citizen_id: str) -> str:
    """A citizen's name within one posting: it tells nobody who they are, nor that it is they in another posting."""
    return hashlib.sha256(f"{posting_id}\n{citizen_id}".encode()).hexdigest()[:32]


class Audience(Part):
    """Whom it is for. Empty interests mean everyone; the channel lets a citizen mute its sender. `not_for` are those who
    are not to be told (again), each as `veiled` names them: who dropped out, who has a place already (J5). With
    `followers`, those who follow the channel are concerned wherever they are (N2).
    """

    interests: tuple[Slug, ...] = Field(default=(), max_length=20)
    min_age: int | None = Field(default=None, ge=0, le=120)
    windows: tuple[Window, ...] = Field(default=(), max_length=20)
    channel: Line | None = Field(default=None, max_length=100)
    followers: bool = False
    not_for: tuple[Line, ...] = Field(default=(), max_length=50)


class Shows(Part):
    """What an alert may show without asking the owner again."""

    place: Line | None = Field(default=None, max_length=200)
    pay_krw: int | None = Field(default=None, ge=0)
    pay_per: Literal["hour", "piece", "day"] | None = None
    price_krw: int | None = Field(default=None, ge=0)
    price_per: Literal["hour", "day", "month", "use"] | None = None


class Posting(Event):
    """One posting. `version` rises by one with each change; `urgency_epoch` rises when it must be told anew (J2, J5).

    An `emergency` is told at once: quiet hours, budget and muting do not hold it back; two officers stand behind it (N3).
    Postings with one `subject` tell of one thing in several channels: a citizen whom several of them concern is told once
    per urgency epoch, because the alert's id is made of the subject (N2). Who was told of it and has not opened it by then is
    reminded some time before its `deadline`, once.
    """

    TYPE: ClassVar[str] = "kr.gwangsan.posting.v1"
    TOPIC: ClassVar[str] = POSTINGS.name

    id: UUID
    subject: UUID | None = None
    kind: Kind
    version: int = Field(ge=1)
    urgency_epoch: int = Field(default=0, ge=0)
    urgent: bool = False
    emergency: bool = False
    status: Literal["open", "closed"]
    closed_because: Line | None = Field(default=None, max_length=200)
    where: Where
    widens: Widening | None = None
    audience: Audience = Audience()
    headline: Text
    institution: Line = Field(max_length=100)
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None
    expires_at: AwareDatetime
    deadline: AwareDatetime | None = None
    shows: Shows = Shows()
    link: Line = Field(max_length=300)
    changed_at: AwareDatetime

    @model_validator(mode="after")
    def concerns_somebody(self) -> Self:
        to_followers = self.audience.followers and self.audience.channel is not None
        if not (self.where.circles or self.where.dongs or to_followers):
            raise ValueError("a posting needs at least one circle, one 행정동, or a channel's followers")
        return self

    def topic_key(self) -> str:
        return str(self.id)
