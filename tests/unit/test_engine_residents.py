"""Who is told wherever they are: by a home 동 chosen by hand (J1) or a channel followed (N2), on an engine of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from services.matching.engine.matches import HOME_DONG, joined
from shared.contracts import Posting, Watch
from shared.geo import district
from tests.engines import HANEUL, PLACE, World, about, next_of, watch
from tests.samples import NOW, posting

BADA = "citizen:바다"
HOME = district().by_code["2920063700"]
AWAY = next(dong for dong in district().dongs if dong != HOME)


def resident(citizen: str = HANEUL, version: int = 1, **changed: Any) -> Watch:
    """Without consent to location, and without a fix ever."""
    return watch(citizen, version, **{"located": False, "consent_epoch": 0, "home_dongs": [HOME.code], **changed})


def for_home(**changed: Any) -> Posting:
    return posting(**{"kind": "notice", "where": {"dongs": [HOME.code]}, **changed})


def for_followers(**changed: Any) -> Posting:
    audience = {"channel": "수완동", "followers": True, **changed.pop("audience", {})}
    return posting(**{"kind": "notice", "where": {}, "audience": audience, **changed})


def rules(world: World) -> list[str]:
    return [match.rule for match in world.matches]


@pytest.mark.parametrize("code", [HOME.code, HOME.old_code])
@pytest.mark.parametrize("told_by", [HOME.code, HOME.old_code])
def test_a_resident_without_any_position_is_told_of_their_home_dong(code: str, told_by: str) -> None:
    world, notice = World(), for_home(where={"dongs": [told_by]})
    world.set(resident(home_dongs=[code]))
    world.set(resident(BADA, home_dongs=[AWAY.code]))
    assert world.put(notice) == about(notice)
    assert rules(world) == ["home_dong"]
    assert world.matches[0].distance_m is None


def test_a_follower_is_told_wherever_they_are_and_others_are_not() -> None:
    world, notice = World(), for_followers()
    world.set(resident(home_dongs=[], follows=["송정동", "수완동"]))
    world.set(resident(BADA, home_dongs=[HOME.code], follows=["송정동"]))
    assert world.put(notice) == about(notice)
    assert rules(world) == ["following"]


def test_a_channel_that_does_not_address_its_followers_reaches_none_of_them() -> None:
    world = World()
    world.set(resident(home_dongs=[], follows=["수완동"]))
    assert world.put(for_followers(audience={"followers": False}, where={"dongs": [AWAY.code]})) == []


def test_settings_that_begin_to_concern_tell_and_those_that_end_do_not() -> None:
    world, at_home, followed = World(), for_home(), for_followers()
    world.put(at_home)
    world.put(followed)
    assert world.set(resident(home_dongs=[], follows=[])) == []
    assert world.set(resident(version=2)) == about(at_home)
    assert world.set(resident(version=3, follows=["수완동"])) == about(followed)
    assert (rules(world), world.matches[0].cause) == (["following"], "watch_changed")
    assert world.set(resident(version=4, home_dongs=[], follows=[])) == []
    assert world.put(next_of(at_home, urgency_epoch=1)) == world.put(next_of(followed, urgency_epoch=1)) == []


def test_all_ways_together_tell_once_per_epoch() -> None:
    world = World()
    everything = for_home(where={"dongs": [HOME.code], "circles": [{"lat": PLACE[0], "lon": PLACE[1], "radius_m": 700}]},
                          audience={"channel": "수완동", "followers": True})  # fmt: skip
    world.set(resident(located=True, consent_epoch=1, follows=["수완동"]))
    world.stands(0)
    assert world.put(everything) == about(everything)
    assert world.stands(5_000, minutes=3) + world.stands(0, minutes=3) + world.tick() == []
    assert world.put(again := next_of(everything, urgency_epoch=1)) == about(again)


@pytest.mark.parametrize(
    "changed",
    [
        {"kinds": ["job"]},
        {"interests": ["cooking"]},
        {"birth_year": 2015},
        {"paused": True},
        {"muted_channels": ["수완동"]},
        {"muted_topics": ["library"]},
    ],
)
@pytest.mark.parametrize("make", [for_home, for_followers])
def test_the_same_filters_as_always(changed: dict[str, Any], make: Any) -> None:
    world = World()
    world.set(resident(follows=["수완동"], birth_year=1980))
    world.set(resident(BADA, **{"follows": ["수완동"], "birth_year": 1980, **changed}))
    notice = make(audience={"channel": "수완동", "followers": True, "interests": ["library"], "min_age": 19})
    assert world.put(notice) == about(notice)


def test_an_emergency_is_told_in_spite_of_what_is_muted() -> None:
    world = World()
    muted: dict[str, Any] = {"muted_channels": ["수완동"], "muted_topics": ["flood"]}
    world.set(resident(**muted))
    calm = for_home(audience={"channel": "수완동", "interests": ["flood"]})
    assert world.put(calm) == []
    assert world.put(grave := next_of(calm, emergency=True)) == about(grave)


def test_a_job_waits_for_the_window_that_holds_its_shift() -> None:
    world, job = World(), for_home(kind="job")
    begins = NOW + timedelta(minutes=30)
    world.set(resident(windows=[{"starts_at": begins, "ends_at": NOW + timedelta(hours=6)}]))
    assert world.put(job) == []
    world.now = begins
    assert world.tick() == about(job)
    assert (rules(world), world.matches[0].cause) == (["home_dong"], "window_began")


def test_withdrawn_consent_ends_what_tells_of_position_and_home_goes_on() -> None:
    world = World()
    world.set(resident(located=True, consent_epoch=1, home_dongs=[AWAY.code]))
    world.stands(0)
    world.set(resident(version=2, consent_epoch=1, home_dongs=[AWAY.code]))
    assert world.put(for_home()) == []
    assert world.put(away := for_home(where={"dongs": [AWAY.code]})) == about(away)
    assert rules(world) == ["home_dong"]


def test_what_closed_or_expired_concerns_nobody_any_more() -> None:
    world, short, shut = World(), for_home(expires_at=NOW + timedelta(minutes=5)), for_home()
    world.put(short)
    world.put(shut)
    world.put(next_of(shut, status="closed"))
    world.later(minutes=6)
    assert [p.id for p in world.engine.postings.expired(world.now)] == [short.id]
    assert world.set(resident()) == []
    assert world.engine.postings.addresses.rows() == []


def test_a_partition_that_left_is_no_resident_here_and_one_that_came_is_caught_up() -> None:
    world, notice = World(), for_home()
    world.set(resident())
    partition = int(world.engine.citizens.table.rows["partition"][0])
    world.engine.citizens.forget_partition(partition)
    assert world.put(notice) == []
    world.set(resident(version=2), look=False)
    assert world.told(joined(world.engine.residents_caught_up({partition}, world.now))) == about(notice)
    assert (rules(world), world.matches[0].cause) == (["home_dong"], "caught_up")
    assert len(joined(world.engine.residents_caught_up({partition}, world.now))) == 0


def test_a_hundred_thousand_residents_fan_out_each_once() -> None:
    world = World()
    for n in range(100_000):
        world.set(resident(f"c{n}", follows=["수완동"] if n % 2 else []), look=False)
    told = world.engine.put_posting(for_home(audience={"channel": "수완동", "followers": True}), world.now)
    assert len(np.unique(told["citizen"])) == len(told) == 100_000
    assert set(told["rule"].tolist()) == {HOME_DONG}
