"""Reads an iCalendar file (RFC 5545) as busy times. Everything in it is doubted: sizes, zones, rules without end.

Run as a program it reads a request from standard input and answers with JSON, so that it can be given limits and killed.
"""

from __future__ import annotations

import json
import resource
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from itertools import dropwhile, islice
from typing import Any

from dateutil.rrule import rruleset, rrulestr
from icalendar import Calendar

from services.spaces.icalendar.domain import MOST_OCCURRENCES, Busy, EventError, Reading
from shared.clock import SEOUL
from shared.rules import Refused

CPU_S = 10
MEMORY_BYTES = 1_500_000_000
MOST_EVENTS = 5_000
MOST_OF_ONE = 1_000
FIRST_YEAR, LAST_YEAR = 2000, 2100
LONGEST = timedelta(days=366)
FREQUENCIES = {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}
# What the libraries raise on properties that are broken in one way or another.
BROKEN = (ValueError, TypeError, KeyError, AttributeError, IndexError, ArithmeticError, RecursionError)


class Unusable(Exception):  # noqa: N818
    """An event that cannot be taken as it is."""

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(detail)
        self.rule, self.detail = rule, detail


def read_calendar(raw: bytes, *, now: datetime, horizon: datetime, until: datetime | None = None) -> Reading:
    """Busy times that end after `now` and begin before `horizon`. A rule without an end is refused, unless `until` says how
    far it is to be followed. Raises Refused for a file that is no calendar, or one too large to follow.
    """
    events, reading = _events(raw), Reading()
    reading.events = len(events)
    groups: dict[str, list[tuple[int, Any]]] = defaultdict(list)
    for number, event in enumerate(events, start=1):
        uid = str(event.get("UID", ""))[:255].strip()
        if uid:
            groups[uid].append((number, event))
        else:
            reading.errors.append(
                EventError(number, "", "uid", "UID가 없습니다 / an event without a UID cannot be known again")
            )
    for uid, group in groups.items():
        _take(reading, uid, group, now, horizon, until)
        if len(reading.busy) > MOST_OCCURRENCES:
            raise Refused("file", "too-many-occurrences", f"at most {MOST_OCCURRENCES:,} times in all")
    return reading


def _events(raw: bytes) -> list[Any]:
    try:
        calendars = Calendar.from_ical(raw.decode("utf-8-sig"), multiple=True)
        events = [event for calendar in calendars for event in calendar.walk("VEVENT")]
    except BROKEN as error:
        said = f"iCalendar 파일이 아닙니다 / not an iCalendar file ({type(error).__name__})"
        raise Refused("file", "icalendar", said) from None
    if not calendars or any(calendar.name != "VCALENDAR" for calendar in calendars):
        raise Refused("file", "icalendar", "VCALENDAR가 없습니다 / no VCALENDAR in it")
    if len(events) > MOST_EVENTS:
        raise Refused("file", "too-many-events", f"at most {MOST_EVENTS:,} events")
    return events


def _take(
    reading: Reading, uid: str, group: list[tuple[int, Any]], now: datetime, horizon: datetime, until: datetime | None
) -> None:
    """All that is said of one UID: its series, and the single occurrences that were moved or cancelled."""
    number = group[0][0]
    try:
        sequence = max(_sequence(event) for _, event in group)
        singles = {}
        masters = []
        for number, event in group:
            if "RECURRENCE-ID" in event:
                singles[_moment(event, "RECURRENCE-ID")[0]] = event
            else:
                masters.append((number, event))
        if len({repr(event.get("DTSTART")) for _, event in masters}) > 1:
            raise Unusable("uid-twice", "두 일정의 UID가 같습니다 / two events have one UID")
        number, master = max(masters, key=lambda one: _sequence(one[1]), default=(number, None))
        if master is not None and str(master.get("STATUS", "")).upper() == "CANCELLED":
            reading.cancelled[uid] = sequence
            return
        spans = list(_spans(master, set(singles), now, horizon, until)) if master is not None else []
        spans += [span for event in singles.values() for span in _single(event)]
    except Unusable as error:
        reading.errors.append(EventError(number, uid, error.rule, error.detail))
        return
    except BROKEN as error:
        said = f"읽을 수 없는 일정입니다 / an event that cannot be read ({type(error).__name__})"
        reading.errors.append(EventError(number, uid, "broken", said))
        return
    if master is not None and str(master.get("TRANSP", "")).upper() == "TRANSPARENT":
        reading.free += 1
        spans = []
    coming = sorted({span for span in spans if span[1] > now and span[0] < horizon})
    reading.past += bool(spans) and not coming
    reading.sequences[uid] = sequence
    reading.busy += [Busy(uid, sequence, *span) for span in coming]


