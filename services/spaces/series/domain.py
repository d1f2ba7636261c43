"""Recurrence: the dates of an iCalendar RRULE (RFC 5545), bounded so that none runs on for ever. Pure; days are Korea's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Literal
from uuid import UUID

from dateutil import rrule

from services.spaces.bookings.domain import check_years
from services.spaces.calendars.domain import Span
from shared.clock import SEOUL
from shared.rules import Refused

Result = Literal["booked", "conflict", "holiday", "closed", "refused"]
MOST_TEXT = 200
FREQUENCIES = {"DAILY": rrule.DAILY, "WEEKLY": rrule.WEEKLY, "MONTHLY": rrule.MONTHLY}
WEEKDAYS = {
    "MO": rrule.MO,
    "TU": rrule.TU,
    "WE": rrule.WE,
    "TH": rrule.TH,
    "FR": rrule.FR,
    "SA": rrule.SA,
    "SU": rrule.SU,
}
PARTS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "WKST"}
# A rule that could look through thousands of years for its first date is refused by its form.
MOST_INTERVAL = {"DAILY": 366, "WEEKLY": 52, "MONTHLY": 12}
CLOSED_RULES = {"closure", "rest-day", "outside-hours", "not-yet-open", "closes-before"}


@dataclass(frozen=True)
class Bounds:
    """How many dates and how many days a series may have, both allowed themselves; settings."""

    dates: int = 100
    days: int = 366


@dataclass(frozen=True)
class Series:
    """A citizen's recurring wish; `starts_at` and `ends_at` are the first date's."""

    id: UUID
    space_id: UUID
    institution: str
    citizen_id: str
    rrule: str
    starts_at: datetime
    ends_at: datetime
    holidays: Literal["skip", "keep"]
    created_at: datetime


@dataclass(frozen=True)
class DateResult:
    """What became of one date; `rule` and `detail` say why it was not booked."""

    n: int
    starts_at: datetime
    ends_at: datetime
    result: Result
    rule: str | None = None
    detail: str | None = None
    booking_id: UUID | None = None


def _refused(rule: str, detail: str) -> Refused:
    return Refused("rrule", rule, detail)


def dates_of(text: str, first: Span, bounds: Bounds) -> list[Span]:
    """Every date of the rule, each as long as the first. Raises Refused for a rule that is not understood, has no end,
    no date, or more than the bounds allow.
    """
    check_years(first)
    parts = _parts(text)
    start = first.starts_at.astimezone(SEOUL).replace(tzinfo=None)
    until, count = _until(parts), _whole(parts, "COUNT", 10_000)
    if until is None and count is None:
        raise _refused("endless", "COUNT나 UNTIL로 끝을 정해 주세요 / a rule needs an end: COUNT or UNTIL")
    if until is not None and count is not None:
        raise _refused("count-and-until", "COUNT와 UNTIL 중 하나만 씁니다 / COUNT or UNTIL, not both")
    horizon = start + timedelta(days=bounds.days)
    if (count or 0) > bounds.dates:
        raise _refused("too-many", f"{bounds.dates}번까지 됩니다 / at most so many dates")
    if until is not None and until > horizon:
        raise _refused("too-far", f"{bounds.days}일까지 됩니다 / at most so many days")
    rule = rrule.rrule(dtstart=start, until=min(until or horizon, horizon), **_kwargs(parts))
    found = _taken(rule, count, bounds)
    if not found or (count is not None and len(found) < count):
        raise _refused(*(("too-far", f"{bounds.days}일 안에 끝나야 합니다 / it must end within so many days") if found
                         else ("no-date", "규칙에 맞는 날이 없습니다 / no date matches")))  # fmt: skip
    length = min(first.ends_at - first.starts_at, timedelta(days=bounds.days))
    return [Span(begins, begins + length) for begins in (one.replace(tzinfo=SEOUL) for one in found)]


def _taken(rule: rrule.rrule, count: int | None, bounds: Bounds) -> list[datetime]:
    found: list[datetime] = []
    for one in rule:
        if count is not None and len(found) == count:
            break
        if len(found) == bounds.dates:
            raise _refused("too-many", f"{bounds.dates}번까지 됩니다 / at most so many dates")
        found.append(one)
    return found


def _parts(text: str) -> dict[str, str]:
    if len(text) > MOST_TEXT:
        raise _refused("syntax", "규칙이 너무 깁니다 / too long a rule")
    parts: dict[str, str] = {}
    for part in text.strip().upper().removeprefix("RRULE:").split(";"):
        name, equals, value = part.partition("=")
        if not equals or not value or name in parts:
            raise _refused("syntax", "FREQ=WEEKLY;COUNT=10 처럼 씁니다 / written as FREQ=WEEKLY;COUNT=10")
        if name not in PARTS:
            raise _refused("unsupported", f"{name[:20]}은(는) 쓸 수 없습니다 / not supported here")
        parts[name] = value
    if parts.get("FREQ") not in FREQUENCIES:
        raise _refused("frequency", "DAILY, WEEKLY, MONTHLY 중 하나입니다 / one of these three")
    return parts


def _whole(parts: dict[str, str], name: str, most: int) -> int | None:
    value = parts.get(name)
    if value is None:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) < 1:
        raise _refused("syntax", f"{name}은(는) 1 이상의 수입니다 / a number from 1 on")
    if int(value) > most:
        raise _refused("too-many", f"{name}은(는) {most}까지입니다 / at most that")
    return int(value)


def _until(parts: dict[str, str]) -> datetime | None:
    """The last moment, in Korean time without zone; a bare date is all of that day."""
    value = parts.get("UNTIL")
    if value is None:
        return None
    try:
        if re.fullmatch(r"[0-9]{8}", value):
            day = datetime.strptime(value, "%Y%m%d").date()  # noqa: DTZ007 - a day has no zone
            return datetime.combine(day, time(23, 59, 59))
        moment = datetime.strptime(value.removesuffix("Z"), "%Y%m%dT%H%M%S")  # noqa: DTZ007 - made local below
        return moment + timedelta(hours=9) if value.endswith("Z") else moment
    except (ValueError, OverflowError):
        raise _refused("syntax", "UNTIL은 20270131 또는 20270131T145959Z / as a date or a time") from None


def _kwargs(parts: dict[str, str]) -> dict[str, Any]:
    frequency = parts["FREQ"]
    interval = _whole(parts, "INTERVAL", MOST_INTERVAL[frequency]) or 1
    days, month_days = parts.get("BYDAY"), parts.get("BYMONTHDAY")
    if month_days and (frequency == "WEEKLY" or days):
        raise _refused("unsupported", "BYMONTHDAY는 홀로 씁니다 / BYMONTHDAY goes alone, not with WEEKLY or BYDAY")
    if frequency == "DAILY" and interval > 1 and (days or month_days):
        raise _refused(
            "unsupported", "INTERVAL이 있는 DAILY에는 다른 조건을 쓸 수 없습니다 / DAILY with INTERVAL goes alone"
        )
    found: dict[str, Any] = {
        "freq": FREQUENCIES[frequency],
        "interval": interval,
        "wkst": _weekday(parts.get("WKST", "MO"), False),
    }
    if days:
        found["byweekday"] = [_weekday(day, frequency == "MONTHLY") for day in days.split(",")]
    if month_days:
        found["bymonthday"] = [_month_day(day) for day in month_days.split(",")]
    return found


def _weekday(value: str, numbered: bool) -> Any:
    matched = re.fullmatch(r"([+-]?[1-5])?(MO|TU|WE|TH|FR|SA|SU)", value)
    if matched is None or (matched[1] and not numbered):
        raise _refused("syntax", f"요일을 알 수 없습니다: {value[:10]} / no such weekday here")
    return WEEKDAYS[matched[2]](int(matched[1])) if matched[1] else WEEKDAYS[matched[2]]


def _month_day(value: str) -> int:
    if not re.fullmatch(r"-?([1-9]|[12][0-9]|3[01])", value):
        raise _refused("syntax", f"날을 알 수 없습니다: {value[:10]} / no such day of a month")
    return int(value)


def why_not(n: int, window: Span, refused: Refused, *, taken: bool) -> DateResult:
    """The result of a date that was not booked."""
    result: Result = "conflict" if taken else "closed" if refused.rule in CLOSED_RULES else "refused"
    return DateResult(n, window.starts_at, window.ends_at, result, refused.rule, refused.detail)
