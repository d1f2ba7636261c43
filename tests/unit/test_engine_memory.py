"""Event time, consent, and what is kept or restored (M3, M9, M11), on an engine of its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import numpy as np
import pytest

from tests.engines import HANEUL, PLACE, Step, Told, World, about, next_of, north_of, watch
from tests.samples import NOW, posting

# M3


def test_a_late_fix_neither_moves_back_nor_tells(world: World) -> None:
    job = posting()
    world.put(job)
    world.stands(5_000)
    assert world.stands(0, minutes=0, observed_at=world.now - timedelta(seconds=90)) == []
    assert world.outcomes == ["late"]
    assert world.put(next_of(job, urgency_epoch=1)) == []


def test_a_fix_as_old_as_the_newest_is_late(world: World) -> None:
    world.stands(5_000)
    world.stands(5_000, minutes=0)
    assert world.outcomes == ["late"]


@pytest.mark.parametrize(("age_s", "told"), [(600, True), (600.001, False)])
def test_a_position_matches_for_ten_minutes(world: World, age_s: float, told: bool) -> None:
    world.stands(0)
    world.later(seconds=age_s)
    job = posting()
    assert world.put(job) == (about(job) if told else [])


def test_a_fix_that_is_already_too_old_places_the_citizen_and_tells_nothing(world: World) -> None:
    world.put(posting())
    assert world.stands(0, observed_at=NOW - timedelta(minutes=11)) == []
    assert world.outcomes == ["accepted"]


def test_who_was_not_heard_of_for_long_and_is_still_there_is_told_what_opened(world: World) -> None:
    world.stands(0)
    job = posting()
    assert world.later(minutes=20).put(job) == []
    assert world.stands(0) == about(job)


# M9


def test_a_fix_from_before_the_withdrawal_is_refused(world: World) -> None:
    world.put(posting())
    world.set(watch(version=2, consent_epoch=1, located=False))
    assert world.stands(0, epoch=1) == []
    assert world.outcomes == ["refused"]


def test_a_fix_of_an_earlier_consent_is_refused_after_a_new_one(world: World) -> None:
    world.put(posting())
    world.set(watch(version=2, consent_epoch=1, located=False))
    world.set(watch(version=3, consent_epoch=2))
    assert world.stands(0, epoch=1) == []
    assert world.outcomes == ["refused"]
    assert len(world.stands(0, epoch=2)) == 1


def test_withdrawal_forgets_the_position(world: World) -> None:
    world.stands(0)
    world.set(watch(version=2, located=False))
    assert np.isnan(world.engine.citizens.table.rows["lat"][0])
    world.set(watch(version=3, consent_epoch=2))
    assert world.put(posting()) == []


def test_a_position_of_an_earlier_consent_goes_even_if_the_withdrawal_was_compacted_away(world: World) -> None:
    world.stands(0)
    world.set(watch(version=3, consent_epoch=2))
    assert world.put(posting()) == []
    assert np.isnan(world.engine.citizens.table.rows["lat"][0])


def test_a_fix_that_overtakes_its_consent_acts_when_the_consent_arrives(world: World) -> None:
    """Withdrawn and granted again: the fix of the new consent is here before either is known."""
    job = posting()
    world.put(job)
    assert world.stands(0, epoch=2) == []
    assert world.set(watch(version=2, consent_epoch=1, located=False)) == []
    assert world.set(watch(version=3, consent_epoch=2)) == about(job)


def test_a_citizen_without_a_watch_is_told_when_it_arrives() -> None:
    world, job = World(), posting()
    world.put(job)
    assert world.stands(0) == []
    assert world.set(watch()) == about(job)


def test_an_older_watch_changes_nothing(world: World) -> None:
    world.set(watch(version=5, paused=True))
    world.put(posting())
    world.stands(0)
    assert world.set(watch(version=4)) == []
    assert world.set(watch(version=5)) == []


# M11: what is kept and restored


def gathered(world: World, citizens: int) -> list[str]:
    crowd = [f"citizen:{n}" for n in range(citizens)]
    for citizen in crowd:
        world.set(watch(citizen))
    return crowd


def test_memory_of_what_was_told_is_no_larger_for_what_came_and_went(world: World) -> None:
    crowd = gathered(world, 700)
    world.take(*[Step(citizen, *PLACE, world.now) for citizen in crowd])
    for _ in range(9):
        offers = [posting() for _ in range(240)]
        assert sum(map(len, world.engine.put_postings(offers, world.now))) == len(offers) * len(crowd)
        for offer in offers:
            world.put(next_of(offer, status="closed"))
    assert len(world.engine.pairs.table) <= 1 << 20


def test_memory_of_what_was_told_survives_its_growth(world: World) -> None:
    offers = [posting() for _ in range(240)]
    crowd = gathered(world, 700)
    for offer in offers:
        world.put(offer)
    before = len(world.engine.pairs.table)
    told = world.take(*[Step(citizen, *PLACE, world.now) for citizen in crowd])
    assert len(told) == len(set(told)) == len(offers) * len(crowd)
    assert len(world.engine.pairs.table) > before
    world.later(minutes=1)
    assert world.take(*[Step(citizen, *north_of(5_000), world.now) for citizen in crowd]) == []
    world.later(minutes=5)
    assert world.take(*[Step(citizen, *PLACE, world.now) for citizen in crowd]) == []


def test_what_was_told_in_an_earlier_life_is_not_told_again(world: World) -> None:
    job, other = posting(urgency_epoch=1), posting()
    world.engine.remember([(HANEUL, job.id, 1), (HANEUL, job.id, 0), (HANEUL, other.id, 0)], 3)
    world.put(job)
    world.put(other)
    assert world.stands(0) == []
    urgent = next_of(job, urgency_epoch=2)
    assert world.put(urgent) == about(urgent)


def test_a_partition_given_away_and_back_starts_from_what_is_kept(world: World) -> None:
    job = posting()
    world.put(job)
    world.stands(0)
    partition = int(world.engine.citizens.table.rows["partition"][0])
    world.engine.citizens.forget_partition(partition)
    assert world.put(next_of(job, urgency_epoch=1)) == []
    world.set(watch(), look=False)
    assert world.engine.restore_position(0, *PLACE, 5.0, int(world.now.timestamp() * 1000), 1)
    assert world.told(world.engine.look_again([0], world.now, "posting_changed")) == [Told(HANEUL, job.id, 1)]


def test_another_workers_partition_is_left_alone(world: World) -> None:
    world.stands(0)
    world.engine.citizens.forget_partition(int(world.engine.citizens.table.rows["partition"][0]) + 1)
    job = posting()
    assert world.put(job) == about(job)


@pytest.mark.parametrize(("epoch", "restored"), [(0, False), (1, True)])
def test_a_kept_position_without_consent_is_not_restored(world: World, epoch: int, restored: bool) -> None:
    world.set(watch(version=2), look=False)
    taken = world.engine.restore_position(0, *PLACE, 5.0, int(NOW.timestamp() * 1000), epoch)
    assert taken is restored


def test_a_kept_position_never_replaces_a_newer_one(world: World) -> None:
    world.stands(5_000)
    assert not world.engine.restore_position(0, *PLACE, 5.0, int(NOW.timestamp() * 1000), 1)


def test_restoring_postings_tells_nobody_yet(world: World) -> None:
    world.stands(0)
    assert world.put(posting(), look=False) == []


def test_one_id_is_one_citizen_whatever_the_batch() -> None:
    world, job = World(), posting(UUID(int=1))
    world.set(watch())
    world.put(job)
    step = Step(HANEUL, *PLACE, world.now)
    walk = [step, replace(step, observed_at=world.now + timedelta(seconds=1)), step]
    assert world.take(*walk) == about(job)
    assert world.outcomes == ["accepted", "accepted", "late"]
