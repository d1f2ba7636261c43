"""The rules of spaces: opening, editing, closing, and what the platform is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.spaces.facilities import domain
from services.spaces.facilities.domain import Space, Terms, usual_expiry
from shared.offers.domain import Place
from shared.rules import Conflict, Refused
from tests.histories import NOW, Step, at, steps, walk

ID = UUID(int=8)
TERMS = Terms(
    headline="작은 회의실", description="", place=Place("수완도서관", "수완로 1", 35.19, 126.82), radius_m=700, space_kind="room",
    capacity=8, price_krw=0, price_per="hour", accessibility=None, interests=(), opens_at=None, closes_at=None,
    expires_at=at(24 * 30),
)  # fmt: skip
MICROSECOND = timedelta(microseconds=1)
MONTH = timedelta(days=30)


def opened(**changed: Any) -> Space:
    return domain.open_space(ID, replace(TERMS, **changed), institution="수완동", posted_by="officer:1", now=NOW)


def refusal(**changed: Any) -> tuple[str, str]:
    with pytest.raises(Refused) as refused:
        opened(**changed)
    return refused.value.field, refused.value.rule


def test_a_new_space_is_open_in_its_first_version() -> None:
    space = opened()
    assert (space.version, space.urgency_epoch, space.status, space.closed_because) == (1, 0, "open", None)


@pytest.mark.parametrize(
    ("opens_at", "closes_at", "expected"),
    [
        (None, None, NOW + MONTH),
        (at(-5), None, NOW + MONTH),
        (at(48), None, at(48) + MONTH),
        (None, at(24), at(24)),
        (at(48), at(72), at(72)),
        (None, NOW + MONTH + MICROSECOND, NOW + MONTH),
    ],
)
def test_an_offer_usually_lasts_30_days_from_opening_or_until_closing(
    opens_at: datetime | None, closes_at: datetime | None, expected: datetime
) -> None:
    assert usual_expiry(opens_at, closes_at, NOW) == expected


def test_a_space_closes_in_the_future_and_after_it_opens() -> None:
    assert refusal(closes_at=NOW) == ("closes_at", "in-future")
    assert refusal(opens_at=at(5), closes_at=at(5)) == ("closes_at", "after-opening")
    opened(opens_at=at(5), closes_at=at(6), expires_at=at(6))


def test_a_space_may_have_opened_before_it_is_offered() -> None:
    assert opened(opens_at=at(-100)).terms.opens_at == at(-100)


def test_an_offer_expires_in_the_future_within_366_days() -> None:
    assert refusal(expires_at=NOW) == ("expires_at", "in-future")
    opened(expires_at=at(24 * 366))
    assert refusal(expires_at=at(24 * 366) + MICROSECOND) == ("expires_at", "too-far")


def test_an_offer_expires_between_opening_and_closing_the_closing_included() -> None:
    opened(closes_at=at(9), expires_at=at(9))
    assert refusal(closes_at=at(9), expires_at=at(9) + MICROSECOND) == ("expires_at", "before-closing")
    assert refusal(opens_at=at(2), expires_at=at(2)) == ("expires_at", "after-opening")
    opened(opens_at=at(2), expires_at=at(2) + MICROSECOND)


def test_an_edit_is_one_version_on_and_no_change_is_none() -> None:
    space = opened()
    edited = domain.edit(space, {"price_krw": 500, "price_per": "use"}, at(1))
    assert (edited.version, edited.terms.price_krw, edited.changed_at) == (2, 500, at(1))
    assert domain.edit(space, {"price_krw": 0}, at(1)) is space


def test_an_edit_keeps_the_rules_of_opening() -> None:
    with pytest.raises(Refused) as refused:
        domain.edit(opened(), {"closes_at": at(1)}, NOW)
    assert (refused.value.field, refused.value.rule) == ("expires_at", "before-closing")


def test_what_is_closed_stays_closed() -> None:
    closed = domain.close(opened(), "공사", at(1))
    assert (closed.status, closed.closed_because, closed.version) == ("closed", "공사", 2)
    assert domain.close(closed, "다른 이유", at(2)) is closed
    with pytest.raises(Conflict):
        domain.edit(closed, {"capacity": 2}, at(2))


def test_the_platform_is_told_the_whole_state() -> None:
    told = domain.as_posting(opened(price_krw=90_000, price_per="month", interests=("office",), opens_at=at(1)))
    assert (told.id, told.kind, told.version, told.urgent, told.urgency_epoch) == (ID, "space", 1, False, 0)
    assert (told.starts_at, told.ends_at, told.expires_at) == (at(1), None, at(24 * 30))
    assert (told.shows.place, told.shows.price_krw, told.shows.price_per) == ("수완도서관", 90_000, "month")
    assert (told.audience.interests, told.audience.channel, told.audience.min_age) == (("office",), "수완동", None)
    assert told.link == f"/api/spaces/spaces/{ID}"


def test_a_free_space_says_so() -> None:
    assert domain.as_posting(opened()).shows.price_krw == 0


moments = st.floats(-5, 9_000).map(at)
changes = st.fixed_dictionaries(
    {},
    optional={
        "opens_at": st.none() | moments,
        "closes_at": st.none() | moments,
        "expires_at": moments,
        "capacity": st.integers(1, 3),
    },
)


@given(steps(changes))
def test_versions_rise_by_one_with_each_change_and_closed_is_for_good(history: list[Step]) -> None:
    versions = walk(opened(), history, domain.edit, domain.as_posting)
    assert versions == list(range(1, len(versions) + 1))


@given(opens_at=st.none() | moments, closes_at=st.none() | moments)
def test_the_usual_expiry_is_never_what_a_space_is_refused_for(
    opens_at: datetime | None, closes_at: datetime | None
) -> None:
    if opens_at is not None and opens_at - NOW > timedelta(days=336):
        opens_at = None
    at_fault = None
    try:
        opened(opens_at=opens_at, closes_at=closes_at, expires_at=usual_expiry(opens_at, closes_at, NOW))
    except Refused as refused:
        at_fault = refused.field
    assert at_fault in (None, "closes_at")
