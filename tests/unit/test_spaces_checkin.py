"""Checking in, penalty points by date, the part of a booking that others can still use."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.spaces.bookings.domain import Booking, lapsed
from services.spaces.calendars.domain import Span
from services.spaces.checkin.domain import (
    PenaltyRule,
    Point,
    Waiting,
    check_in,
    check_out,
    freed,
    live_points,
    months_on,
    offer_windows,
    suspended_until,
)
from shared.clock import SEOUL
from shared.rules import Conflict
from tests.histories import NOW

ID, MINUTE, MICROSECOND = UUID(int=3), timedelta(minutes=1), timedelta(microseconds=1)
START = datetime(2026, 11, 23, 10, tzinfo=SEOUL)
RULE = PenaltyRule()


def booking(**changed: object) -> Booking:
    fields: dict[str, object] = {
        "id": ID, "space_id": ID, "unit_id": 1, "institution": "수완동", "citizen_id": "citizen:하늘", "version": 2,
        "state": "confirmed", "starts_at": START, "ends_at": START + 60 * MINUTE, "before_min": 0, "after_min": 0,
        "hold_until": None, "extensions": 0, "people": 1, "name": None, "purpose": None, "price_krw": 0,
        "subscription_id": None, "credit_minutes": 0, "series_id": None, "waiting_id": None, "confirmed_at": NOW,
        "checked_in_at": None, "ended_at": None, "because": None, "created_at": NOW, "changed_at": NOW,
    }  # fmt: skip
    return Booking(**{**fields, **changed})  # type: ignore[arg-type]


def point(given_at: datetime, *, waived: bool = False) -> Point:
    at = given_at if waived else None
    return Point(uuid4(), uuid4(), "citizen:하늘", "수완동", given_at, months_on(given_at, 3), at)


def day(month: int, day_: int, hour: int = 10, year: int = 2026) -> datetime:
    return datetime(year, month, day_, hour, tzinfo=SEOUL)


@pytest.mark.parametrize(("minutes", "good"), [(-10, True), (0, True), (15, True)])
def test_one_checks_in_from_ten_minutes_before_to_fifteen_after_both_inside(minutes: int, good: bool) -> None:
    at = START + minutes * MINUTE
    after = check_in(booking(), at, 600, 900)
    assert (after.state, after.checked_in_at, good) == ("in_use", at, True)


@pytest.mark.parametrize(
    ("at", "rule"), [(START - 10 * MINUTE - MICROSECOND, "too-early"), (START + 15 * MINUTE + MICROSECOND, "too-late")]
)
def test_outside_the_window_nobody_checks_in(at: datetime, rule: str) -> None:
    with pytest.raises(Conflict) as refused:
        check_in(booking(), at, 600, 900)
    assert refused.value.rule == rule


def test_what_lapses_does_so_exactly_when_checking_in_ends() -> None:
    assert lapsed(booking(), START + 15 * MINUTE, 900) is None
    gone = lapsed(booking(), START + 15 * MINUTE + MICROSECOND, 900)
    assert gone is not None
    assert (gone.state, gone.version) == ("no_show", 3)


def test_who_confirmed_after_the_start_has_as_long_from_then() -> None:
    late = booking(confirmed_at=START + 14 * MINUTE)
    assert lapsed(late, START + 29 * MINUTE, 900) is None
    assert lapsed(late, START + 29 * MINUTE + MICROSECOND, 900) is not None


def test_leaving_early_frees_the_rest_after_cleaning_up() -> None:
    left = check_out(booking(state="in_use", after_min=10, before_min=5), START + 20 * MINUTE)
    assert (left.state, left.ended_at) == ("done", START + 20 * MINUTE)
    assert freed(left, START + 20 * MINUTE) == Span(START + 35 * MINUTE, START + 60 * MINUTE)


def test_leaving_before_the_start_still_leaves_a_minute_behind() -> None:
    left = check_out(booking(state="in_use"), START - 5 * MINUTE)
    assert left.ended_at == START + MINUTE


def test_what_is_freed_begins_at_a_whole_minute_and_not_in_the_past() -> None:
    gone = booking(state="no_show")
    assert freed(gone, START + timedelta(minutes=15, seconds=1)) == Span(START + 16 * MINUTE, START + 60 * MINUTE)
    assert freed(gone, START - 60 * MINUTE) == Span(START, START + 60 * MINUTE)
    assert freed(gone, START + 60 * MINUTE) is None


@pytest.mark.parametrize(
    ("given_at", "months", "lapses"),
    [
        (day(11, 22), 3, day(2, 22, 0, 2027)),
        (day(11, 30), 3, day(2, 28, 0, 2027)),
        (day(12, 31, 23), 1, day(1, 31, 0, 2027)),
        (day(1, 31, year=2028), 1, day(2, 29, 0, 2028)),
        (day(12, 1, 0), 12, day(12, 1, 0, 2027)),
    ],
)
def test_months_are_counted_by_date_in_seoul(given_at: datetime, months: int, lapses: datetime) -> None:
    assert months_on(given_at, months) == lapses


def test_three_live_points_suspend_for_a_month_from_the_third() -> None:
    two = [point(day(9, 1)), point(day(10, 1))]
    assert suspended_until(two, RULE, day(10, 2)) is None
    three = [*two, point(day(11, 22))]
    assert suspended_until(three, RULE, day(11, 23)) == day(12, 22, 0)
    assert suspended_until(three, RULE, day(12, 22, 0)) is None


def test_a_point_lapses_by_date_and_then_no_longer_counts() -> None:
    first = point(day(8, 22))
    on_the_day = [first, point(day(10, 1)), point(day(11, 22, 0))]
    assert suspended_until(on_the_day, RULE, day(11, 23)) is None
    a_day_before = [first, point(day(10, 1)), point(day(11, 21, 23))]
    assert suspended_until(a_day_before, RULE, day(11, 22)) == day(12, 21, 0)
    assert [len(live_points([first], at)) for at in (day(11, 21, 23), day(11, 22, 0))] == [1, 0]


def test_a_waived_point_ends_the_suspension_that_hung_on_it() -> None:
    points = [point(day(9, 1)), point(day(10, 1), waived=True), point(day(11, 22))]
    assert suspended_until(points, RULE, day(11, 23)) is None


@given(st.lists(st.integers(0, 900), max_size=12), st.integers(0, 1_000))
def test_nobody_is_suspended_longer_than_a_month_from_their_last_point(days: list[int], at: int) -> None:
    points = [point(day(1, 1, year=2025) + timedelta(days=n)) for n in sorted(days)]
    now = day(1, 1, year=2025) + timedelta(days=at)
    until = suspended_until([p for p in points if p.given_at <= now], RULE, now)
    if until is not None:
        assert now < until <= months_on(max(p.given_at for p in points if p.given_at <= now), 1)
        assert len(days) >= 3


def test_an_offer_is_all_that_is_left_of_what_was_wanted_or_the_part_that_became_free() -> None:
    def wants(start: int, end: int) -> Waiting:
        at, until = START + start * MINUTE, START + end * MINUTE
        return Waiting(ID, ID, "수완동", "citizen:바다", 1, "waiting", at, until, 1, None, None, NOW, NOW)

    free = Span(START + 16 * MINUTE, START + 60 * MINUTE)
    assert offer_windows(wants(0, 60), free, 1_800) == [free]
    assert offer_windows(wants(0, 120), free, 1_800) == [Span(START + 16 * MINUTE, START + 120 * MINUTE), free]
    assert offer_windows(wants(30, 60), free, 1_800) == [Span(START + 30 * MINUTE, START + 60 * MINUTE)]
    assert offer_windows(wants(50, 60), free, 1_800) == []