def _sequence(event: Any) -> int:
    value = event.get("SEQUENCE", 0)
    try:
        return max(0, min(int(value), 2**31 - 1))
    except BROKEN:
        raise Unusable("sequence", "SEQUENCE가 수가 아닙니다 / SEQUENCE is no number") from None


def _moment(event: Any, name: str) -> tuple[datetime, bool]:
    """A time with its zone, and whether it is a whole day. Floating times are Korea's; a zone nobody knows is refused."""
    prop = event[name]
    value = prop.dt
    if isinstance(value, datetime):
        if value.tzinfo is None and prop.params.get("TZID"):
            zone = str(prop.params["TZID"])[:60]
            raise Unusable("unknown-zone", f"'{zone}': 알 수 없는 시간대입니다 / a zone that nobody knows")
        value, whole = (value if value.tzinfo else value.replace(tzinfo=SEOUL)), False
    elif isinstance(value, date):
        value, whole = datetime.combine(value, time(), SEOUL), True
    else:
        raise Unusable("time", f"{name} is no time")
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise Unusable("time-range", f"{name}: {FIRST_YEAR}–{LAST_YEAR}")
    return value, whole


def _length(event: Any, starts: datetime, whole: bool) -> timedelta:
    """How long it lasts; a day without an end is one day, a moment without one is nothing (RFC 5545 3.6.1)."""
    if "DTEND" in event:
        length = _moment(event, "DTEND")[0].astimezone(UTC) - starts.astimezone(UTC)
    elif "DURATION" in event:
        length = event["DURATION"].dt
    else:
        length = timedelta(days=1) if whole else timedelta()
    if length < timedelta():
        raise Unusable("reversed", "끝이 시작보다 빠릅니다 / it ends before it begins")
    if length > LONGEST:
        raise Unusable("too-long", "1년보다 깁니다 / longer than a year")
    return timedelta(length.days, length.seconds)


def _single(event: Any) -> Iterator[tuple[datetime, datetime]]:
    if "RANGE" in event["RECURRENCE-ID"].params:
        raise Unusable("range", "THISANDFUTURE는 받지 않습니다 / THISANDFUTURE is not taken")
    starts, whole = _moment(event, "DTSTART")
    length = _length(event, starts, whole)
    gone = str(event.get("STATUS", "")).upper() == "CANCELLED" or str(event.get("TRANSP", "")).upper() == "TRANSPARENT"
    if length and not gone:
        yield starts.astimezone(UTC), starts.astimezone(UTC) + length


def _spans(
    event: Any, moved: set[datetime], now: datetime, horizon: datetime, until: datetime | None
) -> Iterator[tuple[datetime, datetime]]:
    """Each occurrence, by the clock on the wall of its own zone: ten o'clock stays ten o'clock over a change of the clock."""
    starts, whole = _moment(event, "DTSTART")
    length = _length(event, starts, whole)
    if not length:
        return
    taken = {one.astimezone(UTC) for one in moved}
    since = (now - length).astimezone(starts.tzinfo).replace(tzinfo=None) - timedelta(days=1)
    for occurrence in _occurrences(event, starts, since, min(horizon, until or horizon), endless=until is not None):
        begins = occurrence.replace(tzinfo=starts.tzinfo).astimezone(UTC)
        if begins not in taken:
            yield begins, begins + length


