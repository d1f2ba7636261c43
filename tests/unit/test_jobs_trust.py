"""Reviews shown together or in time, profiles that do not depend on the order of what was told, summaries that prove themselves."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.jobs.trust import domain
from services.jobs.trust.domain import Facts, Profile, Review, Side, profile_of
from services.jobs.trust.signing import GOOD_FOR, Signer
from shared.contracts import Event
from shared.contracts.job import ClaimChanged, HoursEntered, ReviewChanged
from shared.rules import Conflict, Refused

NOW = datetime(2026, 7, 1, 3, 0, tzinfo=UTC)
WEEK = timedelta(days=7)
REVIEW = Review(
    UUID(int=1), UUID(int=2), UUID(int=3), "수완동", "citizen:하늘", "institution", 1, "sealed", ("punctual",), True, "고맙습니다",
    None, None, None, NOW, NOW,
)  # fmt: skip


def claim(n: int, state: str = "finished", version: int = 5, at: str = "수완동", **changed: Any) -> ClaimChanged:
    whole = {"id": UUID(int=n), "posting_id": UUID(int=n), "institution": at, "citizen_id": "citizen:하늘", "version": version,
             "state": state, "starts_at": NOW, "ends_at": NOW, "changed_at": NOW, **changed}  # fmt: skip
    return ClaimChanged.model_validate(whole)


def review(n: int, version: int = 2, state: str = "revealed", **changed: Any) -> ReviewChanged:
    whole = {"id": UUID(int=n), "claim_id": UUID(int=n), "posting_id": UUID(int=n), "institution": "수완동", "by": "institution",
             "citizen_id": "citizen:하늘", "version": version, "state": state, "tags": ["punctual"], "recommends": True,
             "changed_at": NOW, **changed}  # fmt: skip
    return ReviewChanged.model_validate(whole)


def hours(n: int, minutes: int) -> HoursEntered:
    return HoursEntered(
        id=UUID(int=n), claim_id=UUID(int=n), posting_id=UUID(int=n), institution="수완동", citizen_id="citizen:하늘",
        month="2026-07", minutes=minutes, pay_krw=0, entered_at=NOW,
    )  # fmt: skip


def profile(*events: Event) -> Profile:
    facts = Facts()
    for event in events:
        facts.take(event)
    return profile_of(facts, badge_jobs=5, badge_recommendations=2)


def test_a_review_is_shown_on_the_seventh_day_to_the_moment() -> None:
    assert not REVIEW.shown(NOW + WEEK - timedelta(seconds=1), WEEK)
    assert REVIEW.shown(NOW + WEEK, WEEK)
    assert domain.revealed(REVIEW, NOW).shown(NOW, WEEK)
    assert not replace(REVIEW, state="hidden").shown(NOW + WEEK, WEEK)


def test_nobody_answers_a_review_that_they_have_read() -> None:
    domain.check_time([REVIEW], "citizen", NOW + timedelta(days=6), WEEK)
    cases: list[tuple[Side, datetime, str]] = [
        ("institution", NOW, "reviewed-already"), ("citizen", NOW + WEEK, "review-closed"),
    ]  # fmt: skip
    for by, at, rule in cases:
        with pytest.raises(Conflict) as refused:
            domain.check_time([REVIEW], by, at, WEEK)
        assert refused.value.rule == rule


def test_what_is_sealed_or_hidden_says_nothing_of_what_was_written() -> None:
    states: list[Literal["sealed", "hidden"]] = ["sealed", "hidden"]
    for state in states:
        told = domain.as_event(replace(REVIEW, state=state))
        assert (told.tags, told.recommends) == ((), None)
    assert domain.as_event(domain.revealed(REVIEW, NOW)).tags == ("punctual",)


def test_an_appeal_is_made_once_and_decided_once() -> None:
    shown = domain.revealed(REVIEW, NOW)
    asked = domain.appealed(shown, "사실이 아닙니다", NOW)
    hidden = domain.decided(asked, hide=True, because="근거 없음", now=NOW)
    assert (hidden.state, hidden.version) == ("hidden", 4)
    acts: list[Callable[[], Review]] = [
        lambda: domain.appealed(REVIEW, "아직 못 봤지만", NOW),
        lambda: domain.appealed(asked, "또", NOW),
        lambda: domain.decided(shown, hide=True, because="그냥", now=NOW),
        lambda: domain.decided(hidden, hide=False, because="다시", now=NOW),
    ]
    for act in acts:
        with pytest.raises(Conflict):
            act()


@pytest.mark.parametrize("tags", [("clear",), ("punctual", "punctual"), ("nothing",)])
def test_tags_are_of_the_sides_own_vocabulary_each_once(tags: tuple[str, ...]) -> None:
    domain.check_tags("institution", ("punctual", "kind"))
    with pytest.raises(Refused):
        domain.check_tags("institution", tags)


def test_only_finished_work_counts_and_a_no_show_is_no_bad_review() -> None:
    told = profile(claim(1), claim(2, "disputed"), claim(3, "no_show"), claim(4, "dropped", late=True), hours(1, 90))
    assert (told.finished_jobs, told.hours, told.no_shows, told.late_dropouts, told.reviews) == (1, 1.5, 1, 1, 0)


def test_rates_are_told_only_where_there_is_something_to_tell() -> None:
    assert (profile().rehire_rate, profile().punctuality) == (None, None)
    told = profile(claim(1, on_time=True), claim(2, on_time=False), claim(3, at="첨단1동"))
    assert (told.rehire_rate, told.punctuality) == (0.5, 0.5)


def test_a_badge_takes_five_finished_jobs_and_two_recommendations() -> None:
    jobs = [claim(n) for n in range(5)]
    assert profile(*jobs, review(1), review(2)).badges == ("trusted-neighbour",)
    assert profile(*jobs[:4], review(1), review(2)).badges == ()
    assert profile(*jobs, review(1), review(2, recommends=False)).badges == ()
    assert profile(*jobs, review(1), review(2, 3, "hidden", tags=[], recommends=None)).badges == ()


def test_what_citizens_say_of_institutions_is_not_in_their_profile() -> None:
    assert profile(review(1, by="citizen")) == Profile()


events = st.one_of(
    st.builds(claim, st.integers(1, 4), st.sampled_from(["finished", "disputed", "no_show"]), st.integers(1, 4),
              st.sampled_from(["수완동", "첨단1동"])),
    st.builds(hours, st.integers(1, 6), st.just(30)),
    st.builds(review, st.integers(1, 4), st.integers(1, 4), st.sampled_from(["sealed", "revealed", "hidden"])),
)  # fmt: skip


def kept_apart(told: list[Event]) -> list[Event]:
    """One event for each version of each thing, as a true history has it."""
    return list({(type(e), getattr(e, "id", None), getattr(e, "version", 0)): e for e in told}.values())


@given(st.lists(events, max_size=25), st.integers(0, 1_000))
def test_order_and_repetition_do_not_matter(told: list[Event], seed: int) -> None:
    history = kept_apart(told)
    shuffled = history + history[: len(history) // 2]
    random.Random(seed).shuffle(shuffled)
    assert profile(*history) == profile(*shuffled)


def test_facts_survive_being_stored() -> None:
    facts = Facts()
    for event in (claim(1), hours(1, 60), review(1)):
        facts.take(event)
    assert Facts(**asdict(facts)) == facts
    assert not facts.take(claim(1))


def test_a_signed_summary_proves_itself_until_it_expires() -> None:
    signer = Signer("a secret of this test")
    token, expires_at = signer.sign({"name": "김하늘", "finished_jobs": 5}, NOW)
    assert expires_at == NOW + GOOD_FOR
    found = signer.read(token, NOW)
    assert found is not None
    assert (found["name"], found["finished_jobs"]) == ("김하늘", 5)
    assert signer.read(token, expires_at) is None
    assert Signer("another secret").read(token, NOW) is None
    head, body, signature = token.split(".")
    assert signer.read(f"{head}.{body[:-2]}AA.{signature}", NOW) is None
    assert signer.read("not a token", NOW) is None
    assert signer.read("a.b.c", NOW) is None
    (key,) = signer.keys()["keys"]
    assert "d" not in key
