"""Who is not to be told of a posting is not told, whatever else would have them told (J5)."""

from __future__ import annotations

from uuid import UUID

from shared.contracts.posting import Audience, veiled
from tests.engines import HANEUL, PLACE, World, watch
from tests.samples import posting

ONE, OTHER = UUID(int=1), UUID(int=2)
BADA = "citizen:바다"
WHERE = {"circles": [{"lat": PLACE[0], "lon": PLACE[1], "radius_m": 700}]}


def test_a_citizen_named_in_not_for_is_not_told_and_everybody_else_is() -> None:
    world = World()
    for citizen in (HANEUL, BADA):
        world.set(watch(citizen))
        world.stands(100, citizen)
    told = world.put(posting(ONE, where=WHERE, audience=Audience(not_for=(veiled(ONE, HANEUL),))))
    assert [t.citizen for t in told] == [BADA]
    assert world.stands(1_500) == []
    assert world.stands(100) == []


def test_a_new_epoch_is_told_to_all_but_those_named() -> None:
    world = World()
    for citizen in (HANEUL, BADA):
        world.set(watch(citizen))
        world.stands(100, citizen)
    assert len(world.put(posting(ONE, where=WHERE))) == 2
    world.put(posting(ONE, 2, where=WHERE, status="closed"))
    again = posting(ONE, 3, where=WHERE, urgency_epoch=1, audience=Audience(not_for=(veiled(ONE, HANEUL),)))
    assert [(t.citizen, t.epoch) for t in world.put(again)] == [(BADA, 1)]


def test_a_veiled_name_is_another_in_every_posting_and_for_every_citizen() -> None:
    names = {veiled(p, c) for p in (ONE, OTHER) for c in (HANEUL, BADA)}
    assert len(names) == 4
    assert all(HANEUL not in name for name in names)
