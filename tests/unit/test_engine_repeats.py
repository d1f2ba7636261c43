"""Fixes that come twice, late or in batches of any size tell what clean ones tell (M3, M4); a crowd against the model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts import Posting, Watch
from tests.engines import Step, Told, World, north_of, place, watch
from tests.matching_dice import AWAY, CODE
from tests.matching_model import Model
from tests.samples import NOW, posting

CITIZENS = ("citizen:하늘", "citizen:바다")
# Half metres, so that no distance lies on a rim: what decides there is shown in test_engine_presence.
POINTS = [north_of(metres) for metres in (0.5, 310.5, 690.5, 740.5, 800.5, 5_200.5, 5_740.5)]


def circle(metres: float, radius_m: int) -> dict[str, Any]:
    lat, lon = north_of(metres)
    return {"lat": lat, "lon": lon, "radius_m": radius_m}


WHERES: list[dict[str, Any]] = [
    {"circles": [circle(0, 700)]},
    {"circles": [circle(0, 300)]},
    {"circles": [circle(600, 200)]},
    {"circles": [circle(0, 700), circle(5_000, 700)]},
    {"dongs": [CODE]},
    {"dongs": [AWAY.code], **place(300)},
]


def open_world() -> World:
    world = World()
    for citizen in CITIZENS:
        world.set(watch(citizen))
    for n, where in enumerate(WHERES):
        world.put(posting(UUID(int=n), where=where))
    return world


walks = st.lists(
    st.tuples(st.sampled_from(CITIZENS), st.sampled_from(POINTS), st.integers(1, 40)), min_size=1, max_size=40
)


@settings(max_examples=100, deadline=None)
@given(walk=walks, data=st.data())
def test_duplicated_and_reordered_fixes_tell_what_clean_ones_tell(
    walk: list[tuple[str, tuple[float, float], int]], data: st.DataObject
) -> None:
    """M4 as M3 has it: what comes again or late is older than the newest accepted, so it takes no effect."""
    at, clean = NOW - timedelta(minutes=9), []
    for citizen, (lat, lon), seconds in walk:
        at += timedelta(seconds=seconds / 4)
        clean.append(Step(citizen, lat, lon, at))
    noisy: list[Step] = []
    for nth, step in enumerate(clean):
        noisy.append(step)
        noisy += [clean[i] for i in data.draw(st.lists(st.integers(0, nth), max_size=3))]
    told = open_world().take(*clean)
    again = [t for batch in in_batches(noisy, data.draw(st.integers(1, 9))) for t in batch]
    assert (again, len(set(again))) == (told, len(told))


def in_batches(steps: Sequence[Step], size: int) -> list[list[Told]]:
    world = open_world()
    return [world.take(*steps[i : i + size]) for i in range(0, len(steps), size)]


def crowd() -> tuple[list[Posting], list[Watch], list[Step]]:
    """200 citizens who wander 20 steps each among 40 postings."""
    random = np.random.default_rng(7)
    offers = [
        posting(UUID(int=n), where={"circles": [circle(float(random.integers(-4_000, 4_000)), 300)]}) for n in range(40)
    ]
    people = [watch(f"citizen:{n}") for n in range(200)]
    stands = random.integers(-4_000, 4_000, len(people)) + 0.5
    steps = []
    for nth in range(20):
        stands = stands + random.integers(-150, 150, len(people))
        at = NOW + timedelta(seconds=20 * nth - 400)
        steps += [Step(w.citizen_id, *north_of(float(m)), at) for w, m in zip(people, stands, strict=True)]
    return offers, people, steps


@pytest.fixture(scope="module")
def expected() -> list[Told]:
    model, (offers, people, steps) = Model(), crowd()
    for settings_of in people:
        model.watch(settings_of, NOW)
    for offer in offers:
        model.posting(offer, NOW)
    return sorted(told for step in steps for told in model.fix(step, NOW))


@pytest.mark.parametrize("size", [1, 7, 4_000])
def test_a_crowd_is_told_the_same_in_batches_of_any_size(size: int, expected: list[Told]) -> None:
    world, (offers, people, steps) = World(), crowd()
    for settings_of in people:
        world.set(settings_of)
    for offer in offers:
        world.put(offer)
    told = [t for i in range(0, len(steps), size) for t in world.take(*steps[i : i + size])]
    assert sorted(told) == expected
    assert len(expected) > 500
