"""Calendars of others: what is busy when, in every zone; what is hostile is refused and says why."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.spaces.icalendar.apart import read_apart
from services.spaces.icalendar.domain import Busy, Kept, Reading, changes_of
from services.spaces.icalendar.reading import MOST_EVENTS, read_calendar
from shared.clock import SEOUL
from shared.rules import Refused
from tests.calendar_files import NEW_YORK, calendar, event

NOW = datetime(2026, 11, 23, 9, tzinfo=SEOUL)
HORIZON = NOW + timedelta(days=366)
HOUR = ("DTSTART;TZID=Asia/Seoul:20261201T100000", "DTEND;TZID=Asia/Seoul:20261201T110000")


def read(*parts: str, until: str | None = None) -> Reading:
    end = None if until is None else datetime.fromisoformat(until).replace(tzinfo=SEOUL)
    return read_calendar(calendar(*parts), now=NOW, horizon=HORIZON, until=end)


def busy(*parts: str, until: str | None = None) -> list[tuple[str, str]]:
    """As people in Korea write it."""
    reading = read(*parts, until=until)
    assert reading.errors == []
    return [
        (f"{one.starts_at.astimezone(SEOUL):%m-%d %H:%M}", f"{one.ends_at.astimezone(SEOUL):%m-%d %H:%M}")
        for one in reading.busy
    ]


def wrong(*parts: str, until: str | None = None) -> list[str]:
    return [error.rule for error in read(*parts, until=until).errors]


ONCE = [("12-01 10:00", "12-01 11:00")]


@pytest.mark.parametrize(
    ("lines", "times"),
    [
        (HOUR, ONCE),
        (("DTSTART:20261201T010000Z", "DURATION:PT1H"), ONCE),
        (("DTSTART:20261201T100000", "DTEND:20261201T110000"), ONCE),
        (("DTSTART;VALUE=DATE:20261201",), [("12-01 00:00", "12-02 00:00")]),
        (("DTSTART;VALUE=DATE:20261201", "DTEND;VALUE=DATE:20261204"), [("12-01 00:00", "12-04 00:00")]),
        (("DTSTART;TZID=America/New_York:20261201T100000", "DURATION:PT30M"), [("12-02 00:00", "12-02 00:30")]),
        (("DTSTART:20261201T010000Z",), []),
        ((*HOUR, "TRANSP:TRANSPARENT"), []),
        ((*HOUR, "STATUS:CANCELLED"), []),
        ((*HOUR, "RRULE:FREQ=WEEKLY;COUNT=2"), [*ONCE, ("12-08 10:00", "12-08 11:00")]),
        ((*HOUR, "RRULE:FREQ=WEEKLY;UNTIL=20261208T010000Z"), [*ONCE, ("12-08 10:00", "12-08 11:00")]),
        ((*HOUR, "RRULE:FREQ=DAILY;UNTIL=20261203", "EXDATE;TZID=Asia/Seoul:20261202T100000"),
         [*ONCE, ("12-03 10:00", "12-03 11:00")]),
        ((*HOUR, "RDATE;TZID=Asia/Seoul:20261205T150000"), [*ONCE, ("12-05 15:00", "12-05 16:00")]),
    ],
)  # fmt: skip
def test_an_event_is_busy_when_it_says(lines: tuple[str, ...], times: list[tuple[str, str]]) -> None:
    assert busy(event(*lines)) == times


@pytest.mark.parametrize("zone", ["America/New_York", "Our own zone"])
def test_ten_o_clock_stays_ten_o_clock_when_the_clocks_change(zone: str) -> None:
    lines = (f"DTSTART;TZID={zone}:20270307T100000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=2")
    zones = [NEW_YORK.format(name=zone)] if zone != "America/New_York" else []
    # The clocks go forward on 2027-03-14: ten in New York is midnight in Korea before, eleven at night after.
    assert busy(*zones, event(*lines)) == [("03-08 00:00", "03-08 01:00"), ("03-14 23:00", "03-15 00:00")]


def test_single_occurrences_may_be_moved_or_cancelled() -> None:
    series = event(*HOUR, "RRULE:FREQ=DAILY;COUNT=3")
    moved = event(
        "RECURRENCE-ID;TZID=Asia/Seoul:20261202T100000", "DTSTART;TZID=Asia/Seoul:20261202T150000", "DURATION:PT1H"
    )
    gone = event("RECURRENCE-ID;TZID=Asia/Seoul:20261203T100000", *HOUR, "STATUS:CANCELLED")
    assert busy(series, moved, gone) == [*ONCE, ("12-02 15:00", "12-02 16:00")]


def test_what_is_over_is_left_out_and_what_runs_is_not() -> None:
    past = event("DTSTART:20200101T010000Z", "DURATION:PT1H")
    assert (busy(past), read(past).past) == ([], 1)
    assert len(busy(event("DTSTART:20261122T230000Z", "DURATION:PT2H"))) == 1
    old = event("DTSTART:20100101T010000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;UNTIL=20261125T010000Z")
    assert [one[0] for one in busy(old)] == ["11-23 10:00", "11-24 10:00", "11-25 10:00"]


@pytest.mark.parametrize(
    ("lines", "rule"),
    [
        ((*HOUR, "RRULE:FREQ=WEEKLY"), "endless"),
        ((*HOUR, "RRULE:FREQ=SECONDLY;COUNT=10"), "too-frequent"),
        ((*HOUR, "RRULE:FREQ=HOURLY;UNTIL=20270101T000000Z"), "too-frequent"),
        ((*HOUR, "RRULE:FREQ=DAILY;COUNT=100000"), "too-often"),
        ((*HOUR, "RRULE:FREQ=WEEKLY;COUNT=2", "RRULE:FREQ=DAILY;COUNT=2"), "rules"),
        ((*HOUR, "RRULE:FREQ=WEEKLY;COUNT=2;BANANA=1"), "broken"),
        ((*HOUR, "RRULE:"), "broken"),
        (("DTSTART;TZID=Nowhere/Land:20261201T100000", "DURATION:PT1H"), "unknown-zone"),
        (("DTSTART:20261305T100000",), "broken"),
        (("SUMMARY:no time",), "broken"),
        (("DTSTART:20261201T100000Z", "DTEND:20261201T090000Z"), "reversed"),
        (("DTSTART:20261201T100000Z", "DTEND:20990101T090000Z"), "too-long"),
        (("DTSTART:00010101T100000Z", "DURATION:PT1H"), "time-range"),
        ((*HOUR, "SEQUENCE:x"), "sequence"),
        (("RECURRENCE-ID;RANGE=THISANDFUTURE:20261201T010000Z", *HOUR), "range"),
    ],
)
def test_an_event_that_cannot_be_taken_says_why(lines: tuple[str, ...], rule: str) -> None:
    assert wrong(event(*lines)) == [rule]


def test_a_rule_without_end_may_be_followed_until_a_day() -> None:
    endless = event(*HOUR, "RRULE:FREQ=WEEKLY")
    assert busy(endless, until="2026-12-10") == [*ONCE, ("12-08 10:00", "12-08 11:00")]


def test_one_bad_event_does_not_spoil_the_others() -> None:
    reading = read(event(*HOUR, uid=""), event(*HOUR, "RRULE:FREQ=WEEKLY", uid="a"), event(*HOUR, uid="b"))
    assert [(error.number, error.uid, error.rule) for error in reading.errors] == [(1, "", "uid"), (2, "a", "endless")]
    assert [one.uid for one in reading.busy] == ["b"]
    assert wrong(event(*HOUR), event("DTSTART:20261202T010000Z", "DURATION:PT1H")) == ["uid-twice"]


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b"", "icalendar"),
        (b"hello", "icalendar"),
        (b"\xff\xfe", "icalendar"),
        (b"BEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\n", "icalendar"),
        (b"BEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\n" * 2_000, "icalendar"),
        (calendar(*(event(*HOUR, uid=str(n)) for n in range(MOST_EVENTS + 1))), "too-many-events"),
    ],
)
def test_a_file_that_is_no_calendar_is_refused(raw: bytes, rule: str) -> None:
    with pytest.raises(Refused) as refused:
        read_calendar(raw, now=NOW, horizon=HORIZON)
    assert refused.value.rule == rule


async def test_apart_it_reads_the_same_and_no_rule_holds_it_up() -> None:
    good = calendar(event(*HOUR), event(*HOUR, "RRULE:FREQ=WEEKLY", uid="b"))
    assert await read_apart(good, now=NOW, horizon=HORIZON, until=None) == read_calendar(good, now=NOW, horizon=HORIZON)
    # The thirtieth of February is looked for until the year 9999, in each of these.
    rule = "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=2"
    never = calendar(*(event(*HOUR, rule, uid=str(n)) for n in range(500)))
    with pytest.raises(Refused) as refused:
        await read_apart(never, now=NOW, horizon=HORIZON, until=None)
    assert refused.value.rule == "too-costly"


def at(hour: int) -> datetime:
    return NOW.replace(hour=hour) + timedelta(days=3)


def kept(uid: str, sequence: int, hour: int, *, held: bool = True) -> Kept:
    return Kept(uuid4(), uid, sequence, at(hour), at(hour + 1), held)


def said(uid: str, sequence: int, *hours: int) -> Reading:
    times = [Busy(uid, sequence, at(hour), at(hour + 1)) for hour in hours]
    return Reading(events=1, busy=times, sequences={uid: sequence})


def test_the_same_file_again_changes_nothing_a_newer_one_what_differs_an_older_one_nothing() -> None:
    known = [kept("a", 1, 10), kept("a", 1, 14)]
    same = changes_of(said("a", 1, 10, 14), known, NOW, whole=False)
    assert (same.add, same.lift, same.unchanged) == ([], [], 2)
    newer = changes_of(said("a", 2, 10, 16), known, NOW, whole=False)
    assert ([one.starts_at for one in newer.add], newer.lift) == ([at(16)], [known[1].id])
    older = changes_of(said("a", 0, 20), known, NOW, whole=False)
    assert (older.add, older.lift, older.stale) == ([], [], ["a"])


def test_cancelling_lifts_and_stays_cancelled() -> None:
    known = [kept("a", 1, 10)]
    cancelled = Reading(events=1, cancelled={"a": 2})
    assert changes_of(cancelled, known, NOW, whole=False).lift == [known[0].id]
    after = [kept("a", 2, 10, held=False)]
    assert changes_of(said("a", 1, 10), after, NOW, whole=False).stale == ["a"]


def test_what_a_whole_file_no_longer_has_is_gone_unless_it_is_only_broken() -> None:
    known = [kept("a", 1, 10), kept("b", 1, 12)]
    assert changes_of(said("b", 1, 12), known, NOW, whole=False).lift == []
    assert changes_of(said("b", 1, 12), known, NOW, whole=True).lift == [known[0].id]
    broken = read(event(*HOUR, "RRULE:FREQ=WEEKLY", uid="a"))
    assert changes_of(broken, [known[0]], NOW, whole=True).lift == []


LINES = st.sampled_from([
    *HOUR, "RRULE:FREQ=WEEKLY;COUNT=3", "RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=2", "EXDATE:20261201", "EXDATE:x", "RDATE:y",
    "DTSTART:x", "DTEND;VALUE=DATE:20261202", "DURATION:-PT1H", "DURATION:P1000000D", "RECURRENCE-ID:20261201", "SEQUENCE:9",
    "STATUS:CANCELLED", "TRANSP:TRANSPARENT", "END:VEVENT", "BEGIN:VALARM", "DTSTART;TZID=:20261201T100000", "UID:two", ";;:", "\t",
    "RRULE:FREQ=WEEKLY;COUNT=2;UNTIL=20270101", "RRULE:FREQ=YEARLY;INTERVAL=0;COUNT=1", "RRULE:FREQ=WEEKLY;COUNT=-1",
])  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.lists(LINES, max_size=6), max_size=3))
def test_however_it_is_put_together_it_is_read_or_refused(events: list[list[str]]) -> None:
    raw = calendar(*(event(*lines) for lines in events))
    refused = None
    try:
        reading = read_calendar(raw, now=NOW, horizon=HORIZON)
        assert all(one.starts_at < one.ends_at for one in reading.busy)
    except Refused as error:
        refused = error
    assert refused is None or refused.field == "file"
