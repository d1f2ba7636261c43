"""Who may do what for an institution, and following: pure rules."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notices.channels import domain
from services.notices.channels.domain import BOTH, Channel, Following, Institution, Profile
from shared.rules import Conflict, Refused

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
NONE = Following("citizen:하늘", 0, {})
IDS = [uuid4() for _ in range(6)]


def test_until_somebody_is_named_the_token_is_enough_and_then_no_more() -> None:
    assert Institution("수완동", False, {}).roles_of("anybody") == BOTH
    named = Institution("수완동", True, {"김": frozenset({"author"})})
    assert (set(named.roles_of("김")), set(named.roles_of("이"))) == ({"author"}, set())


@pytest.mark.parametrize(("verified", "named", "may"), [(True, True, True), (True, False, False), (False, True, False)])
def test_an_emergency_needs_a_verified_institution_with_named_officers(verified: bool, named: bool, may: bool) -> None:
    officers = {"김": BOTH} if named else {}
    assert Institution("수완동", verified, officers).may_tell_emergencies() is may


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(IDS)), max_size=30))
def test_a_list_of_follows_is_as_if_only_what_changed_it_had_happened(acts: list[tuple[bool, UUID]]) -> None:
    following, changes = NONE, 0
    model: list[UUID] = []
    for follows, id_ in acts:
        after = domain.followed(following, id_, str(id_)) if follows else domain.left(following, id_)
        if follows != (id_ in model):
            changes += 1
            model = [*model, id_] if follows else [known for known in model if known != id_]
        else:
            assert after is following
        following = after
    assert (list(following.channels), following.version) == (model, changes)


def test_two_hundred_channels_are_enough() -> None:
    full = Following("citizen:하늘", 200, {uuid4(): "채널" for _ in range(200)})
    with pytest.raises(Conflict):
        domain.followed(full, uuid4(), "하나 더")
    known = next(iter(full.channels))
    assert domain.followed(full, known, "채널") is full


@pytest.mark.parametrize(("count", "told"), [(0, None), (4, None), (5, 5), (6, 6)])
def test_a_count_under_five_is_not_shown_and_five_is(count: int, told: int | None) -> None:
    assert domain.shown(count, 5) == told


def test_an_edit_that_changes_nothing_makes_no_version() -> None:
    channel = Channel(uuid4(), "수완동", "수완동", 3, Profile("소개"), NOW, NOW)
    assert domain.edited(channel, {"about": "소개"}, NOW) is channel
    assert domain.edited(channel, {"about": "새 소개"}, NOW).version == 4


@pytest.mark.parametrize("name", ["첨단1동", "수완동2", "/수완동", ""])
def test_a_channel_of_somebody_else_is_refused(name: str) -> None:
    with pytest.raises(Refused) as refused:
        domain.check_name(name, "수완동")
    assert refused.value.rule == "own-channel"