def _occurrences(event: Any, starts: datetime, since: datetime, stop: datetime, *, endless: bool) -> Iterator[datetime]:
    """Local times without their zone, those of a rule from `since` on (local as well)."""
    first = starts.replace(tzinfo=None)
    if "RRULE" not in event and "RDATE" not in event:
        yield first
        return
    dates = rruleset()
    if "RRULE" in event:
        dates.rrule(_rule(event["RRULE"], starts, stop, endless=endless))
    else:
        dates.rdate(first)
    for one in _dates(event, "RDATE"):
        dates.rdate(_local(one, starts))
    for one in _dates(event, "EXDATE"):
        dates.exdate(_local(one, starts))
    coming = dropwhile(lambda one: one < since, iter(dates))
    found = list(islice(coming, MOST_OF_ONE + 1))
    if len(found) > MOST_OF_ONE:
        raise Unusable("too-often", f"일정 하나가 {MOST_OF_ONE}번 넘게 되풀이됩니다 / more than {MOST_OF_ONE} times")
    yield from found


def _rule(rule: Any, starts: datetime, stop: datetime, *, endless: bool) -> Any:
    if isinstance(rule, list):
        raise Unusable("rules", "RRULE이 여럿입니다 / more than one RRULE")
    frequency = str((rule.get("FREQ") or [""])[0]).upper()
    if not frequency:
        raise Unusable("broken", "RRULE에 FREQ가 없습니다 / an RRULE without FREQ")
    if frequency not in FREQUENCIES:
        raise Unusable("too-frequent", f"{frequency[:20]}: 하루에 한 번까지 / daily at the most")
    if "UNTIL" not in rule and "COUNT" not in rule and not endless:
        raise Unusable("endless", "끝나지 않는 반복입니다. until을 정해 주세요 / a rule without an end: say until when")
    last = stop.astimezone(starts.tzinfo).replace(tzinfo=None)
    if "UNTIL" in rule:
        last = min(last, _until(rule["UNTIL"][0], starts))
    parts = {name: values for name, values in rule.items() if name != "UNTIL"}
    written = ";".join(f"{name}={','.join(_part(value) for value in values)}" for name, values in parts.items())
    made: Any = rrulestr(written, dtstart=starts.replace(tzinfo=None))
    return made.replace(until=last) if "COUNT" not in rule else made


def _part(value: Any) -> str:
    told = value.to_ical() if hasattr(value, "to_ical") else value
    return told.decode() if isinstance(told, bytes) else str(told)


def _until(value: Any, starts: datetime) -> datetime:
    if not isinstance(value, datetime):
        return datetime.combine(value, time.max)
    return value.replace(tzinfo=None) if value.tzinfo is None else value.astimezone(starts.tzinfo).replace(tzinfo=None)


def _dates(event: Any, name: str) -> Iterator[Any]:
    if name in event:
        many = event[name] if isinstance(event[name], list) else [event[name]]
        yield from (one.dt for group in many for one in group.dts)


def _local(value: Any, starts: datetime) -> datetime:
    if isinstance(value, tuple):
        raise Unusable("period", "RDATE의 PERIOD는 받지 않습니다 / periods in RDATE are not taken")
    if not isinstance(value, datetime):
        return datetime.combine(value, starts.time())
    return value.replace(tzinfo=None) if value.tzinfo is None else value.astimezone(starts.tzinfo).replace(tzinfo=None)


def main() -> None:
    """First line: JSON with now, horizon, until. The rest: the file. Answers with the reading, or what refused it."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    asked = json.loads(sys.stdin.buffer.readline())
    when = {name: datetime.fromisoformat(asked[name]) for name in ("now", "horizon")}
    until = None if asked["until"] is None else datetime.fromisoformat(asked["until"])
    try:
        told = asdict(read_calendar(sys.stdin.buffer.read(), **when, until=until))
    except Refused as refused:
        told = {"refused": [refused.field, refused.rule, refused.detail]}
    sys.stdout.write(json.dumps(told, default=str))


if __name__ == "__main__":
    main()
