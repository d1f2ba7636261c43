"""Who wants what, and whichever side changes (M2, J2), on an engine of its own."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.engines import PLACE, Step, World, about, next_of, place, watch
from tests.samples import NOW, posting

# M2


def test_a_posting_that_opens_tells_who_stands_there(world: World) -> None:
    world.set(watch("citizen:멀리"))
    world.stands(0)
    world.stands(800, "citizen:멀리")
    job = posting()
    assert world.put(job) == about(job)
    assert world.matches[0].cause == "posting_changed"


def test_everybody_inside_is_told_however_many() -> None:
    world, job = World(), posting()
    crowd = [f"citizen:{n}" for n in range(3_000)]
    for citizen in crowd:
        world.set(watch(citizen))
    lat, lon = PLACE
    world.take(*[Step(citizen, lat, lon, world.now) for citizen in crowd])
    assert sorted(t.citizen for t in world.put(job)) == sorted(crowd)


def test_settings_that_begin_to_want_tell_where_one_stands(world: World) -> None:
    job = posting(audience={"interests": ["library"]})
    world.set(watch(version=2, interests=("cooking",)))
    world.put(job)
    assert world.stands(0) == []
    assert world.set(watch(version=3, interests=("library",))) == about(job)
    assert world.matches[0].cause == "watch_changed"


def test_a_window_that_begins_tells_by_itself_and_once(world: World) -> None:
    job = posting()
    begins = NOW + timedelta(minutes=30)
    world.set(watch(version=2, windows=[{"starts_at": begins, "ends_at": NOW + timedelta(hours=6)}]))
    world.put(job)
    assert world.stands(0, minutes=29) == []
    assert world.tick() == []
    world.now = begins
    assert world.tick() == about(job)
    assert world.matches[0].cause == "window_began"
    assert world.later(minutes=1).tick() == []


def test_a_replaced_window_does_not_ring(world: World) -> None:
    begins = NOW + timedelta(minutes=3)
    world.set(watch(version=2, windows=[{"starts_at": begins, "ends_at": NOW + timedelta(hours=6)}]))
    world.put(posting())
    world.stands(0)
    world.set(watch(version=3, windows=[{"starts_at": NOW + timedelta(hours=5), "ends_at": NOW + timedelta(hours=6)}]))
    assert world.later(minutes=5).tick() == []


@pytest.mark.parametrize(
    ("starts", "ends", "told"),
    [(0, 5, True), (0, 4.999, False), (3, 5, False), (-1, 6, True), (-3, 0, False)],
)
def test_a_window_must_hold_the_present_and_the_whole_shift(
    world: World, starts: float, ends: float, told: bool
) -> None:
    """The shift is from three to five hours from now; the start of a window is inside, its end is not."""
    job = posting()
    window = {"starts_at": NOW + timedelta(hours=starts), "ends_at": NOW + timedelta(hours=ends)}
    world.set(watch(version=2, windows=[window]))
    world.put(job)
    assert world.stands(0, minutes=0.0) == (about(job) if told else [])


def test_windows_that_touch_are_one(world: World) -> None:
    job = posting()
    hours = [(0, 2), (2, 4), (4, 6)]
    windows = [{"starts_at": NOW + timedelta(hours=a), "ends_at": NOW + timedelta(hours=b)} for a, b in hours]
    world.set(watch(version=2, windows=windows))
    world.put(job)
    assert world.stands(0) == about(job)


def test_spaces_and_notices_need_no_window(world: World) -> None:
    world.set(watch(version=2, windows=[{"starts_at": NOW + timedelta(hours=9), "ends_at": NOW + timedelta(hours=10)}]))
    room, notice, job = posting(kind="space"), posting(kind="notice"), posting()
    for offer in (room, notice, job):
        world.put(offer)
    assert {told.posting for told in world.stands(0)} == {room.id, notice.id}


def test_a_job_at_any_time_needs_only_somebody_free_now(world: World) -> None:
    job = posting(starts_at=None, ends_at=None)
    world.set(watch(version=2, windows=[{"starts_at": NOW, "ends_at": NOW + timedelta(hours=1)}]))
    world.put(job)
    assert world.stands(0) == about(job)


@pytest.mark.parametrize(("seconds", "told"), [(59.999, True), (60, False)])
def test_nobody_is_free_at_the_very_end_of_a_window(world: World, seconds: float, told: bool) -> None:
    """Also for who comes at that moment, before the clock has looked for the next window."""
    job = posting(starts_at=None, ends_at=None)
    world.set(watch(version=2, windows=[{"starts_at": NOW, "ends_at": NOW + timedelta(minutes=1)}]))
    world.put(job)
    assert world.stands(0, minutes=seconds / 60) == (about(job) if told else [])


def test_a_window_that_ends_within_a_millisecond_ends_all_the_same(world: World) -> None:
    ends = NOW + timedelta(minutes=5, microseconds=700)
    world.set(watch(version=2, windows=[{"starts_at": NOW, "ends_at": ends}]))
    world.now = ends - timedelta(microseconds=300)
    assert world.tick() == []
    assert world.later(seconds=1).tick() == []


# J2: who wants what


@pytest.mark.parametrize(
    ("theirs", "ours", "told"),
    [((), (), True), ((), ("a",), True), (("a",), (), True), (("a", "b"), ("b", "c"), True), (("a",), ("b",), False)],
)
def test_interests_meet_where_they_share_one_or_either_names_none(
    theirs: tuple[str, ...], ours: tuple[str, ...], told: bool
) -> None:
    world, job = World(), posting(audience={"interests": ours})
    world.set(watch(interests=theirs))
    world.put(job)
    assert world.stands(0) == (about(job) if told else [])


def test_any_number_of_interests_is_told_apart() -> None:
    """Past 62 they share a bit, so that sets must be compared."""
    world = World()
    offers = [posting(audience={"interests": [f"interest-{n}"]}) for n in range(80)]
    for n in range(80):
        world.set(watch(f"citizen:{n}", interests=(f"interest-{n}",)))
    for offer in offers:
        world.put(offer)
    for n in range(80):
        assert world.stands(0, f"citizen:{n}", minutes=0) == about(offers[n], f"citizen:{n}")
    changed = next_of(offers[79], audience={"interests": ["interest-78"]}, urgency_epoch=1)
    assert world.put(changed) == about(changed, "citizen:78")


@pytest.mark.parametrize(
    ("birth_year", "min_age", "told"),
    [(2007, 18, True), (2008, 18, False), (None, 18, False), (None, None, True), (2020, 0, True), (2007, 19, False)],
)
def test_age_counts_only_when_it_is_certain(birth_year: int | None, min_age: int | None, told: bool) -> None:
    """Of a birth year only 18 in 2026 is certain for 2007: 2008's become 18 during it."""
    world, job = World(), posting(audience={"min_age": min_age})
    world.set(watch(birth_year=birth_year))
    world.put(job)
    assert world.stands(0) == (about(job) if told else [])


