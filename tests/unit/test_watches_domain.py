"""When a citizen is free and when quiet: windows by date and by week, in Seoul, and quiet hours across midnight."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, time, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matching.watches.domain import Span, free_spans, has_windows, quiet_until
from shared.clock import SEOUL
from shared.contracts.watch import QuietHours
from tests.engines import watch

MONDAY = datetime(2026, 11, 23, 12, 0, tzinfo=SEOUL)


def at(hour: int, minute: int = 0, *, day: int = 0) -> datetime:
    return MONDAY.replace(hour=hour, minute=minute) + timedelta(days=day)


def spans(now: datetime, **windows: Any) -> list[Span]:
    return free_spans(watch(**windows), now)


def weekly(weekday: int, starts: str, ends: str) -> dict[str, Any]:
    return {"weekday": weekday, "starts": starts, "ends": ends}


def dated(starts_at: datetime, ends_at: datetime) -> dict[str, Any]:
    return {"starts_at": starts_at, "ends_at": ends_at}


def test_without_any_window_one_names_none() -> None:
    assert not has_windows(watch())
    assert has_windows(watch(weekly=[weekly(0, "14:00", "17:00")]))


def test_a_weekly_window_is_of_seoul_and_comes_again_in_a_week() -> None:
    found = spans(MONDAY, weekly=[weekly(0, "14:00", "17:00")])
    assert found == [Span(at(14), at(17)), Span(at(14, day=7), at(17, day=7))]
    assert found[0].starts_at.astimezone(UTC).hour == 5


def test_a_weekly_window_across_midnight_still_runs_the_next_day() -> None:
    found = spans(at(1, day=1), weekly=[weekly(0, "22:00", "02:00")])
    assert found[0] == Span(at(22), at(2, day=1))


def test_a_weekly_window_that_ends_when_it_starts_is_a_whole_day() -> None:
    assert spans(MONDAY, weekly=[weekly(0, "09:00", "09:00")])[0] == Span(at(9), at(9, day=1))


@pytest.mark.parametrize("now_hour", [0, 8])
def test_the_weekday_is_seouls_also_where_utc_has_another(now_hour: int) -> None:
    """Monday 00-09 in Seoul is Sunday in UTC."""
    now = at(now_hour).astimezone(UTC)
    assert spans(now, weekly=[weekly(0, "00:00", "23:00")])[0] == Span(at(0), at(23))


def test_a_span_holds_its_start_and_not_its_end() -> None:
    span = Span(at(14), at(17))
    assert [span.holds(moment) for moment in (at(14), at(16, 59), at(17), at(13, 59))] == [True, True, False, False]


def test_what_is_over_is_left_out_from_its_very_end() -> None:
    window = dated(at(9), at(12))
    assert spans(at(11, 59), windows=[window]) == [Span(at(9), at(12))]
    assert spans(at(12), windows=[window]) == []


def test_dated_windows_hold_however_far_ahead() -> None:
    assert spans(MONDAY, windows=[dated(at(9, day=90), at(12, day=90))]) == [Span(at(9, day=90), at(12, day=90))]


@pytest.mark.parametrize(("gap_min", "joined"), [(0, True), (-30, True), (1, False)])
def test_spans_that_touch_or_overlap_are_one(gap_min: int, joined: bool) -> None:
    second = dated(at(15) + timedelta(minutes=gap_min), at(18))
    found = spans(MONDAY, windows=[second], weekly=[weekly(0, "13:00", "15:00")])
    assert (found[0] == Span(at(13), at(18))) is joined


def test_a_span_within_another_adds_nothing() -> None:
    found = spans(MONDAY, windows=[dated(at(13), at(20)), dated(at(14), at(15))])
    assert found == [Span(at(13), at(20))]


times = st.times(timezones=st.none()).map(lambda t: t.replace(second=0, microsecond=0))
windows = st.lists(st.tuples(st.integers(0, 6), times, times), max_size=6)


@given(named=windows, ahead_min=st.integers(0, 7 * 24 * 60))
def test_one_is_free_exactly_in_some_window(named: list[tuple[int, time, time]], ahead_min: int) -> None:
    settings = watch(weekly=[{"weekday": day, "starts": starts, "ends": ends} for day, starts, ends in named])
    now = MONDAY.replace(hour=0) + timedelta(minutes=ahead_min)
    minute, day = now.hour * 60 + now.minute, now.weekday()
    expected = False
    for weekday, starts, ends in named:
        first, last = starts.hour * 60 + starts.minute, ends.hour * 60 + ends.minute
        length = (last - first) % 1440 or 1440
        expected |= ((day - weekday) % 7 * 1440 + minute - first) % (7 * 1440) < length
    found = free_spans(settings, now)
    assert any(span.holds(now) for span in found) is expected
    assert all(a.ends_at < b.starts_at for a, b in itertools.pairwise(found))


QUIET = QuietHours(starts=time(21), ends=time(8))


@pytest.mark.parametrize(
    ("now", "until"),
    [
        (at(20, 59), None),
        (at(21), at(8, day=1)),
        (at(23, 59), at(8, day=1)),
        (at(0), at(8)),
        (at(7, 59), at(8)),
        (at(8), None),
    ],
)
def test_quiet_hours_across_midnight_hold_their_start_and_not_their_end(now: datetime, until: datetime | None) -> None:
    assert quiet_until(QUIET, now.astimezone(UTC)) == until


@pytest.mark.parametrize(("now", "until"), [(at(11, 59), None), (at(12), at(14)), (at(13, 59), at(14)), (at(14), None)])
def test_quiet_hours_may_lie_within_a_day(now: datetime, until: datetime | None) -> None:
    assert quiet_until(QuietHours(starts=time(12), ends=time(14)), now) == until


def test_no_quiet_hours_and_empty_ones_are_never() -> None:
    assert quiet_until(None, MONDAY) is None
    assert quiet_until(QuietHours(starts=time(9), ends=time(9)), at(9)) is None


def test_hours_with_an_offset_are_read_as_seouls() -> None:
    """The API refuses them; one that came another way must not stop the engine."""
    odd = QuietHours(starts=time(21, tzinfo=UTC), ends=time(8, tzinfo=timezone(timedelta(hours=2))))
    assert quiet_until(odd, at(22)) == at(8, day=1)
