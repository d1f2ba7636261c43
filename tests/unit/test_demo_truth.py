"""The demo's truth on cases made by hand, and against the engine's rules as domain.md words them."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo import areas
from demo.truth import AT_OPENING, Citizen, Movement, Pair, Posting, metres_between, moves, truth_of, wants
from shared.geo import district, haversine_m

NOW = datetime(2026, 7, 1, 5, 0, tzinfo=UTC)
T = NOW.timestamp()
LAT, LON = 35.16, 126.80
METRE = math.degrees(1 / 6_371_008.8)
HERE = Posting("space", ((LAT, LON, 700.0),))
SONGJEONG_1, SONGJEONG_1_OLD = "1233051500", "2920051500"


def walk(*fixes: tuple[float, float], accuracy_m: float = 10.0, citizen: int = 0) -> Movement:
    """Fixes as (second, metres north of the posting), each answered 50 ms after it was sent."""
    second, north = np.array(fixes, np.float64).T
    at = T + second
    size = len(fixes)
    return Movement(
        np.full(size, citizen, np.int64), at, LAT + north * METRE, np.full(size, LON), np.full(size, accuracy_m), at, at + 0.05
    )  # fmt: skip


def told(m: Movement, posting: Posting = HERE, citizen: Citizen | None = None) -> tuple[dict[Pair, int], set[Pair]]:
    truth = truth_of([citizen or Citizen()], [posting], m, NOW)
    return truth.expected, truth.unjudged


def test_the_first_fix_inside_decides_and_a_second_entry_does_not() -> None:
    assert told(walk((0, 900), (15, 600), (30, 900), (45, 1500), (60, 600))) == ({(0, 0): 1}, set())


@pytest.mark.parametrize(
    ("metres", "expected", "unjudged"), [(698.9, 1, 0), (699.5, 0, 1), (700.0, 0, 1), (700.9, 0, 1), (701.1, 0, 0)]
)
def test_within_a_metre_of_the_rim_is_not_judged(metres: float, expected: int, unjudged: int) -> None:
    found = told(walk((0, metres)))
    assert (len(found[0]), len(found[1])) == (expected, unjudged)


def test_a_pair_at_the_rim_is_judged_by_a_fix_farther_in() -> None:
    assert told(walk((0, 700.5), (15, 650))) == ({(0, 0): 1}, set())


def test_the_citizens_own_radius_binds_too_but_not_for_a_dong() -> None:
    near = Citizen(radius_m=300)
    assert told(walk((0, 400)), citizen=near) == ({}, set())
    inside = district().by_code[SONGJEONG_1].area.representative_point()
    m = replace(walk((0, 0)), lat=np.array([inside.y]), lon=np.array([inside.x]))
    for code in (SONGJEONG_1, SONGJEONG_1_OLD):
        assert told(m, Posting("notice", dongs=(code,)), near) == ({(0, 0): 0}, set())


def test_an_inaccurate_fix_moves_nothing_and_the_limit_itself_does() -> None:
    assert told(walk((0, 600), accuracy_m=200.5)) == ({}, set())
    assert told(walk((0, 600), accuracy_m=200.0))[0] == {(0, 0): 0}


def test_an_implausible_jump_moves_nothing_and_both_accuracies_are_taken_off() -> None:
    assert moves(walk((0, 5000), (10, 4250), (20, 4200), accuracy_m=10)).tolist() == [True, False, True]
    assert moves(walk((0, 5000), (10, 4250), accuracy_m=30)).tolist() == [True, True]


def test_a_speed_near_the_limit_is_not_judged() -> None:
    assert told(walk((0, 1400), (10, 680))) == ({}, {(0, 0)})


def test_late_and_repeated_fixes_move_nothing() -> None:
    m = walk((10, 900), (5, 600), (10, 600))
    assert moves(m).tolist() == [True, False, False]
    assert told(m) == ({}, set())


def test_older_than_ten_minutes_is_refused_and_nearly_so_is_not_judged() -> None:
    fresh = walk((0, 600))
    assert told(replace(fresh, asked_at=fresh.asked_at + 601, taken_at=fresh.taken_at + 601)) == ({}, set())
    assert told(replace(fresh, asked_at=fresh.asked_at + 595, taken_at=fresh.taken_at + 595)) == ({}, {(0, 0)})
    assert told(replace(fresh, asked_at=fresh.asked_at + 580, taken_at=fresh.taken_at + 580))[0] == {(0, 0): 0}


def opened(at_s: float) -> Posting:
    return replace(HERE, asked_at=T + at_s, known_at=T + at_s + 1)


def test_who_stands_inside_when_it_opens_is_told_and_who_left_before_is_not() -> None:
    assert told(walk((0, 600)), opened(20)) == ({(0, 0): AT_OPENING}, set())
    assert told(walk((0, 600), (10, 900)), opened(20)) == ({}, set())


def test_who_enters_after_the_opening_is_told_by_that_fix() -> None:
    assert told(walk((0, 900), (30, 600)), opened(20)) == ({(0, 0): 1}, set())


def test_a_fix_on_its_way_while_it_opens_is_not_judged() -> None:
    assert told(walk((0, 900), (18, 600), (19, 900)), opened(20)) == ({}, {(0, 0)})
    assert told(walk((0, 600), (20.5, 900)), opened(20)) == ({}, {(0, 0)})


def test_who_stood_there_for_longer_than_ten_minutes_is_not_told() -> None:
    assert told(walk((0, 600)), opened(620))[0] == {}


SHIFT = (NOW + timedelta(hours=3), NOW + timedelta(hours=5))
JOB = replace(HERE, kind="job", interests=frozenset({"care"}), starts_at=SHIFT[0], ends_at=SHIFT[1])
FREE_ALL_DAY = (NOW - timedelta(hours=1), NOW + timedelta(hours=10))


@pytest.mark.parametrize(
    ("citizen", "posting", "wanted"),
    [
        (Citizen(), JOB, True),
        (Citizen(kinds=frozenset({"space"})), JOB, False),
        (Citizen(interests=frozenset({"care", "event"})), JOB, True),
        (Citizen(interests=frozenset({"event"})), JOB, False),
        (Citizen(interests=frozenset({"event"})), HERE, True),
        (Citizen(), replace(JOB, min_age=19), False),
        (Citizen(birth_year=2006), replace(JOB, min_age=19), True),
        (Citizen(birth_year=2007), replace(JOB, min_age=19), False),
        (Citizen(free=FREE_ALL_DAY), JOB, True),
        (Citizen(free=(FREE_ALL_DAY[0], NOW + timedelta(hours=4))), JOB, False),
        (Citizen(free=(NOW + timedelta(hours=1), FREE_ALL_DAY[1])), JOB, False),
        (Citizen(free=(FREE_ALL_DAY[0], NOW + timedelta(hours=4))), HERE, True),
    ],
)
def test_whom_a_posting_is_for(citizen: Citizen, posting: Posting, wanted: bool) -> None:
    assert wants(citizen, posting, NOW) is wanted


@given(st.floats(-60, 60), st.floats(126, 128), st.floats(-0.05, 0.05), st.floats(-0.05, 0.05))
def test_its_distance_is_that_of_the_great_circle(lat: float, lon: float, dlat: float, dlon: float) -> None:
    ours = metres_between(np.array([lat + dlat]), np.array([lon + dlon]), lat, lon)[0]
    assert ours == pytest.approx(haversine_m(lat + dlat, lon + dlon, lat, lon), abs=1e-3)


@given(st.integers(0, 20), st.floats(126.64, 126.87), st.floats(35.06, 35.27))
def test_its_dongs_are_those_of_the_map_except_at_the_border(number: int, lon: float, lat: float) -> None:
    dong = district().dongs[number]
    at = np.array([lat]), np.array([lon])
    assert areas.border_m(dong.code, *at)[0] < 0.1 or areas.inside(dong.code, *at)[0] == dong.contains(lat, lon)


@given(st.lists(st.tuples(st.integers(0, 300), st.floats(0, 1500)), min_size=1, max_size=20))
def test_brute_force_in_plain_python_agrees(fixes: list[tuple[int, float]]) -> None:
    m = walk(*fixes)
    last: tuple[float, float] | None = None
    inside = near_rim = doubtful = False
    for second, north in fixes:
        if last is not None:
            if second <= last[0]:
                continue
            excess = abs(north - last[1]) - 20.0 - 70.0 * (second - last[0])
            doubtful |= abs(excess) <= 0.6 * (second - last[0])
            if excess > 0:
                continue
        last = (second, north)
        inside |= north < 698.99
        near_rim |= 698.99 <= north <= 701.01
    expected, unjudged = told(m)
    if not doubtful and not near_rim:
        assert (bool(expected), bool(unjudged)) == (inside, False)
