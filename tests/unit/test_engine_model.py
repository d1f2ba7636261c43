"""The engine against a plain sequential model: any interleaving of events tells the same, in any batches (M1-M5, M9, M11, J2, J5).

Hypothesis chooses the steps; what happens in a step comes from its seed. That this finds a wrong engine is shown by
`python -m tests.mutations`, which makes it wrong in some seventy ways, one at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from services.matching.engine.matches import joined
from shared.contracts import Posting, Watch
from tests.engines import PARTITIONS, PLACE, Step, Told, World, watch
from tests.matching_dice import Dice, Point
from tests.matching_model import Model
from tests.samples import posting

CITIZENS = ("citizen:하늘", "citizen:바다", "citizen:별")
MOST_OPEN = 5
# A seed does not shrink, so a history that fails is told as it is: some dozen steps. Some 17 alerts are told in one.
HISTORIES, STEPS, TOLD = 400, 40, 3_000
seeds = st.integers(0, 2**32 - 1).map(Dice)


class Interleaving(RuleBasedStateMachine):
    """Each step is given to the engine and to the model; both must tell the same, each at most once."""

    told = 0  # over all histories

    def __init__(self) -> None:
        super().__init__()
        self.world, self.model = World(), Model()
        self.watches: dict[str, Watch] = {}
        self.postings: dict[UUID, Posting] = {}
        self.places: dict[str, Point] = dict.fromkeys(CITIZENS, PLACE)
        self.sent: list[Step] = []
        self.dropped: set[UUID] = set()

    def both(self, engine: list[Told], model: list[Told]) -> None:
        assert sorted(engine) == sorted(model)
        Interleaving.told += len(engine)

    @initialize(dice=seeds)
    def somebody_and_something(self, dice: Dice) -> None:
        for citizen in CITIZENS[:2]:
            self.watch(citizen, **dice.wish(self.world.now, []))
        for _ in range(3):
            self.opens(dice)
        self.walks(dice)

    # Time

    @rule(minutes=st.sampled_from([0.2, 1.0, 3.0, 5.0, 12.0]))
    def time_passes(self, minutes: float) -> None:
        self.world.later(minutes=minutes)
        self.both(self.world.tick(), self.model.tick(self.world.now))

    @rule()
    def what_expired_is_cleared_away(self) -> None:
        self.world.engine.postings.expired(self.world.now)

    @rule()
    def memory_is_renewed(self) -> None:
        """What closed is left behind; should it open again, it does so anew."""
        self.world.engine.renew_pairs()
        self.dropped |= {known.id for known in self.postings.values() if known.status == "closed"}

    @rule(dice=seeds)
    def another_worker_takes_over(self, dice: Dice) -> None:
        """It is given all that is kept: postings, settings, what was told, where everybody was last; some became urgent since."""
        world, remembered = World(now=self.world.now), dict(self.model.told)
        told = self.model.restarted(world.now) + self.tell_the_model(self.some_urgent(dice, 0.3))
        for known in self.postings.values():
            world.put(known, look=False)
        for chosen in self.watches.values():
            world.set(chosen, look=False)
        world.engine.remember([(citizen, id_, epoch) for (citizen, id_), epoch in remembered.items()], 0)
        rows = []
        for name, person in self.model.people.items():
            row, at = world.engine.citizens.row(name, 0), person.at
            if at is not None:
                at_ms = int(at.observed_at.timestamp() * 1000)
                if world.engine.restore_position(row, at.lat, at.lon, at.accuracy_m, at_ms, at.epoch):
                    rows.append(row)
        self.world = world
        caught_up = [world.engine.look_again(rows, world.now, "caught_up")]
        caught_up += world.engine.residents_caught_up(set(range(PARTITIONS)), world.now)
        self.both(world.told(joined(caught_up)), told)

    # Fixes

    def step(self, dice: Dice, citizen: str, about: UUID | None = None) -> Step:
        """A fix of now, under the consent in force, for the most part."""
        known = self.watches.get(citizen)
        epoch = (known.consent_epoch if known else 1) + dice.mostly(0, -1, 1, of=0.94)
        offers = [offer for offer in self.postings.values() if offer.status == "open"]
        offer = self.postings.get(about) if about and dice.chance(0.8) else None
        if offer is not None and offer.where.circles:
            place = dice.about(offer, dice.choice(offer.where.circles), known, self.world.now)
        else:
            place = dice.somewhere(offers, known, self.places[citizen], self.world.now)
        self.places[citizen] = place
        accuracy_m = dice.mostly(5.0, 0.0, 40.0, 200.0, 200.5, of=0.9)
        return Step(citizen, *self.places[citizen], self.world.now, accuracy_m, max(1, epoch))

    @rule(dice=seeds)
    def walks(self, dice: Dice) -> None:
        """Stand after stand, mostly about one posting; what becomes urgent shows where the citizen is present."""
        citizen, about = dice.choice(CITIZENS), dice.choice(list(self.postings))
        for _ in range(dice.randint(3, 8)):
            self.time_passes(dice.choice((3, 45, 60, 90)) / 60)
            step = self.step(dice, citizen, about)
            self.take([step] * dice.mostly(1, 2, 3, of=0.8))  # what comes twice confirms nothing
            if dice.chance(0.5):
                self.becomes_urgent(dice)

    @rule(dice=seeds)
    def a_batch_arrives(self, dice: Dice) -> None:
        """Of everybody, some seconds apart, of which some are late, some come twice and some were sent long ago."""
        self.time_passes(1.0)
        size = dice.randint(2, 12)
        steps = [self.step(dice, dice.choice(CITIZENS)) for _ in range(size)]
        for nth, step in enumerate(steps):
            at = self.world.now - timedelta(seconds=3 * (size - 1 - nth) + dice.mostly(0, 30, 150, 600, 700, of=0.9))
            steps[nth] = Step(step.citizen, step.lat, step.lon, at, step.accuracy_m, step.epoch)
        self.sent = (self.sent + steps)[-40:]
        for _ in range(dice.randint(0, 3)):
            steps.insert(dice.randrange(len(steps) + 1), dice.choice(self.sent))
        self.take(steps)

    @rule(dice=seeds)
    def fixes_are_delivered_again(self, dice: Dice) -> None:
        self.take(self.sent[dice.randrange(len(self.sent)) :] if self.sent else [])

    def take(self, steps: Sequence[Step]) -> None:
        self.both(self.world.take(*steps), [told for step in steps for told in self.model.fix(step, self.world.now)])

    # Settings and consent

    @rule(dice=seeds)
    def settings_change(self, dice: Dice) -> None:
        """One or two of them, or all."""
        wish = dice.wish(self.world.now, list(self.postings.values()))
        names = dice.sample(sorted(wish), dice.choice((1, 1, 2, len(wish))))
        self.watch(dice.choice(CITIZENS), **{name: wish[name] for name in names})

    @rule(dice=seeds)
    def consent_changes(self, dice: Dice) -> None:
        """Withdrawn, and sooner or later given anew: a new one with every time it is given."""
        citizen = dice.choice(CITIZENS)
        known = self.watches.get(citizen)
        if known is not None and known.located:
            self.watch(citizen, located=False)
        if dice.chance(0.7) or known is None or not known.located:
            self.watch(citizen, located=True, consent_epoch=self.watches[citizen].consent_epoch + 1 if known else 1)

    def watch(self, citizen: str, **changed: Any) -> None:
        known = self.watches.get(citizen)
        before = known.model_dump(exclude={"citizen_id", "version"}) if known else {}
        self.watches[citizen] = watch(citizen, (known.version if known else 0) + 1, **{**before, **changed})
        for told in (self.watches[citizen], known):  # an old version that comes again changes nothing
            if told is not None:
                self.both(self.world.set(told), self.model.watch(told, self.world.now))

    # Postings

    @rule(dice=seeds)
    def opens(self, dice: Dice) -> None:
        if len(self.postings) < MOST_OPEN:
            self.put(posting(UUID(int=len(self.postings) + 1), **terms(dice.offer(self.world.now))))

    @rule(dice=seeds)
    def becomes_urgent(self, dice: Dice) -> None:
        """Some of them, all at once."""
        urgent = self.some_urgent(dice, 0.5)
        self.both(self.world.put_all(urgent), self.tell_the_model(urgent))

    def some_urgent(self, dice: Dice, share: float) -> list[Posting]:
        chosen = [known for known in self.postings.values() if known.status == "open" and dice.chance(share)]
        return [edited(known, 1) for known in chosen]

    def tell_the_model(self, urgent: Sequence[Posting]) -> list[Told]:
        self.postings |= {new.id: new for new in urgent}
        return [told for new in urgent for told in self.model.posting(new, self.world.now)]

    @rule(dice=seeds)
    def is_edited(self, dice: Dice) -> None:
        """One or two of its terms, or all; or whom it is not for."""
        known, offer = dice.choice(list(self.postings.values())), dice.offer(self.world.now)
        names = dice.sample(sorted(offer), dice.choice((0, 1, 2, len(offer))))
        changed = terms({name: offer[name] for name in names})
        if dice.chance(0.3):
            audience = changed.get("audience") or known.audience.model_dump()
            changed["audience"] = {**audience, "not_for": dice.not_for(known, CITIZENS)}
        self.edit(known, dice.choice((0, 0, 1)), **changed)

    @rule(dice=seeds)
    def closes_or_opens_again(self, dice: Dice) -> None:
        known = dice.choice(list(self.postings.values()))
        if known.status == "open" and dice.chance(0.7):
            self.edit(known, 0, status="closed")
        else:
            self.edit(known, 1 if known.id in self.dropped else dice.choice((0, 1)), status="open")
            self.dropped.discard(known.id)

    def edit(self, known: Posting, epochs: int, **changed: Any) -> None:
        self.put(edited(known, epochs, **changed))
        self.put(known)  # an old version that comes again changes nothing

    def put(self, new: Posting) -> None:
        if new.version > (self.postings[new.id].version if new.id in self.postings else 0):
            self.postings[new.id] = new
        self.both(self.world.put(new), self.model.posting(new, self.world.now))


def edited(known: Posting, epochs: int, **changed: Any) -> Posting:
    whole = {**known.model_dump(), "version": known.version + 1, "urgency_epoch": known.urgency_epoch + epochs}
    return Posting.model_validate({**whole, **changed})


def terms(offer: dict[str, Any]) -> dict[str, Any]:
    """With the shift as its two ends."""
    shift = offer.pop("shift", None)
    return {**offer, "starts_at": shift[0], "ends_at": shift[1]} if shift else offer


def test_any_interleaving_tells_what_the_model_tells() -> None:
    Interleaving.told = 0
    run_state_machine_as_test(
        Interleaving,
        settings=settings(
            max_examples=HISTORIES, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.reuse, Phase.generate], print_blob=True,
        ),
    )  # fmt: skip
    assert Interleaving.told > TOLD, "histories in which hardly anybody is told would compare nothing with nothing"
