"""Circles, 행정동, places that move or widen, and postings that end (J5, M5), on an engine of its own."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest

from shared.geo import EARTH_M, District, district, haversine_m
from tests.engines import HANEUL, PLACE, Step, World, about, next_of, place, watch
from tests.samples import NOW, posting

# Places


@pytest.mark.parametrize("code", ["new", "old"])
def test_a_posting_for_a_dong_tells_who_is_in_it_by_either_code(world: World, code: str) -> None:
    here = district().dong_at(*PLACE)
    assert here is not None
    notice = posting(kind="notice", where={"dongs": [here.code if code == "new" else here.old_code]})
    world.put(notice)
    assert world.stands(0) == about(notice)
    assert world.matches[0].distance_m is None


def test_a_posting_for_another_dong_is_silent_until_one_is_there(world: World) -> None:
    here, other = district().dong_at(*PLACE), far_dong(district())
    assert here is not None
    notice = posting(kind="notice", where={"dongs": [other.code]})
    world.put(notice)
    world.stands(0)
    point = other.area.representative_point()
    world.later(minutes=30)
    assert world.take(Step(HANEUL, point.y, point.x, world.now)) == about(notice)


def far_dong(where: District) -> Any:
    return max(where.dongs, key=lambda dong: haversine_m(*PLACE, dong.area.centroid.y, dong.area.centroid.x))


def test_a_dong_nobody_knows_reaches_nobody(world: World) -> None:
    assert world.put(posting(kind="notice", where={"dongs": ["9999999999"]})) == []
    assert world.stands(0) == []


def test_a_notice_for_a_dong_that_opens_tells_who_stands_in_it(world: World) -> None:
    here = district().dong_at(*PLACE)
    assert here is not None
    world.stands(0)
    notice = posting(kind="notice", where={"dongs": [here.code]})
    assert world.put(notice) == about(notice)


@pytest.mark.parametrize("metres", [0, 5_000])
def test_each_of_several_circles_counts_and_all_are_one_posting(world: World, metres: float) -> None:
    job = posting(where={"circles": place()["circles"] + place(metres=5_000)["circles"]})
    world.put(job)
    assert world.stands(metres, minutes=30) == about(job)
    assert world.stands(5_000 - metres, minutes=30) == []


def test_overlapping_circles_tell_once(world: World) -> None:
    job = posting(where={"circles": place()["circles"] + place(metres=100)["circles"]})
    world.put(job)
    assert world.stands(50) == about(job)
    other = posting(where=job.where)
    assert world.put(other) == about(other)


def test_presence_holds_in_the_first_of_several_circles_after_they_moved(world: World) -> None:
    world.stands(0)
    job = posting(where=place(metres=9_000))
    world.put(job)
    moved = next_of(job, where={"circles": place()["circles"] + place(metres=5_000)["circles"]})
    assert world.put(moved) == about(moved)
    world.stands(750)
    urgent = next_of(moved, urgency_epoch=1)
    assert world.put(urgent) == about(urgent)


def test_a_place_that_moves_leaves_the_old_area_and_evaluates_the_new(world: World) -> None:
    world.set(watch("citizen:새곳"))
    world.stands(0)
    world.stands(3_000, "citizen:새곳", minutes=0)
    job = posting()
    assert world.put(job) == about(job)
    moved = next_of(job, where=place(metres=3_000))
    assert world.put(moved) == about(moved, "citizen:새곳")
    world.set(watch("citizen:옛곳"))
    assert world.stands(0, "citizen:옛곳") == []


def test_after_a_move_the_old_rim_means_nothing(world: World) -> None:
    job = posting()
    world.put(job)
    world.stands(0)
    moved = next_of(job, where=place(metres=740))
    world.put(moved)
    assert world.put(next_of(moved, urgency_epoch=1)) == []


def test_a_radius_that_shrinks_tells_nobody_new_and_keeps_who_was_told(world: World) -> None:
    job = posting()
    world.put(job)
    world.stands(600)
    assert world.put(next_of(job, where=place(500))) == []
    assert world.stands(400) == []


def test_far_from_the_district_distance_decides_too() -> None:
    """At 70 degrees north and across the antimeridian."""
    world = World()
    world.set(watch())
    arctic = posting(where={"circles": [{"lat": 70.0, "lon": 179.9999, "radius_m": 700}]})
    world.put(arctic)
    east_m = 600 / (EARTH_M * math.cos(math.radians(70)))
    there = Step(HANEUL, 70.0, -180 + (math.degrees(east_m) - 0.0001), world.now)
    assert world.take(there) == about(arctic)


# Ends


def test_closed_is_silent_and_reopened_with_a_new_epoch_tells_anew(world: World) -> None:
    job = posting()
    world.put(job)
    world.stands(0)
    closed = next_of(job, status="closed")
    assert world.put(closed) == []
    world.set(watch("citizen:늦은"))
    assert world.stands(0, "citizen:늦은") == []
    again = next_of(closed, status="open", urgency_epoch=1)
    assert sorted(world.put(again)) == sorted(about(again) + about(again, "citizen:늦은"))


def test_reopened_in_the_same_epoch_tells_only_who_was_not_told(world: World) -> None:
    job = posting()
    world.put(job)
    world.stands(0)
    closed = next_of(job, status="closed")
    world.put(closed)
    world.set(watch("citizen:늦은"))
    world.stands(0, "citizen:늦은", minutes=0)
    again = next_of(closed, status="open")
    assert world.put(again) == about(again, "citizen:늦은")


def test_who_stands_in_the_rim_of_what_opens_again_is_not_present_any_more(world: World) -> None:
    job = posting()
    world.put(job)
    assert world.stands(650) == about(job)
    assert world.stands(710) == []
    closed = next_of(job, status="closed")
    assert world.put(closed) == []
    again = next_of(closed, status="open", urgency_epoch=1)
    assert world.put(again) == []
    assert world.stands(690) == about(again)


@pytest.mark.parametrize(("before_s", "told"), [(0.001, True), (0, False)])
def test_nothing_is_told_from_the_second_it_expires(world: World, before_s: float, told: bool) -> None:
    job = posting(expires_at=NOW + timedelta(minutes=10))
    world.put(job)
    world.now = job.expires_at - timedelta(seconds=before_s)
    assert world.stands(0, minutes=0) == (about(job) if told else [])


def test_what_expired_and_is_extended_tells_who_stands_there(world: World) -> None:
    job = posting(expires_at=NOW + timedelta(minutes=1))
    world.put(job)
    assert world.stands(0, minutes=2) == []
    longer = next_of(job, expires_at=NOW + timedelta(days=1))
    assert world.put(longer) == about(longer)


def test_an_older_version_changes_nothing(world: World) -> None:
    job = posting(version=5)
    world.put(job)
    assert world.put(posting(job.id, 4, where=place(metres=9_000))) == []
    assert world.put(posting(job.id, 5, status="closed")) == []
    assert world.stands(0) == about(job)


# J5


def test_circles_widen_by_schedule_and_tell_whom_they_reach(world: World) -> None:
    steps = {"steps_m": [700, 1_000, 1_500], "every_s": 300, "began_at": NOW}
    urgent = posting(widens=steps)
    world.put(urgent)
    for citizen, metres in (("citizen:둘", 999), ("citizen:셋", 1_499), ("citizen:넷", 1_501)):
        world.set(watch(citizen))
        world.stands(metres, citizen, minutes=0)
    assert world.later(seconds=299.999).tick() == []
    assert world.later(seconds=0.001).tick() == about(urgent, "citizen:둘")
    assert world.later(seconds=299.999).tick() == []
    assert world.later(seconds=0.001).tick() == about(urgent, "citizen:셋")
    assert world.later(minutes=5).tick() == []


def test_a_step_due_later_in_the_present_millisecond_waits_for_the_next(world: World) -> None:
    """Looked for once a tick and never twice in it: a step that is due and yet to come would be looked for for ever."""
    urgent = posting(widens={"steps_m": [700, 1_000], "every_s": 300, "began_at": NOW + timedelta(microseconds=700)})
    world.put(urgent)
    world.set(watch("citizen:둘"))
    world.stands(999, "citizen:둘", minutes=0)
    assert world.later(seconds=300.0005).tick() == []
    assert world.later(seconds=0.001).tick() == about(urgent, "citizen:둘")


def test_what_begins_to_widen_reaches_farther_at_once_and_then_by_its_steps(world: World) -> None:
    job = posting()
    world.put(job)
    world.set(watch("citizen:둘"))
    assert world.stands(1_400, "citizen:둘", minutes=0) == world.stands(990, minutes=0) == []
    urgent = next_of(job, widens={"steps_m": [1_000, 1_500], "every_s": 300, "began_at": NOW})
    assert world.put(urgent) == about(urgent)
    assert world.later(minutes=5).tick() == about(urgent, "citizen:둘")


def test_a_worker_that_starts_late_knows_how_wide_they_are() -> None:
    world = World().later(minutes=7)
    world.set(watch())
    urgent = posting(widens={"steps_m": [700, 1_000, 1_500], "every_s": 300, "began_at": NOW})
    world.put(urgent)
    assert world.stands(990) == about(urgent)
