"""The rules of job postings: opening, editing, closing, and what the platform is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.jobs.postings import domain
from services.jobs.postings.domain import JobPosting, Terms
from shared.offers.domain import Place
from shared.rules import Conflict, Refused
from tests.histories import NOW, Step, at, steps, walk

ID = UUID(int=7)
TERMS = Terms(
    headline="경로당 점심 배식", description="", place=Place("수완 경로당", None, 35.19, 126.82), radius_m=700, interests=("meals",),
    min_age=None, starts_at=at(2), ends_at=at(4), expires_at=at(2), pay_krw=10_320, pay_per="hour", slots=1, urgent=False,
)  # fmt: skip
MICROSECOND = timedelta(microseconds=1)


def opened(now: datetime = NOW, **changed: Any) -> JobPosting:
    return domain.open_posting(ID, replace(TERMS, **changed), institution="수완동", posted_by="officer:1", now=now)


def refusal(**changed: Any) -> tuple[str, str]:
    with pytest.raises(Refused) as refused:
        opened(**changed)
    return refused.value.field, refused.value.rule


def test_a_new_posting_is_open_in_its_first_version() -> None:
    job = opened()
    assert (job.version, job.urgency_epoch, job.status, job.closed_because) == (1, 0, "open", None)
    assert job.created_at == job.changed_at == NOW


def test_the_work_ends_after_it_starts() -> None:
    assert refusal(ends_at=at(2)) == ("ends_at", "after-start")
    opened(ends_at=at(2) + MICROSECOND, expires_at=at(2))


def test_one_posting_covers_24_hours_at_most_the_24th_included() -> None:
    opened(ends_at=at(26))
    assert refusal(ends_at=at(26) + MICROSECOND) == ("ends_at", "shift-too-long")


def test_work_that_is_over_is_not_posted() -> None:
    over = {"starts_at": at(-2), "ends_at": NOW}
    assert refusal(**over) == ("ends_at", "in-future")


def test_work_starts_within_366_days() -> None:
    far = at(24 * 366)
    opened(starts_at=far, ends_at=far + timedelta(hours=1), expires_at=far)
    assert refusal(starts_at=far + MICROSECOND, ends_at=far + timedelta(hours=1)) == ("starts_at", "too-far")


def test_a_posting_expires_in_the_future_and_when_the_work_ends_at_the_latest() -> None:
    assert refusal(expires_at=NOW) == ("expires_at", "in-future")
    opened(expires_at=NOW + MICROSECOND)
    opened(expires_at=at(4))
    assert refusal(expires_at=at(4) + MICROSECOND) == ("expires_at", "before-end")


def test_work_that_has_started_is_posted_with_an_expiry_of_its_own() -> None:
    assert refusal(starts_at=at(-1), expires_at=at(-1)) == ("expires_at", "in-future")
    opened(starts_at=at(-1), expires_at=at(1))


def test_an_edit_is_one_version_on() -> None:
    job = domain.edit(opened(), {"slots": 3}, at(1))
    assert (job.version, job.terms.slots, job.created_at, job.changed_at) == (2, 3, NOW, at(1))


def test_an_edit_that_changes_nothing_is_the_same_posting() -> None:
    job = opened()
    assert domain.edit(job, {"slots": 1, "headline": TERMS.headline}, at(1)) is job
    assert domain.edit(job, {}, at(1)) is job


def test_an_edit_keeps_the_rules_of_posting() -> None:
    with pytest.raises(Refused, match="end after it starts"):
        domain.edit(opened(), {"starts_at": at(5)}, NOW)


def test_the_usual_expiry_moves_with_the_start_one_of_its_own_does_not() -> None:
    assert domain.edit(opened(), {"starts_at": at(3)}, NOW).terms.expires_at == at(3)
    assert domain.edit(opened(), {"starts_at": at(3), "expires_at": at(1)}, NOW).terms.expires_at == at(1)
    assert domain.edit(opened(expires_at=at(1)), {"starts_at": at(3)}, NOW).terms.expires_at == at(1)


def test_only_becoming_urgent_begins_a_new_urgency_epoch() -> None:
    calm = opened()
    urgent = domain.edit(calm, {"urgent": True}, NOW)
    still = domain.edit(urgent, {"slots": 2}, NOW)
    calm_again = domain.edit(still, {"urgent": False}, NOW)
    urgent_again = domain.edit(calm_again, {"urgent": True}, NOW)
    assert [job.urgency_epoch for job in (calm, urgent, still, calm_again, urgent_again)] == [0, 1, 1, 1, 2]


def test_what_is_urgent_from_the_start_is_in_the_first_epoch() -> None:
    assert opened(urgent=True).urgency_epoch == 0


def test_closing_keeps_the_first_reason() -> None:
    closed = domain.close(opened(), "다 찼습니다", at(1))
    assert (closed.status, closed.closed_because, closed.version) == ("closed", "다 찼습니다", 2)
    assert domain.close(closed, "다른 이유", at(2)) is closed


def test_what_is_closed_is_not_edited() -> None:
    closed = domain.close(opened(), "다 찼습니다", NOW)
    with pytest.raises(Conflict) as refused:
        domain.edit(closed, {"slots": 1}, NOW)
    assert (refused.value.field, refused.value.rule) == ("status", "closed")


def test_the_platform_is_told_the_whole_state() -> None:
    told = domain.as_posting(domain.close(opened(min_age=18, urgent=True), "취소", at(1)))
    assert (told.id, told.kind, told.version, told.status, told.closed_because) == (ID, "job", 2, "closed", "취소")
    assert (told.audience.interests, told.audience.min_age, told.audience.channel) == (("meals",), 18, "수완동")
    assert (told.starts_at, told.ends_at, told.expires_at, told.changed_at) == (at(2), at(4), at(2), at(1))
    assert (told.shows.place, told.shows.pay_krw, told.shows.pay_per) == ("수완 경로당", 10_320, "hour")
    assert told.where.circles[0].radius_m == 700
    assert told.link == f"/api/jobs/postings/{ID}"


moments = st.floats(-1, 30).map(at)
changes = st.fixed_dictionaries(
    {},
    optional={
        "starts_at": moments,
        "ends_at": moments,
        "expires_at": moments,
        "urgent": st.booleans(),
        "slots": st.integers(1, 3),
        "min_age": st.none() | st.just(18),
    },
)


@given(steps(changes))
def test_versions_rise_by_one_with_each_change_and_closed_is_for_good(history: list[Step]) -> None:
    versions = walk(opened(), history, domain.edit, domain.as_posting)
    assert versions == list(range(1, len(versions) + 1))


@given(starts=st.floats(-30, 9_000), lasts=st.floats(-1, 30), expires=st.floats(-30, 9_000))
def test_what_is_open_is_alertable_until_it_expires(starts: float, lasts: float, expires: float) -> None:
    try:
        job = opened(starts_at=at(starts), ends_at=at(starts + lasts), expires_at=at(expires))
    except Refused:
        return
    terms = job.terms
    assert NOW < terms.expires_at <= terms.ends_at
    assert terms.starts_at < terms.ends_at <= terms.starts_at + timedelta(hours=24)
