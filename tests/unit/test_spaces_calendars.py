"""Opening hours, rest days and closures decide together, minute by minute as a plain look at the clock would."""

from __future__ import annotations

import itertools
from datetime import date, datetime, time, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.spaces.calendars.domain import (
    Closure,
    Hours,
    Opening,
    Rules,
    Span,
    allows,
    check_hours,
    open_spans,
    opening,
    openings_on,
    without,
)
from services.spaces.calendars.holidays import holidays_with
from services.spaces.calendars.reading import read_rest
from shared.clock import SEOUL
from shared.rules import Conflict, Refused

OFFICE = (Opening(9 * 60, 18 * 60),)
WEEKDAYS_ONLY = Hours((OFFICE,) * 5 + ((), ()))


def at(written: str) -> datetime:
    return datetime.fromisoformat(written).replace(tzinfo=SEOUL)


def span(starts_at: str, ends_at: str) -> Span:
    return Span(at(starts_at), at(ends_at))


def rules(hours: Hours | None = None, rest: str = "", *closures: Span) -> Rules:
    shut = tuple(Closure(uuid4(), one.starts_at, one.ends_at, "도색") for one in closures)
    return Rules(hours or Hours(), read_rest(rest), holidays_with([]), shut)


@pytest.mark.parametrize(
    ("opens", "closes", "midnight", "means"),
    [
        (time(9), time(18), False, Opening(540, 1_080)),
        (time(0), time(0), False, None),
        (time(0), time(0), True, Opening(0, 1_440)),
        (time(18), time(0), True, Opening(1_080, 1_440)),
        (time(18), time(0), False, Opening(1_080, 1_440)),
        (time(22), time(6), False, Opening(1_320, 1_800)),
        (time(9), time(9), False, Opening(540, 1_980)),
        (time(0), time(23, 59), False, Opening(0, 1_439)),
    ],
)
def test_two_times_of_day_mean_an_opening(opens: time, closes: time, midnight: bool, means: Opening | None) -> None:
    assert opening(opens, closes, until_midnight=midnight) == means


@pytest.mark.parametrize(
    ("window", "rule"),
    [
        (span("2026-11-23T09:00", "2026-11-23T18:00"), None),
        (span("2026-11-23T08:59", "2026-11-23T10:00"), "outside-hours"),
        (span("2026-11-23T17:00", "2026-11-23T18:01"), "outside-hours"),
        (span("2026-11-23T17:00", "2026-11-24T10:00"), "outside-hours"),
        (span("2026-11-28T10:00", "2026-11-28T11:00"), "outside-hours"),
        (span("2026-12-25T10:00", "2026-12-25T11:00"), "rest-day"),
        (span("2026-11-24T10:00", "2026-11-24T12:00"), "closure"),
        (span("2026-11-24T12:00", "2026-11-24T13:00"), None),
        (span("2026-11-24T10:00", "2026-11-24T09:00"), "reversed"),
        (span("2026-11-24T10:00", "2036-11-24T09:00"), "too-long"),
        (span("9998-12-31T10:00", "9998-12-31T11:00"), "time-range"),
    ],
)
def test_a_window_is_allowed_or_told_why_not(window: Span, rule: str | None) -> None:
    shut = span("2026-11-24T11:00", "2026-11-24T12:00")
    refused = allows(rules(WEEKDAYS_ONLY, "법정공휴일", shut), window)
    assert (refused.rule if refused else None) == rule
    assert isinstance(refused, Conflict) == (rule == "closure")


def test_without_a_calendar_it_is_always_open() -> None:
    assert allows(Rules(), span("2026-12-31T22:00", "2027-01-02T03:00")) is None
    assert open_spans(Rules(), at("2026-11-30T00:00"), at("2026-12-02T00:00")) == [span("2026-11-30", "2026-12-02")]


def test_an_overnight_opening_belongs_to_the_evening_it_begins() -> None:
    night = rules(Hours(((Opening(22 * 60, 30 * 60),),) * 7), "매주 월요일")
    assert allows(night, span("2026-11-22T23:00", "2026-11-23T06:00")) is None  # Sunday night runs into Monday
    refused = allows(night, span("2026-11-23T22:00", "2026-11-23T23:00"))
    assert refused is not None
    assert refused.rule == "rest-day"
    assert allows(night, span("2026-11-30T22:00", "2026-11-30T23:00")) is not None
    assert allows(rules(night.hours), span("2026-11-30T23:30", "2026-12-01T02:00")) is None  # over a month's end


def test_days_open_round_the_clock_adjoin() -> None:
    all_days = rules(None, "매주 일요일")
    assert allows(all_days, span("2026-11-27T20:00", "2026-11-29T00:00")) is None
    refused = allows(all_days, span("2026-11-27T20:00", "2026-11-29T00:01"))
    assert refused is not None
    assert "2026-11-29" in refused.detail


def test_holidays_may_have_hours_of_their_own() -> None:
    short = rules(Hours((OFFICE,) * 7, (Opening(600, 720),)))
    assert openings_on(short, date(2026, 12, 25)) == (Opening(600, 720),)
    assert openings_on(short, date(2026, 12, 24)) == OFFICE


@pytest.mark.parametrize(
    "openings",
    [(Opening(600, 700), Opening(690, 800)), (Opening(600, 600),), (Opening(700, 800), Opening(100, 200)),
     (Opening(0, 1_441),), (Opening(1_440, 1_500),), (Opening(-1, 5),)],
)  # fmt: skip
def test_hours_that_make_no_sense_are_refused(openings: tuple[Opening, ...]) -> None:
    with pytest.raises(Refused):
        check_hours(Hours((openings,) * 7))


minutes = st.integers(0, 3 * 1_440)


@given(
    st.lists(st.tuples(minutes, minutes), max_size=5), st.tuples(minutes, minutes), st.sampled_from(["", "매주 화요일"])
)
def test_open_spans_agree_with_a_look_at_every_quarter_hour(
    shut: list[tuple[int, int]], look: tuple[int, int], rest: str
) -> None:
    monday = at("2026-11-23T00:00")

    def moment(minute: int) -> datetime:
        return monday + timedelta(minutes=minute)

    closures = [Span(moment(a), moment(b)) for a, b in shut if a < b]
    kept = rules(Hours(((Opening(540, 1_080), Opening(1_200, 1_500)),) * 7), rest, *closures)
    first, last = min(look), max(look) + 1
    spans = open_spans(kept, moment(first), moment(last))
    for minute in range(first, last, 15):
        of_day, day = minute % 1_440, minute // 1_440
        resting = [bool(rest) and (n % 7) == 1 for n in (day, day - 1)]
        by_hours = (not resting[0] and (540 <= of_day < 1_080 or of_day >= 1_200)) or (not resting[1] and of_day < 60)
        shut_now = any(one.starts_at <= moment(minute) < one.ends_at for one in closures)
        inside = any(one.starts_at <= moment(minute) < one.ends_at for one in spans)
        assert inside == (by_hours and not shut_now)
    assert all(a.ends_at < b.starts_at or closures for a, b in itertools.pairwise(spans))
    assert without(spans, [Span(moment(first), moment(last))]) == []
