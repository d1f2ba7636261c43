"""Unsubscribe links: what was signed is read again, anything else is nothing."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.settings import Settings as DeliverySettings
from shared.unsubscribe import Scope, UnsubscribeSettings, Unsubscription, link, sign, verify

KEY = "a-key-for-the-tests"
LINES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)


@given(LINES, st.sampled_from(get_args(Scope)), LINES)
def test_what_was_signed_is_read_again_and_with_this_key_alone(citizen: str, scope: Scope, what: str) -> None:
    wanted = Unsubscription(citizen, scope, what)
    token = sign(KEY, wanted)
    assert verify(KEY, token) == wanted
    assert verify(f"{KEY}!", token) is None
    assert sign(KEY, wanted) == token


@given(st.integers(0, 200), st.sampled_from("abcXYZ019-_."))
def test_a_changed_character_makes_it_nothing(place: int, other: str) -> None:
    token = sign(KEY, Unsubscription("citizen:하늘", "channel", "수완동"))
    place %= len(token)
    changed = token[:place] + other + token[place + 1 :]
    # The last characters of base64 may hold bits that mean nothing: what they say is then the same.
    assert verify(KEY, changed) in ({None} if changed != token else {verify(KEY, token)}) | (
        {verify(KEY, token)} if place in (token.index(".") - 1, len(token) - 1) else set()
    )


@pytest.mark.parametrize(
    "token", ["", ".", "a.b", "가.나", "x" * 2_000, "====.====", sign(KEY, Unsubscription("c", "kind", "job"))[:-5]]
)
def test_what_is_no_token_is_nothing(token: str) -> None:
    assert verify(KEY, token) is None


def test_a_scope_that_nobody_knows_is_nothing_even_when_signed() -> None:
    assert verify(KEY, sign(KEY, Unsubscription("c", "everything", ""))) is None  # type: ignore[arg-type]


def test_links_lead_to_who_can_do_it() -> None:
    settings = UnsubscribeSettings(unsubscribe_key=KEY, public_url="https://gwangsan.example")
    assert link(settings, Unsubscription("c", "kind", "job")).startswith(
        "https://gwangsan.example/api/matching/unsubscribe?t="
    )
    assert link(settings, Unsubscription("c", "mail", "all")).startswith(
        "https://gwangsan.example/api/delivery/unsubscribe?t="
    )


def test_production_refuses_keys_that_nobody_gave() -> None:
    own, vapid = "x" * 40, "y" * 40
    with pytest.raises(ValueError, match="GWANGSAN_UNSUBSCRIBE_KEY"):
        DeliverySettings(environment="production", vapid_secret=vapid).check()
    with pytest.raises(ValueError, match="GWANGSAN_UNSUBSCRIBE_KEY"):
        DeliverySettings(
            environment="production", vapid_secret=vapid, unsubscribe_key="development-only-for-links"
        ).check()
    with pytest.raises(ValueError, match="GWANGSAN_VAPID_SECRET"):
        DeliverySettings(environment="production", unsubscribe_key=own).check()
    with pytest.raises(ValueError, match="PRIVATE"):
        DeliverySettings(
            environment="production", unsubscribe_key=own, vapid_secret=vapid, push_private_endpoints=True
        ).check()
    DeliverySettings(environment="production", unsubscribe_key=own, vapid_secret=vapid).check()
    assert own not in repr(DeliverySettings(unsubscribe_key=own, vapid_secret=own, smtp_password=own))
