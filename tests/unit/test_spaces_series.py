"""RRULEs: the dates of good ones, the names of what is wrong with bad ones, and none that takes long."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.spaces.calendars.domain import Span
from services.spaces.series.domain import Bounds, dates_of
from shared.clock import SEOUL
from shared.rules import Refused

MONDAY = datetime(2027, 1, 4, 10, tzinfo=SEOUL)


def first(start: datetime = MONDAY, hours: float = 1) -> Span:
    return Span(start, start + timedelta(hours=hours))


def days(rule: str, start: datetime = MONDAY) -> list[str]:
    return [f"{one.starts_at:%m-%d}" for one in dates_of(rule, first(start), Bounds())]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=WEEKLY;COUNT=3", ["01-04", "01-11", "01-18"]),
        ("RRULE:FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20270113", ["01-04", "01-06", "01-11", "01-13"]),
        ("freq=weekly;interval=2;count=3", ["01-04", "01-18", "02-01"]),
        ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR;COUNT=6", ["01-04", "01-05", "01-06", "01-07", "01-08", "01-11"]),
        ("FREQ=MONTHLY;BYDAY=1MO;COUNT=3", ["01-04", "02-01", "03-01"]),
        ("FREQ=MONTHLY;BYDAY=-1FR;COUNT=2", ["01-29", "02-26"]),
        ("FREQ=MONTHLY;BYMONTHDAY=31;COUNT=3", ["01-31", "03-31", "05-31"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=2", ["01-31", "02-28"]),
        ("FREQ=DAILY;UNTIL=20270106T010000Z", ["01-04", "01-05", "01-06"]),
        ("FREQ=DAILY;UNTIL=20270106T005959Z", ["01-04", "01-05"]),
    ],
)
def test_the_dates_of_a_rule(rule: str, expected: list[str]) -> None:
    assert days(rule) == expected


def test_each_date_is_as_long_as_the_first_and_at_its_time_of_day_in_seoul() -> None:
    night = first(datetime(2027, 1, 4, 14, tzinfo=SEOUL).replace(hour=23), 3)
    found = dates_of("FREQ=WEEKLY;COUNT=2", night, Bounds())
    assert [one.ends_at - one.starts_at for one in found] == [timedelta(hours=3)] * 2
    assert [one.starts_at.astimezone(SEOUL).hour for one in found] == [23, 23]


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ("FREQ=WEEKLY", "endless"),
        ("FREQ=DAILY;INTERVAL=1", "endless"),
        ("FREQ=WEEKLY;COUNT=3;UNTIL=20270201", "count-and-until"),
        ("FREQ=DAILY;COUNT=101", "too-many"),
        ("FREQ=DAILY;COUNT=99999999999", "syntax"),
        ("FREQ=DAILY;COUNT=0", "syntax"),
        ("FREQ=DAILY;UNTIL=20270701", "too-many"),
        ("FREQ=WEEKLY;UNTIL=99991231", "too-far"),
        ("FREQ=MONTHLY;COUNT=14", "too-far"),
        ("FREQ=WEEKLY;UNTIL=20261231", "no-date"),
        ("FREQ=SECONDLY;COUNT=5", "frequency"),
        ("FREQ=YEARLY;COUNT=2", "frequency"),
        ("COUNT=5", "frequency"),
        ("FREQ=DAILY;BYSETPOS=1;COUNT=2", "unsupported"),
        ("FREQ=DAILY;BYEASTER=0;COUNT=2", "unsupported"),
        ("FREQ=DAILY;INTERVAL=7;BYDAY=TU;COUNT=2", "unsupported"),
        ("FREQ=WEEKLY;BYDAY=1MO;COUNT=2", "syntax"),
        ("FREQ=WEEKLY;BYDAY=월;COUNT=2", "syntax"),
        ("FREQ=WEEKLY;INTERVAL=0;COUNT=2", "syntax"),
        ("FREQ=WEEKLY;INTERVAL=9999;COUNT=2", "too-many"),
        ("FREQ=WEEKLY;FREQ=DAILY;COUNT=2", "syntax"),
        ("FREQ=WEEKLY;UNTIL=20270230", "syntax"),
        ("FREQ=WEEKLY;UNTIL=99991231T235959Z", "syntax"),
        ("FREQ=WEEKLY;COUNT=٣", "syntax"),
        ("every week", "syntax"),
        (";" * 150, "syntax"),
        ("X" * 300, "syntax"),
    ],
)
def test_what_is_wrong_with_a_rule_is_named(rule: str, named: str) -> None:
    with pytest.raises(Refused) as refused:
        days(rule)
    assert (refused.value.field, refused.value.rule) == ("rrule", named)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=31;COUNT=3",
        "FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=30,31;UNTIL=20271231",
        "FREQ=MONTHLY;INTERVAL=12;BYDAY=5TU;COUNT=1",
        "FREQ=DAILY;BYMONTHDAY=31;COUNT=100",
        "FREQ=WEEKLY;INTERVAL=52;BYDAY=SU;COUNT=100",
        "FREQ=DAILY;INTERVAL=366;COUNT=100",
    ],
)
def test_a_rule_without_a_date_for_ages_is_answered_at_once(rule: str) -> None:
    started = time.process_time()
    with pytest.raises(Refused):
        days(rule, datetime(2027, 2, 1, 10, tzinfo=SEOUL))
    assert time.process_time() - started < 1.5


@given(
    st.text(alphabet="FREQ=WKLYDAIMONTH;COUNTBYSP,0123456789-+", max_size=60)
    | st.builds(
        lambda f, i, d, c: f"FREQ={f};INTERVAL={i};BYDAY={d};COUNT={c}",
        st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "HOURLY"]),
        st.integers(0, 400),
        st.sampled_from(["MO", "TU,TH", "-1SU", "5FR", "XX"]),
        st.integers(-1, 200),
    )
)
def test_any_text_gives_bounded_dates_in_order_or_is_refused(rule: str) -> None:
    try:
        found = dates_of(rule, first(), Bounds(20, 100))
    except Refused:
        return
    starts = [one.starts_at for one in found]
    assert starts == sorted(set(starts))
    assert 1 <= len(starts) <= 20
    assert MONDAY <= starts[0] <= starts[-1] <= MONDAY + timedelta(days=100)
