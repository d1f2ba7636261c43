"""When a space may be used: opening hours, rest days, public holidays, closures. Pure; days are Korea's (UTC+9, no DST)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Protocol
from uuid import UUID

from services.spaces.calendars.rest import NEVER, Holiday, Holidays, Rest
from shared.clock import SEOUL
from shared.rules import Conflict, Refused

DAY_MINUTES = 1_440
MOST_MINUTES = 2 * DAY_MINUTES
LONGEST_LOOK = timedelta(days=800)
FIRST_YEAR, LAST_YEAR = 2000, 2100


class Spanning(Protocol):
    """Anything with a beginning and an end, half open: the end is not inside."""

    @property
    def starts_at(self) -> datetime: ...
    @property
    def ends_at(self) -> datetime: ...


@dataclass(frozen=True)
class Span:
    """From `starts_at` up to, not including, `ends_at`."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, order=True)
class Opening:
    """Minutes after midnight; `closes` past 1,440 is on the next day, 1,440 is 24:00. The end is not inside."""

    opens: int
    closes: int


ALL_DAY = (Opening(0, DAY_MINUTES),)


@dataclass(frozen=True)
class Hours:
    """Openings by weekday, Monday first. `holidays` are those of public holidays; None means as on that weekday."""

    weekdays: tuple[tuple[Opening, ...], ...] = (ALL_DAY,) * 7
    holidays: tuple[Opening, ...] | None = None

    def as_kept(self) -> dict[str, Any]:
        """As tables hold them: pairs of minutes."""
        pairs = [[[one.opens, one.closes] for one in day] for day in self.weekdays]
        on_holidays = None if self.holidays is None else [[one.opens, one.closes] for one in self.holidays]
        return {"weekdays": pairs, "holidays": on_holidays}

    @classmethod
    def of_kept(cls, kept: Mapping[str, Any]) -> Hours:
        days = tuple(tuple(Opening(*one) for one in day) for day in kept["weekdays"])
        on_holidays = kept["holidays"]
        return cls(days, None if on_holidays is None else tuple(Opening(*one) for one in on_holidays))


@dataclass(frozen=True)
class Closure:
    """Shut for a span, whatever the hours say. `source` is who said so: an officer, or an imported calendar."""

    id: UUID
    starts_at: datetime
    ends_at: datetime
    reason: str
    source: str = "officer"


@dataclass(frozen=True)
class Rules:
    """All that decides whether one space may be used. A space without a calendar is always open."""

    hours: Hours = Hours()
    rest: Rest = NEVER
    holidays: Holidays = field(default_factory=Holidays)
    closures: tuple[Closure, ...] = ()


def opening(opens: time, closes: time, *, until_midnight: bool = False) -> Opening | None:
    """What two times of day mean. 00:00–00:00 is closed, as public data writes it; an end at or before the beginning is
    on the next day; `until_midnight` says that the end was written as 24:00.
    """
    first = opens.hour * 60 + opens.minute
    last = DAY_MINUTES if until_midnight else closes.hour * 60 + closes.minute
    if first == last == 0:
        return None
    return Opening(first, last if last > first else last + DAY_MINUTES)


def check_hours(hours: Hours) -> None:
    """Openings of a day neither overlap nor reach past the end of the next day. Raises Refused."""
    for openings in (*hours.weekdays, hours.holidays or ()):
        last = 0
        for one in openings:
            if not (last <= one.opens < DAY_MINUTES and one.opens < one.closes <= MOST_MINUTES):
                raise Refused("hours", "openings", "openings of a day are in order, apart, and at most a day long")
            last = one.closes
            if one.closes - one.opens > DAY_MINUTES:
                raise Refused("hours", "openings", "an opening lasts a day at most")


def openings_on(rules: Rules, day: date) -> tuple[Opening, ...]:
    """The openings that begin on a day. A rest day has none; what began the evening before runs to its end."""
    if rules.rest.covers(day, rules.holidays):
        return ()
    if rules.hours.holidays is not None and day in rules.holidays:
        return rules.hours.holidays
    return rules.hours.weekdays[day.weekday()]


