"""The rules of notices: target, channel, publishing, editing, withdrawing, and what the platform is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notices.publishing import domain
from services.notices.publishing.domain import Notice, Terms, current_codes
from shared.contracts.posting import Circle, Where
from shared.geo import district
from shared.rules import Conflict, Refused
from tests.histories import NOW, Step, at, steps, walk

ID = UUID(int=9)
SUWAN = Where(dongs=("1233063700",))
TERMS = Terms(
    headline="물놀이장 열어요", body="매일 10시", target=SUWAN, interests=(), channel="수완동", urgent=False,
    expires_at=at(24 * 14),
)  # fmt: skip
MICROSECOND = timedelta(microseconds=1)
DONGS = district().dongs


def published(**changed: Any) -> Notice:
    return domain.publish(ID, replace(TERMS, **changed), institution="수완동", posted_by="officer:1", now=NOW)


def refusal(**changed: Any) -> tuple[str, str]:
    with pytest.raises(Refused) as refused:
        published(**changed)
    return refused.value.field, refused.value.rule


def test_a_new_notice_is_open_in_its_first_version() -> None:
    notice = published()
    assert (notice.version, notice.urgency_epoch, notice.status, notice.closed_because) == (1, 0, "open", None)


@given(st.lists(st.tuples(st.sampled_from(DONGS), st.booleans()), max_size=42))
def test_either_code_of_a_dong_becomes_the_one_in_force_each_once(chosen: list[tuple[Any, bool]]) -> None:
    given_codes = [dong.old_code if old else dong.code for dong, old in chosen]
    found = current_codes(given_codes, district())
    assert set(found) == {dong.code for dong, _ in chosen}
    assert list(found) == sorted(set(found))
    assert current_codes(found, district()) == found


@given(before=st.lists(st.sampled_from([dong.code for dong in DONGS]), max_size=3), code=st.text(max_size=12))
def test_a_code_of_no_dong_is_refused_at_its_place(before: list[str], code: str) -> None:
    if code in district().by_code:
        return
    with pytest.raises(Refused) as refused:
        current_codes([*before, code], district())
    assert (refused.value.field, refused.value.rule) == (f"target.dongs.{len(before)}", "unknown-dong")


@pytest.mark.parametrize("channel", ["수완동", "수완동/어린이", "수완동/"])
def test_a_channel_is_the_institutions_own(channel: str) -> None:
    assert published(channel=channel).terms.channel == channel


@pytest.mark.parametrize("channel", ["첨단1동", "수완동2", "수완", "/수완동", "수완동 /어린이", "수완동\n/"])
def test_a_channel_of_somebody_else_is_refused(channel: str) -> None:
    assert refusal(channel=channel) == ("channel", "own-channel")


def test_a_notice_expires_in_the_future_within_366_days() -> None:
    assert refusal(expires_at=NOW) == ("expires_at", "in-future")
    published(expires_at=NOW + MICROSECOND)
    published(expires_at=at(24 * 366))
    assert refusal(expires_at=at(24 * 366) + MICROSECOND) == ("expires_at", "too-far")


def test_an_edit_supersedes_and_no_change_is_none() -> None:
    notice = published()
    edited = domain.edit(notice, {"body": "매일 11시"}, at(1))
    assert (edited.id, edited.version, edited.terms.body, edited.changed_at) == (ID, 2, "매일 11시", at(1))
    assert domain.edit(notice, {"body": notice.terms.body, "target": Where(dongs=("1233063700",))}, at(1)) is notice


def test_an_edit_keeps_the_rules_of_publishing() -> None:
    with pytest.raises(Refused) as refused:
        domain.edit(published(), {"channel": "첨단1동"}, NOW)
    assert (refused.value.field, refused.value.rule) == ("channel", "own-channel")


def test_only_becoming_urgent_begins_a_new_urgency_epoch() -> None:
    notice = published()
    urgent = domain.edit(notice, {"urgent": True}, NOW)
    assert (notice.urgency_epoch, urgent.urgency_epoch) == (0, 1)
    assert domain.edit(urgent, {"urgent": False}, NOW).urgency_epoch == 1


def test_what_is_withdrawn_keeps_its_first_reason_and_is_not_edited() -> None:
    gone = domain.withdraw(published(), "비가 와서", at(1))
    assert (gone.status, gone.closed_because, gone.version) == ("closed", "비가 와서", 2)
    assert domain.withdraw(gone, "다른 이유", at(2)) is gone
    with pytest.raises(Conflict):
        domain.edit(gone, {"body": "다시"}, at(2))


def test_the_platform_is_told_the_whole_state() -> None:
    target = Where(circles=(Circle(lat=35.19, lon=126.82, radius_m=700),), dongs=("1233063700",))
    told = domain.as_posting(published(target=target, interests=("children",), channel="수완동/어린이", urgent=True))
    assert (told.id, told.kind, told.version, told.urgent) == (ID, "notice", 1, True)
    assert told.where == target
    assert (told.audience.interests, told.audience.channel) == (("children",), "수완동/어린이")
    assert (told.starts_at, told.ends_at, told.expires_at) == (None, None, at(24 * 14))
    assert told.link == f"/api/notices/notices/{ID}"


changes = st.fixed_dictionaries(
    {},
    optional={
        "body": st.sampled_from(["매일 10시", "매일 11시"]),
        "urgent": st.booleans(),
        "channel": st.sampled_from(["수완동", "수완동/어린이", "첨단1동"]),
        "expires_at": st.floats(-5, 9_000).map(at),
    },
)


@given(steps(changes))
def test_versions_rise_by_one_with_each_change_and_withdrawn_is_for_good(history: list[Step]) -> None:
    versions = walk(published(), history, domain.edit, domain.as_posting)
    assert versions == list(range(1, len(versions) + 1))
