"""Whatever the three services let an officer post, the event keeps the Posting contract, for readers in any language."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from services.jobs.postings import domain as jobs
from services.jobs.postings.models import PostingDraft
from services.notices.publishing import domain as notices
from services.notices.publishing.models import NoticeDraft
from services.spaces.facilities import domain as spaces
from services.spaces.facilities.models import SpaceDraft
from shared.contracts import Posting
from shared.contracts.posting import POSTINGS
from shared.geo import district
from shared.messaging.envelope import body_of
from shared.offers.domain import Offer, closed

NOW = datetime(2026, 7, 1, 1, 0, tzinfo=UTC)
ID = UUID(int=11)
SCHEMA = Draft202012Validator(Posting.model_json_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)

WHO: dict[str, Any] = {"institution": "가" * 100, "posted_by": "officer:1", "now": NOW}


def words(least: int, most: int) -> st.SearchStrategy[str]:
    """Text as it may come, blanks around it, from the shortest to the longest that is taken."""
    core = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=least, max_size=most)
    return core.filter(lambda text: len(text.strip()) >= least).map(lambda text: f" {text}\n")


slugs = st.from_regex(r"[a-z0-9][a-z0-9-]{0,39}", fullmatch=True)
interests = st.lists(slugs, max_size=20)
headlines = st.one_of(words(2, 30), st.just("가" * 200), st.just("👩🏽‍🌾🥕"))
points = {"lat": st.floats(-90, 90), "lon": st.floats(-180, 180)}
radii = st.integers(50, 2_000)
places = st.fixed_dictionaries({"name": words(1, 200), **points}, optional={"address": st.none() | words(0, 50)})


def coming(first_hour: float, last_hour: float) -> st.SearchStrategy[str]:
    return st.floats(first_hour, last_hour).map(lambda hours: (NOW + timedelta(hours=hours)).isoformat())


job_drafts = st.fixed_dictionaries(
    {"headline": headlines, "place": places, "starts_at": coming(0.1, 8_000), "pay": st.fixed_dictionaries(
        {"amount_krw": st.integers(0, 10_000_000)}, optional={"per": st.sampled_from(["hour", "piece", "day"])})},
    optional={"radius_m": radii, "interests": interests, "min_age": st.none() | st.integers(0, 120), "urgent": st.booleans(),
              "slots": st.integers(1, 1_000), "description": words(0, 100)},
)  # fmt: skip
space_drafts = st.fixed_dictionaries(
    {"headline": headlines, "place": places, "space_kind": st.sampled_from(["room", "desk", "seat"]),
     "capacity": st.integers(1, 10_000)},
    optional={"radius_m": radii, "interests": interests, "opens_at": st.none() | coming(-100, 2_000), "closes_at": st.none() |
              coming(2_001, 8_000), "price": st.fixed_dictionaries({}, optional={"amount_krw": st.integers(0, 10_000_000),
              "per": st.sampled_from(["hour", "day", "month", "use"])}), "accessibility": st.none() | words(1, 100)},
)  # fmt: skip
circles = st.fixed_dictionaries(points, optional={"radius_m": radii})
codes = st.sampled_from([code for dong in district().dongs for code in (dong.code, dong.old_code)])
targets = st.fixed_dictionaries(
    {}, optional={"circles": st.lists(circles, max_size=20), "dongs": st.lists(codes, max_size=42)}
).filter(lambda target: any(target.values()))
languages = st.lists(st.sampled_from(["en", "vi", "zh-Hans", "uz"]), unique=True)
translated = languages.map(lambda tags: [{"language": tag, "headline": "Notice", "body": "…"} for tag in tags])
notice_drafts = st.fixed_dictionaries(
    {"headline": headlines, "body": words(1, 200)},
    optional={"target": targets, "followers": st.booleans(), "topics": interests, "urgent": st.booleans(), "emergency": st.booleans(),
              "expires_at": st.none() | coming(0.1, 8_000), "summary": words(1, 50), "translations": translated,
              "origin": words(1, 100) | st.uuids().map(str), "deadline": st.none() | coming(0.001, 0.1)},
).filter(lambda draft: draft.get("target") or draft.get("followers"))  # fmt: skip


def job(draft: dict[str, Any]) -> Offer[Any]:
    ends_at = (datetime.fromisoformat(draft["starts_at"]) + timedelta(hours=2)).isoformat()
    return jobs.open_posting(ID, PostingDraft.model_validate({**draft, "ends_at": ends_at}).terms(), **WHO)


def space(draft: dict[str, Any]) -> Offer[Any]:
    return spaces.open_space(ID, SpaceDraft.model_validate(draft).terms(NOW), **WHO)


def notice(draft: dict[str, Any]) -> Offer[Any]:
    terms = NoticeDraft.model_validate(draft).terms(WHO["institution"], district(), NOW)
    return notices.publish(ID, terms, **WHO)


CASES = [
    pytest.param(job_drafts, job, jobs.as_posting, "job", id="jobs"),
    pytest.param(space_drafts, space, spaces.as_posting, "space", id="spaces"),
    pytest.param(notice_drafts, notice, notices.as_posting, "notice", id="notices"),
]


@pytest.mark.parametrize(("drafts", "opened", "as_posting", "kind"), CASES)
@given(data=st.data())
def test_what_may_be_posted_keeps_the_contract(
    drafts: st.SearchStrategy[dict[str, Any]],
    opened: Callable[[dict[str, Any]], Offer[Any]],
    as_posting: Callable[[Offer[Any]], Posting],
    kind: str,
    data: st.DataObject,
) -> None:
    offer = opened(data.draw(drafts))
    for state in (offer, closed(offer, "가" * 200, NOW + timedelta(hours=1))):
        body = body_of(as_posting(state))
        SCHEMA.validate(json.loads(body))
        told = Posting.model_validate_json(body)
        assert told == as_posting(state)
        assert (told.kind, told.id, told.version, told.status) == (kind, ID, state.version, state.status)
        assert told.topic_key() == str(ID)


def test_each_service_that_publishes_owns_its_kind() -> None:
    assert POSTINGS.owners == ("jobs", "spaces", "notices")