def open_spans(rules: Rules, since: datetime, until: datetime) -> list[Span]:
    """When the space may be used between two moments, in order, adjoining spans joined, closures taken out.

    Raises Refused for a range that is reversed, longer than 800 days, or outside the years 2000 to 2100.
    """
    if (wrong := _no_range(since, until)) is not None:
        raise wrong
    joined: list[Span] = []
    for begins, ends in _by_hours(rules, since, until):
        if joined and begins <= joined[-1].ends_at:
            joined[-1] = Span(joined[-1].starts_at, max(ends, joined[-1].ends_at))
        else:
            joined.append(Span(begins, ends))
    return without(joined, rules.closures)


def _no_range(since: datetime, until: datetime) -> Refused | None:
    if until <= since:
        return Refused("ends_at", "reversed", "a range ends after it begins")
    if until - since > LONGEST_LOOK:
        return Refused("ends_at", "too-long", "at most 800 days at once")
    if since.year < FIRST_YEAR or until.year > LAST_YEAR:
        return Refused("starts_at", "time-range", f"years from {FIRST_YEAR} to {LAST_YEAR}")
    return None


def _by_hours(rules: Rules, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    day = since.astimezone(SEOUL).date() - timedelta(days=1)
    last = until.astimezone(SEOUL).date()
    while day <= last:
        midnight = datetime.combine(day, time(), SEOUL)
        for one in openings_on(rules, day):
            begins = max(since, midnight + timedelta(minutes=one.opens))
            ends = min(until, midnight + timedelta(minutes=one.closes))
            if begins < ends:
                yield begins, ends
        day += timedelta(days=1)


def without(spans: Iterable[Span], taken: Iterable[Spanning]) -> list[Span]:
    """The spans less what is taken; both are half open, so an end may meet a beginning."""
    away = sorted(((one.starts_at, one.ends_at) for one in taken), key=lambda pair: pair[0])
    left: list[Span] = []
    for span in spans:
        begins = span.starts_at
        for starts_at, ends_at in away:
            if ends_at <= begins or starts_at >= span.ends_at:
                continue
            if starts_at > begins:
                left.append(Span(begins, starts_at))
            begins = ends_at
        if begins < span.ends_at:
            left.append(Span(begins, span.ends_at))
    return left


def allows(rules: Rules, window: Spanning) -> Refused | None:
    """Why the window may not be used, None if it may: it must lie whole inside one open span; both rims are inside.

    A closure is a Conflict (409), everything else breaks a rule (422). The first reason in the window is told.
    """
    if (wrong := _no_range(window.starts_at, window.ends_at)) is not None:
        return wrong
    for closure in rules.closures:
        if closure.starts_at < window.ends_at and window.starts_at < closure.ends_at:
            return Conflict("starts_at", "closure", f"이 시간은 닫습니다: {closure.reason} / closed for this time")
    open_ = open_spans(Rules(rules.hours, rules.rest, rules.holidays), window.starts_at, window.ends_at)
    if len(open_) == 1 and open_[0].starts_at <= window.starts_at and window.ends_at <= open_[0].ends_at:
        return None
    shut_at = window.starts_at if not open_ or open_[0].starts_at > window.starts_at else open_[0].ends_at
    return _why(rules, shut_at.astimezone(SEOUL).date())


def _why(rules: Rules, day: date) -> Refused:
    holiday = rules.holidays.get(day)
    if rules.rest.covers(day, rules.holidays):
        named = f" ({holiday.name})" if holiday is not None else ""
        return Refused("starts_at", "rest-day", f"{day}은(는) 휴관일입니다{named} / closed on this day")
    hours = " · ".join(written(one) for one in openings_on(rules, day)) or "휴관 / closed"
    return Refused("starts_at", "outside-hours", f"{day}의 운영시간: {hours} / outside opening hours")


def written(one: Opening) -> str:
    """An opening as people write it; 26:00 is two at night."""
    return f"{one.opens // 60:02}:{one.opens % 60:02}–{one.closes // 60:02}:{one.closes % 60:02}"


def closed_by(rules: Mapping[UUID, Rules], windows: Sequence[tuple[UUID, Spanning]]) -> list[Refused | None]:
    """`allows` for many windows, each in its own space."""
    return [allows(rules[space_id], window) for space_id, window in windows]


__all__ = [
    "ALL_DAY", "Closure", "Holiday", "Holidays", "Hours", "Opening", "Rest", "Rules", "Span", "Spanning", "allows",
    "check_hours", "closed_by", "open_spans", "opening", "openings_on", "without", "written",
]  # fmt: skip
