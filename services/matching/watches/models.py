"""What the API of watches takes and gives."""

from __future__ import annotations

from datetime import datetime, time
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from shared.contracts import Watch
from shared.contracts.base import Kind, Slug, Window
from shared.contracts.posting import MAX_RADIUS_M
from shared.contracts.watch import QuietHours, WeeklyWindow
from shared.web.bodies import Body, Moment


def _local(value: time) -> time:
    if value.tzinfo is not None:
        raise PydanticCustomError("local-time", "hours are those of Asia/Seoul: 21:00, without an offset")
    return value


Hour = Annotated[time, AfterValidator(_local)]
DongCode = Annotated[str, Field(max_length=20)]
Channel = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class WindowBody(Body):
    """When one is free, once."""

    starts_at: Moment
    ends_at: Moment

    @model_validator(mode="after")
    def is_forward(self) -> Self:
        if self.ends_at <= self.starts_at:
            raise ValueError("a window ends after it starts")
        return self


class WeeklyBody(Body):
    """When one is free every week, in Asia/Seoul; an end at or before the start is the next day's."""

    weekday: int = Field(ge=0, le=6, description="0 is Monday")
    starts: Hour
    ends: Hour


class QuietBody(Body):
    """Daily hours in Asia/Seoul in which nothing is told; may span midnight."""

    starts: Hour
    ends: Hour


class WatchBody(Body):
    """All of a citizen's settings; what is left out takes its default."""

    paused: bool = Field(False, description="알림 멈춤: nothing is told, consent stays")
    kinds: tuple[Kind, ...] = ("job", "space", "notice")
    interests: Annotated[tuple[Slug, ...], Field(max_length=50)] = ()
    radius_m: int | None = Field(
        None, ge=50, le=MAX_RADIUS_M, description="metres, at most this far; null: as far as each posting reaches"
    )
    birth_year: int | None = Field(None, ge=1900, le=2100)
    windows: Annotated[tuple[WindowBody, ...], Field(max_length=50)] = ()
    weekly: Annotated[tuple[WeeklyBody, ...], Field(max_length=50)] = ()
    quiet: QuietBody | None = Field(
        None,
        description="null: the product's hours (21–08), for notices alone; an end at the start: no quiet hours at all",
    )
    muted_channels: Annotated[tuple[Channel, ...], Field(max_length=200)] = ()
    muted_topics: Annotated[tuple[Slug, ...], Field(max_length=200)] = ()
    muted_postings: Annotated[tuple[UUID, ...], Field(max_length=500)] = ()
    home_dongs: Annotated[tuple[DongCode, ...], Field(max_length=42)] = Field(
        (),
        description="행정동 chosen by hand, by the code since 2026-07 or the one before; needs no consent to location",
    )
    digest_hour: int | None = Field(
        None, ge=0, le=23, description="hour (Asia/Seoul) at which the day's overflow is digested; null: the product's"
    )


class WatchView(BaseModel):
    """The settings in force, the channels that are followed at notices, and whether matching may act on a position at all."""

    version: int
    located: bool
    paused: bool
    kinds: tuple[Kind, ...]
    interests: tuple[str, ...]
    radius_m: int | None
    birth_year: int | None
    windows: tuple[Window, ...]
    weekly: tuple[WeeklyWindow, ...]
    quiet: QuietHours | None
    muted_channels: tuple[str, ...]
    muted_topics: tuple[str, ...]
    muted_postings: tuple[UUID, ...]
    home_dongs: tuple[str, ...]
    follows: tuple[str, ...]
    digest_hour: int | None
    changed_at: datetime

    @classmethod
    def of(cls, watch: Watch) -> WatchView:
        return cls.model_validate(watch.model_dump(include=set(cls.model_fields)))