def test_age_is_counted_at_the_day_of_the_work_in_seoul() -> None:
    new_year_in_seoul = NOW.replace(year=2026, month=12, day=31, hour=15, minute=0)
    world = World()
    world.set(watch(birth_year=2008))
    this_year = posting(audience={"min_age": 18}, starts_at=new_year_in_seoul - timedelta(seconds=1))
    next_year = posting(audience={"min_age": 18}, starts_at=new_year_in_seoul)
    world.put(this_year)
    world.put(next_year)
    assert world.stands(0) == about(next_year)


@pytest.mark.parametrize("kind", ["job", "space", "notice"])
def test_kinds_left_out_are_not_told(world: World, kind: str) -> None:
    world.set(watch(version=2, kinds=tuple(k for k in ("job", "space", "notice") if k != kind)))
    world.put(posting(kind=kind))
    assert world.stands(0) == []
    assert len(world.set(watch(version=3))) == 1


def test_a_pause_is_silent_and_reversible(world: World) -> None:
    job = posting()
    world.set(watch(version=2, paused=True))
    world.put(job)
    assert world.stands(0) == []
    assert world.set(watch(version=3)) == about(job)


def test_a_muted_sender_is_heard_again_when_unmuted(world: World) -> None:
    job, other = posting(audience={"channel": "수완동"}), posting(audience={"channel": "첨단동"})
    world.set(watch(version=2, muted_channels=("수완동",)))
    world.put(job)
    world.put(other)
    assert world.stands(0) == about(other)
    assert world.stands(10) == []
    assert world.set(watch(version=3)) == about(job)


def test_a_muted_posting_stays_silent_through_its_epochs(world: World) -> None:
    job = posting()
    world.set(watch(version=2, muted_postings=(job.id,)))
    world.put(job)
    assert world.stands(0) == []
    urgent = next_of(job, urgency_epoch=3)
    assert world.put(urgent) == []
    assert world.set(watch(version=3)) == about(urgent)


@pytest.mark.parametrize(("mine", "theirs"), [(500, 1_000), (1_000, 500)])
def test_the_smaller_of_both_radii_decides(mine: int, theirs: int) -> None:
    world, job = World(), posting(where=place(theirs))
    world.set(watch(radius_m=mine))
    world.put(job)
    assert world.stands(500.01) == []
    assert world.stands(499.99) == about(job)


def test_without_a_radius_of_their_own_citizens_hear_as_far_as_each_posting_reaches() -> None:
    world, job = World(), posting(where=place(2_000))
    world.set(watch(radius_m=None))
    world.put(job)
    assert world.stands(1_999.9) == about(job)


def test_a_radius_that_grows_tells_who_is_now_within(world: World) -> None:
    job = posting()
    world.set(watch(version=2, radius_m=100))
    world.put(job)
    assert world.stands(400) == []
    assert world.set(watch(version=3, radius_m=500)) == about(job)


@pytest.mark.parametrize("fixes", [1, 2, 3])
def test_a_radius_that_shrank_ends_presence(world: World, fixes: int) -> None:
    job = posting()
    world.put(job)
    for _ in range(fixes):
        world.stands(520)
    world.set(watch(version=2, radius_m=500))
    assert world.put(next_of(job, urgency_epoch=1)) == []
    assert world.stands(520) == []
