"""The engine against a plain sequential model: any interleaving of events tells the same, in any batches (M1-M4, M9)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from shared.contracts import Posting, Watch
from shared.geo import district
from tests.engines import PLACE, Step, Told, World, north_of, place, watch
from tests.matching_model import Model
from tests.samples import NOW, posting

CITIZENS = ("citizen:하늘", "citizen:바다")
# Half metres, so that no distance lies on a rim: what decides there is shown in test_engine_presence.
STANDS = (0.5, 310.5, 690.5, 740.5, 800.5, 5_200.5, 5_740.5)
POINTS = [north_of(metres) for metres in STANDS]


def circle(metres: float, radius_m: int) -> dict[str, Any]:
    lat, lon = north_of(metres)
    return {"lat": lat, "lon": lon, "radius_m": radius_m}


HERE = district().dong_at(*PLACE)
AWAY = next(dong for dong in district().dongs if dong != HERE)
WHERES: list[dict[str, Any]] = [
    {"circles": [circle(0, 700)]},
    {"circles": [circle(0, 300)]},
    {"circles": [circle(600, 200)]},
    {"circles": [circle(0, 700), circle(5_000, 700)]},
    {"dongs": [HERE.code if HERE else ""]},
    {"dongs": [AWAY.code], **place(300)},
]
SPANS = [(timedelta(minutes=a), timedelta(minutes=b)) for a, b in ((-60, 25), (10, 600), (30, 600), (-60, 600))]

audiences = st.fixed_dictionaries({
    "interests": st.sampled_from([(), (), ("library",), ("cooking", "library")]),
    "min_age": st.sampled_from([None, None, None, 18]),
    "channel": st.sampled_from([None, "수완동"]),
    "followers": st.booleans(),
})  # fmt: skip
offers = st.fixed_dictionaries({
    "kind": st.sampled_from(["notice", "job", "space"]),
    "where": st.sampled_from(WHERES),
    "audience": audiences,
    "starts_at": st.sampled_from([None, NOW + timedelta(hours=1), NOW + timedelta(hours=8)]),
    "expires_at": st.sampled_from([NOW + timedelta(days=1), NOW + timedelta(days=1), NOW + timedelta(minutes=40)]),
    "emergency": st.sampled_from([False, False, True]),
})  # fmt: skip
wishes = st.fixed_dictionaries({
    "kinds": st.sampled_from([("job", "space", "notice"), ("job",), ("space", "notice")]),
    "interests": st.sampled_from([(), (), ("library",), ("children",)]),
    "radius_m": st.sampled_from([None, 2_000, 670]),
    "birth_year": st.sampled_from([None, 1980, 2015]),
    "paused": st.sampled_from([False, False, False, True]),
    "windows": st.lists(st.sampled_from(SPANS), max_size=1).map(
        lambda spans: [{"starts_at": NOW + a, "ends_at": NOW + b} for a, b in spans]
    ),
    "muted_channels": st.sampled_from([(), (), ("수완동",)]),
    "muted_topics": st.sampled_from([(), (), ("cooking",)]),
    "home_dongs": st.sampled_from([(), (), (AWAY.old_code,), (HERE.code if HERE else "", AWAY.code)]),
    "follows": st.sampled_from([(), (), ("수완동", "송정동")]),
})  # fmt: skip
moves = st.tuples(
    st.sampled_from(CITIZENS),
    st.sampled_from(POINTS),
    st.sampled_from([0] * 9 + [20, 150, 700]),  # seconds late
    st.sampled_from([5.0] * 6 + [30.0, 201.0]),
    st.sampled_from([0] * 8 + [-1, 1]),  # of another consent
)


class Interleaving(RuleBasedStateMachine):
    """Each step is given to the engine and to the model; both must tell the same, each at most once."""

    told = 0  # over all histories

    def __init__(self) -> None:
        super().__init__()
        self.world, self.model = World(), Model()
        self.watches: dict[str, Watch] = {}
        self.postings: dict[UUID, Posting] = {}
        self.sent: list[Step] = []
        self.ids = 0

    def both(self, engine: list[Told], model: list[Told]) -> None:
        assert sorted(engine) == sorted(model)
        Interleaving.told += len(engine)

    @initialize(wish=wishes, offer=offers)
    def somebody_and_something(self, wish: dict[str, Any], offer: dict[str, Any]) -> None:
        self.settings(CITIZENS[0], wish)
        self.opens(offer)

    @rule(minutes=st.sampled_from([0.2, 1.0, 1.0, 3.0, 3.0, 12.0]))
    def time_passes(self, minutes: float) -> None:
        self.world.later(minutes=minutes)
        self.both(self.world.tick(), self.model.tick(self.world.now))

    @rule(citizen=st.sampled_from(CITIZENS), stands=st.lists(st.sampled_from(POINTS), min_size=2, max_size=8))
    def walks(self, citizen: str, stands: list[tuple[float, float]]) -> None:
        """A stand a minute; then everything becomes urgent, which shows where the citizen is present."""
        settings_of = self.watches.get(citizen)
        for lat, lon in stands:
            self.time_passes(1.5)
            self.take([Step(citizen, lat, lon, self.world.now, 5.0, settings_of.consent_epoch if settings_of else 1)])
        for known in list(self.postings.values()):
            self.edit(known, 1)

    @rule(batch=st.lists(moves, min_size=1, max_size=6))
    def fixes(self, batch: list[tuple[str, tuple[float, float], int, float, int]]) -> None:
        """Fixes of a batch are a few seconds apart, the last one is now."""
        steps = []
        for nth, (citizen, (lat, lon), late_s, accuracy_m, epoch) in enumerate(batch):
            known = self.watches.get(citizen)
            at = self.world.now - timedelta(seconds=late_s + len(batch) - 1 - nth)
            steps.append(Step(citizen, lat, lon, at, accuracy_m, max(1, (known.consent_epoch if known else 1) + epoch)))
        self.sent += steps
        self.take(steps)

    @rule(data=st.data())
    def a_fix_is_delivered_again(self, data: st.DataObject) -> None:
        if self.sent:
            self.take([data.draw(st.sampled_from(self.sent)) for _ in range(2)])

    def take(self, steps: Sequence[Step]) -> None:
        self.both(self.world.take(*steps), [told for step in steps for told in self.model.fix(step, self.world.now)])

    @rule(citizen=st.sampled_from(CITIZENS), wish=wishes)
    def settings(self, citizen: str, wish: dict[str, Any]) -> None:
        self.watch(citizen, **wish)

    @rule(citizen=st.sampled_from(CITIZENS), given_anew=st.sampled_from([True, True, False]))
    def consent_is_withdrawn(self, citizen: str, given_anew: bool) -> None:
        if citizen in self.watches:
            self.watch(citizen, located=False)
            if given_anew:
                self.watch(citizen, located=True, consent_epoch=self.watches[citizen].consent_epoch + 1)

    def watch(self, citizen: str, **changed: Any) -> None:
        known = self.watches.get(citizen)
        before = known.model_dump(exclude={"citizen_id", "version"}) if known else {}
        self.watches[citizen] = watch(citizen, (known.version if known else 0) + 1, **{**before, **changed})
        for told in (self.watches[citizen], known):
            if told is not None:
                self.both(self.world.set(told), self.model.watch(told, self.world.now))

    @rule(offer=offers)
    def opens(self, offer: dict[str, Any]) -> None:
        if len(self.postings) == 4:
            return
        self.ids += 1
        self.put(posting(UUID(int=self.ids), **offer, ends_at=None))

    @rule(data=st.data(), offer=offers, epochs=st.sampled_from([0, 0, 1]))
    def is_edited(self, data: st.DataObject, offer: dict[str, Any], epochs: int) -> None:
        self.change(data, epochs, **offer)

    @rule(data=st.data())
    def closes(self, data: st.DataObject) -> None:
        self.change(data, 0, status="closed")

    @rule(data=st.data(), epochs=st.sampled_from([0, 1, 1]))
    def is_open_again(self, data: st.DataObject, epochs: int) -> None:
        self.change(data, epochs, status="open")

    def change(self, data: st.DataObject, epochs: int, **changed: Any) -> None:
        self.edit(self.postings[data.draw(st.sampled_from(sorted(self.postings)))], epochs, **changed)

    def edit(self, known: Posting, epochs: int, **changed: Any) -> None:
        whole = {**known.model_dump(), "version": known.version + 1, "urgency_epoch": known.urgency_epoch + epochs}
        self.put(Posting.model_validate({**whole, **changed}))
        self.put(known)  # an old version that comes again changes nothing

    def put(self, new: Posting) -> None:
        if new.version > (self.postings[new.id].version if new.id in self.postings else 0):
            self.postings[new.id] = new
        self.both(self.world.put(new), self.model.posting(new, self.world.now))


def test_any_interleaving_tells_what_the_model_tells() -> None:
    run_state_machine_as_test(
        Interleaving,
        settings=settings(
            max_examples=100, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    assert Interleaving.told > 20, "histories in which hardly anybody is told would compare nothing with nothing"


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
