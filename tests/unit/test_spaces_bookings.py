"""The rules of booking and the free times that follow from them, as pure functions."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.spaces.availability.domain import SpaceTimes, free_from_now, free_times, is_free, nearest_windows
from services.spaces.bookings import domain
from services.spaces.bookings.domain import Booking, Wish
from services.spaces.calendars.domain import Rules, Span
from services.spaces.facilities.domain import Space, Terms, open_space
from shared.clock import SEOUL
from shared.offers.domain import Place
from shared.rules import Conflict, Refused

ID, MINUTE = UUID(int=8), timedelta(minutes=1)
NOW = datetime(2026, 11, 22, 9, 0, 30, tzinfo=SEOUL)
DAY = datetime(2026, 11, 24, tzinfo=SEOUL)


def space(**changed: Any) -> Space:
    terms = Terms(
        headline="회의실", description="", place=Place("수완도서관", None, 35.19, 126.82), radius_m=700, space_kind="room",
        capacity=8, price_krw=3_000, price_per="hour", accessibility=None, interests=(), opens_at=None, closes_at=None,
        expires_at=NOW + timedelta(days=30),
    )  # fmt: skip
    return open_space(ID, replace(terms, **changed), institution="수완동", posted_by="officer:1", now=NOW)


def window(start: float = 600, end: float = 660) -> Span:
    """Minutes after midnight of the day."""
    return Span(DAY + start * MINUTE, DAY + end * MINUTE)


def refusal(wanted: Span, now: datetime = NOW, **changed: Any) -> tuple[str, str]:
    with pytest.raises(Refused) as refused:
        domain.check_window(space(**changed), wanted, now)
    return refused.value.field, refused.value.rule


def held(wanted: Span, **changed: Any) -> Booking:
    return domain.hold(ID, space(**changed), 1, "citizen:하늘", Wish(wanted), NOW, 300, price_krw=0)


def test_lengths_are_allowed_up_to_and_including_their_rims() -> None:
    for minutes in (30, 1_440):
        domain.check_window(space(), window(600, 600 + minutes), NOW)
    assert refusal(window(600, 629)) == ("ends_at", "length")
    assert refusal(window(600, 600 + 1_441)) == ("ends_at", "length")


def test_a_booking_may_begin_this_very_minute_and_no_earlier() -> None:
    minute = NOW.replace(second=0)
    domain.check_window(space(), Span(minute, minute + 60 * MINUTE), NOW)
    earlier = Span(minute - MINUTE, minute + 60 * MINUTE)
    assert refusal(earlier) == ("starts_at", "in-future")


def test_lead_time_and_days_ahead_have_their_rims_inside() -> None:
    at = NOW.replace(second=0)
    domain.check_window(space(lead_minutes=60), Span(at + 60 * MINUTE, at + 120 * MINUTE), at)
    assert refusal(Span(at + 59 * MINUTE, at + 120 * MINUTE), at, lead_minutes=60) == ("starts_at", "lead")
    domain.check_window(space(ahead_days=7), Span(at + timedelta(days=7), at + timedelta(days=7, hours=1)), at)
    late = Span(at + timedelta(days=7, minutes=1), at + timedelta(days=7, hours=1))
    assert refusal(late, at, ahead_days=7) == ("starts_at", "too-far")


def test_who_is_too_many_for_a_room_or_a_desk_is_refused() -> None:
    domain.check_people(space().terms, 8)
    with pytest.raises(Refused):
        domain.check_people(space().terms, 9)
    desks = space(space_kind="desk", capacity=8, units=8).terms
    domain.check_people(desks, 1)
    with pytest.raises(Refused):
        domain.check_people(desks, 2)


@pytest.mark.parametrize(
    ("per", "wanted", "krw"),
    [
        ("hour", window(600, 690), 4_500),
        ("hour", window(600, 631), 1_550),
        ("day", window(600, 660), 3_000),
        ("day", window(1_380, 1_500), 6_000),
        ("day", window(0, 1_440), 3_000),
        ("use", window(600, 900), 3_000),
        ("month", window(600, 900), 3_000),
    ],
)
def test_what_a_window_costs(per: Any, wanted: Span, krw: int) -> None:
    assert domain.price_of(space(price_per=per).terms, wanted) == krw


def test_a_hold_ends_exactly_at_its_time() -> None:
    booking = held(window())
    assert booking.hold_until == NOW + 300 * timedelta(seconds=1)
    assert domain.lapsed(booking, NOW + timedelta(seconds=299), 900) is None
    gone = domain.lapsed(booking, NOW + timedelta(seconds=300), 900)
    assert gone is not None
    assert (gone.state, gone.hold_until, gone.version) == ("expired", None, 2)


def test_an_undecided_booking_ends_at_its_start() -> None:
    pending = domain.confirm(held(window(), approval="officer"), space(approval="officer").terms, NOW)
    assert pending.state == "pending"
    assert domain.lapsed(pending, pending.starts_at - MINUTE, 900) is None
    gone = domain.lapsed(pending, pending.starts_at, 900)
    assert gone is not None
    assert gone.state == "expired"


def test_a_confirmed_booking_is_given_up_before_its_start_only() -> None:
    confirmed = domain.agreed(held(window()), NOW)
    assert domain.cancel(confirmed, "못 감", confirmed.starts_at - MINUTE).state == "cancelled"
    with pytest.raises(Conflict):
        domain.cancel(confirmed, "못 감", confirmed.starts_at)


spans = st.lists(st.tuples(st.integers(0, 2_800), st.integers(1, 400)), max_size=12).map(
    lambda found: [window(start, start + length) for start, length in found]
)


def times(busy: dict[int, list[Span]], units: int, **changed: Any) -> SpaceTimes:
    return SpaceTimes(
        space(space_kind="desk", capacity=units, units=units, **changed), Rules(), tuple(range(units)), busy
    )


def touches(one: Span, other: Span) -> bool:
    return one.starts_at < other.ends_at and other.starts_at < one.ends_at


@given(st.lists(spans, min_size=1, max_size=3), st.sampled_from([0, 10]), st.sampled_from([0, 20]),
       st.integers(0, 2_800), st.integers(30, 300))  # fmt: skip
def test_a_window_is_free_exactly_where_one_unit_is_untouched_with_its_buffers(
    busy: list[list[Span]], before: int, after: int, start: int, length: int
) -> None:
    found = times(dict(enumerate(busy)), len(busy), before_min=before, after_min=after)
    wanted = window(start, start + length)
    taken = domain.occupied_by(found.space.terms, wanted)
    free = any(not any(touches(taken, one) for one in unit) for unit in busy)
    assert is_free(found, wanted, NOW) == free


@given(st.lists(spans, min_size=1, max_size=3))
def test_free_times_are_in_order_long_enough_and_say_how_many(busy: list[list[Span]]) -> None:
    found = free_times(times(dict(enumerate(busy)), len(busy)), window(0, 2_880), NOW)
    assert [(t.starts_at, t.ends_at) for t in found] == sorted({(t.starts_at, t.ends_at) for t in found})
    for time in found:
        assert time.ends_at - time.starts_at >= 30 * MINUTE
        whole = Span(time.starts_at, time.ends_at)
        assert time.units == sum(not any(touches(whole, one) for one in unit) for unit in busy)


@given(spans)
def test_the_nearest_other_times_are_free_and_as_long(busy: list[Span]) -> None:
    here, wanted = times({0: busy}, 1), window(1_000, 1_060)
    for other in nearest_windows(here, wanted, window(0, 2_880), NOW, 3):
        assert other.ends_at - other.starts_at == timedelta(hours=1)
        assert is_free(here, other, NOW)


def test_free_from_now_lasts_until_what_comes_next() -> None:
    minute = NOW.replace(second=0)
    busy = Span(minute + 45 * MINUTE, minute + 90 * MINUTE)
    free = free_from_now(times({0: [busy]}, 1), NOW, None)
    assert free is not None
    assert (free.starts_at, free.ends_at, free.units) == (minute, busy.starts_at, 1)
    assert free_from_now(times({0: [busy]}, 1), NOW, 46) is None
    assert free_from_now(times({0: [busy]}, 2), NOW, 46) is not None
    assert free_from_now(times({0: []}, 1, lead_minutes=5), NOW, None) is None
