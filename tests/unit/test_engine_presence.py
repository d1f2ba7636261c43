"""Entering, leaving and the gates a fix must pass (M1), on an engine of its own."""

from __future__ import annotations

import math

import numpy as np
import pytest

from services.matching.engine import zones
from services.matching.engine.tables import NEW_SHAPE, SHAPE
from shared.geo import haversine_m
from tests.engines import PLACE, World, about, next_of, north_of, place
from tests.samples import posting

# M1: entering


def test_a_citizen_at_exactly_the_radius_is_inside_and_no_farther() -> None:
    shape = np.array([NEW_SHAPE], SHAPE)
    shape["lat"], shape["lon"], shape["cos_lat"] = PLACE[0], PLACE[1], math.cos(math.radians(PLACE[0]))
    lat, lon = north_of(700)
    metres = haversine_m(lat, lon, *PLACE)
    for radius_m, zone in ((metres, zones.INSIDE), (math.nextafter(metres, 0), zones.RIM)):
        shape["radius_m"] = radius_m
        assert zones.zone_of(lat, lon, math.cos(math.radians(lat)), -1, 2_000.0, shape[0]) == zone


@pytest.mark.parametrize(("metres", "told"), [(699.999, True), (700.001, False), (-699.999, True), (-700.001, False)])
def test_one_millimetre_decides(world: World, metres: float, told: bool) -> None:
    job = posting()
    world.put(job)
    assert world.stands(metres) == (about(job) if told else [])


def test_an_alert_says_the_exact_distance_and_its_cause(world: World) -> None:
    world.put(posting())
    world.stands(321.0)
    (match,) = world.matches
    assert match.distance_m == pytest.approx(321.0, abs=1e-6)
    assert (match.cause, match.fix) == ("citizen_moved", 0)


def test_who_stays_is_not_told_again(world: World) -> None:
    world.put(posting())
    world.stands(100)
    assert [world.stands(metres) for metres in (100, 300, 699, 0)] == [[], [], [], []]


# M1: leaving, seen by whether a new urgency epoch reaches the citizen where they stand


def present_after(world: World, *metres: float, radius_m: int = 700) -> bool:
    """Whether one who was inside and then went there is still present."""
    job = posting(where=place(radius_m))
    world.put(job)
    assert world.stands(0) == about(job)
    for stand in metres:
        assert world.stands(stand) == []
    return world.put(next_of(job, urgency_epoch=1)) != []


@pytest.mark.parametrize(
    ("radius_m", "metres", "present"),
    [(700, 769.999, True), (700, 770.001, False), (100, 119.999, True), (100, 120.001, False), (200, 219.999, True)],
)
def test_the_exit_rim_is_a_tenth_or_twenty_metres_beyond(
    world: World, radius_m: int, metres: float, present: bool
) -> None:
    assert present_after(world, metres, metres, radius_m=radius_m) is present


def test_one_outlier_is_no_exit(world: World) -> None:
    assert present_after(world, 900, 750)


def test_a_second_fix_beyond_confirms_the_exit(world: World) -> None:
    assert not present_after(world, 900, 901, 750)


def test_outliers_with_a_fix_inside_between_are_no_exit(world: World) -> None:
    assert present_after(world, 900, 750, 900, 750)


def test_an_outlier_in_another_cell_is_no_exit_either(world: World) -> None:
    assert present_after(world, 2_500, 750)


def test_long_stays_do_not_change_what_an_outlier_means(world: World) -> None:
    assert present_after(world, *[10] * 20, 900, 750)


def test_an_outlier_within_the_same_cell_is_no_exit_however_long_the_stay(world: World) -> None:
    assert present_after(world, *[10] * 5, 150, 110, radius_m=100)


def test_who_only_came_to_the_rim_never_was_inside(world: World) -> None:
    job = posting()
    world.put(job)
    assert world.stands(750) == []
    assert world.put(next_of(job, urgency_epoch=1)) == []


def test_who_is_present_in_the_rim_stays_so_when_memory_is_renewed(world: World) -> None:
    job = posting()
    world.put(job)
    assert world.stands(650) == about(job)
    assert world.stands(710) == []
    world.engine.renew_pairs()
    assert world.put(next_of(job, urgency_epoch=1)) != []


def test_nobody_is_told_again_on_coming_back_in_the_same_epoch(world: World) -> None:
    world.put(posting())
    world.stands(0)
    assert [world.stands(metres) for metres in (2_000, 2_000, 2_000, 0)] == [[], [], [], []]


def test_a_new_epoch_tells_anew_once(world: World) -> None:
    job = posting()
    world.put(job)
    world.stands(0)
    urgent = next_of(job, urgency_epoch=1)
    assert world.put(urgent) == about(urgent)
    assert world.stands(10) == []
    assert world.put(next_of(urgent)) == []


def test_a_new_epoch_reaches_who_comes_back_later(world: World) -> None:
    job = posting()
    world.put(job)
    world.stands(0)
    world.stands(5_000, minutes=5)
    urgent = next_of(job, urgency_epoch=1)
    assert world.put(urgent) == []
    assert world.stands(0, minutes=5) == about(urgent)


# M1: gates


@pytest.mark.parametrize(("accuracy_m", "outcome"), [(200.0, "accepted"), (200.001, "inaccurate"), (0.0, "accepted")])
def test_a_fix_less_accurate_than_200_m_moves_nothing(world: World, accuracy_m: float, outcome: str) -> None:
    job = posting()
    world.put(job)
    assert world.stands(0, accuracy_m=accuracy_m) == (about(job) if outcome == "accepted" else [])
    assert world.outcomes == [outcome]


@pytest.mark.parametrize(("metres", "outcome"), [(4_209.9, "accepted"), (4_210.1, "implausible")])
def test_a_fix_that_implies_more_than_70_m_a_second_moves_nothing(world: World, metres: float, outcome: str) -> None:
    """Both fixes may be off by their accuracy of 5 m: 70 m/s for 60 s, and 10 m."""
    world.stands(0)
    world.stands(metres)
    assert world.outcomes == [outcome]


def test_a_refused_fix_leaves_the_citizen_where_they_were(world: World) -> None:
    job = posting(where=place(metres=30_000))
    world.stands(0)
    world.put(job)
    assert world.stands(30_000) == []
    assert world.outcomes == ["implausible"]
    assert world.stands(30, minutes=0.1) == []
    assert world.outcomes == ["accepted"]


def test_a_claim_of_precision_does_not_make_a_jump_an_exit(world: World) -> None:
    """A fix 200 m out that claims 1.7 m: one is an outlier, whatever it claims of itself."""
    job = posting(where=place(100))
    world.put(job)
    world.stands(0)
    world.stands(300, minutes=1, accuracy_m=1.7)
    world.stands(110, minutes=1)
    assert world.put(next_of(job, urgency_epoch=1)) != []
