"""What the API of calendars takes and gives."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StringConstraints
from pydantic_core import PydanticCustomError

from services.spaces.calendars.domain import Hours, Opening, Rules, Span, check_hours, opening
from services.spaces.calendars.reading import MOST_TEXT
from services.spaces.calendars.rest import Holiday, HolidayKind, Rest
from services.spaces.calendars.words import in_words
from shared.rules import Refused
from shared.web.bodies import Body

TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
MIDNIGHT = "24:00"
WeekdayName = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[WeekdayName, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _time_of_day(value: str) -> str:
    if value != MIDNIGHT and TIME.fullmatch(value) is None:
        raise PydanticCustomError("time-of-day", "a time of day is written as 09:00, the end of a day as 24:00")
    return value


TimeOfDay = Annotated[str, AfterValidator(_time_of_day), Field(max_length=5, examples=["09:00", "24:00"])]
RestText = Annotated[str, StringConstraints(max_length=MOST_TEXT, strip_whitespace=True)]


class OpeningBody(Body):
    """`closes` at or before `opens` is on the next day; 00:00 to 00:00 is closed, 00:00 to 24:00 all day."""

    opens: TimeOfDay
    closes: TimeOfDay

    def opening(self) -> Opening | None:
        if self.opens == MIDNIGHT:
            raise Refused("hours", "openings", "24:00 is the end of a day, not a beginning")
        last = "00:00" if self.closes == MIDNIGHT else self.closes
        return opening(time.fromisoformat(self.opens), time.fromisoformat(last), until_midnight=self.closes == MIDNIGHT)

    @classmethod
    def of(cls, one: Opening) -> OpeningBody:
        return cls(opens=_clock(one.opens), closes=MIDNIGHT if one.closes == 1_440 else _clock(one.closes % 1_440))


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


Openings = Annotated[tuple[OpeningBody, ...], Field(max_length=6)]


class HoursBody(Body):
    """Openings by weekday; a day that is left out is closed. `holiday` null: as on that weekday."""

    mon: Openings = ()
    tue: Openings = ()
    wed: Openings = ()
    thu: Openings = ()
    fri: Openings = ()
    sat: Openings = ()
    sun: Openings = ()
    holiday: Openings | None = None

    def hours(self) -> Hours:
        """Raises Refused for openings that overlap or are out of order."""
        days = tuple(_openings(getattr(self, name)) for name in WEEKDAYS)
        hours = Hours(days, None if self.holiday is None else _openings(self.holiday))
        check_hours(hours)
        return hours

    @classmethod
    def of(cls, hours: Hours) -> HoursBody:
        days = {name: _shown(day) for name, day in zip(WEEKDAYS, hours.weekdays, strict=True)}
        return cls.model_validate({**days, "holiday": None if hours.holidays is None else _shown(hours.holidays)})


def _openings(written: tuple[OpeningBody, ...]) -> tuple[Opening, ...]:
    return tuple(one for body in written if (one := body.opening()) is not None)


def _shown(openings: tuple[Opening, ...]) -> tuple[OpeningBody, ...]:
    return tuple(OpeningBody.of(one) for one in openings)


class CalendarBody(Body):
    """A space's hours and what is said of its rest days."""

    hours: HoursBody
    rest: RestText = Field("", description="휴관일 as people write it: 매주 월요일, 법정공휴일")


class RestView(BaseModel):
    """How a text about rest days is understood. `unparsed` is shown to people and never applied."""

    text: str
    understood: list[str]
    unparsed: list[str]

    @classmethod
    def of(cls, rest: Rest) -> RestView:
        return cls(text=rest.text, understood=[in_words(rule) for rule in rest.rules], unparsed=list(rest.unparsed))


class ClosureView(BaseModel):
    """Shut from `starts_at` up to, not including, `ends_at`."""

    id: UUID
    starts_at: datetime
    ends_at: datetime
    reason: str
    source: Literal["officer", "calendar"]


class SpanView(BaseModel):
    starts_at: datetime
    ends_at: datetime

    @classmethod
    def of(cls, span: Span) -> SpanView:
        return cls(starts_at=span.starts_at, ends_at=span.ends_at)


class CalendarView(BaseModel):
    """A space's calendar; version 0 where none was ever set: always open."""

    space_id: UUID
    version: int
    hours: HoursBody
    rest: RestView
    closures: list[ClosureView]
    open: list[SpanView]
    holidays_known_until: date | None

    @classmethod
    def of(cls, space_id: UUID, version: int, rules: Rules, open_: list[Span]) -> CalendarView:
        return cls(
            space_id=space_id, version=version, hours=HoursBody.of(rules.hours), rest=RestView.of(rules.rest),
            closures=[ClosureView.model_validate(one, from_attributes=True) for one in rules.closures],
            open=[SpanView.of(span) for span in open_], holidays_known_until=rules.holidays.known_until(),
        )  # fmt: skip


class TextBody(Body):
    text: RestText


class HolidayView(BaseModel):
    day: date
    name: str
    kind: HolidayKind

    @classmethod
    def of(cls, holiday: Holiday) -> HolidayView:
        return cls(day=holiday.day, name=holiday.name, kind=holiday.kind)
