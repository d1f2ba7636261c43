"""The way of a notice: which act follows which, two officers behind an emergency, hours, diffs. Pure rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notices.channels.domain import BOTH, Institution
from services.notices.drafts import domain
from services.notices.drafts.domain import Draft
from services.notices.publishing import domain as publishing
from services.notices.publishing.domain import EXPIRED, Attachment, Terms, subject_of
from services.notices.publishing.revisions import changes, compared
from shared.clock import SEOUL
from shared.contracts.posting import Where
from shared.rules import Conflict, Refused
from tests.histories import NOW

OFFICE = Institution("수완동", True, {"글쓴이": frozenset({"author"}), "승인자": frozenset({"approver"}), "둘다": BOTH})
DRAFT = Draft(
    uuid4(), uuid4(), None, "수완동", 1, "draft", {}, False, None, ("글쓴이",), None, None, None, NOW, NOW
)  # fmt: skip
TERMS = Terms(
    "물놀이장 열어요", "매일 10시", Where(dongs=("1233063700",)), (), "수완동", False, NOW + timedelta(days=14)
)
SECOND = timedelta(seconds=1)

ACTS: dict[str, Any] = {
    "write": lambda draft, now: domain.rewritten(draft, {"n": 1}, draft.emergency, None, "둘다", now),
    "submit": lambda draft, now: domain.submitted(draft, "글쓴이", now),
    "return": lambda draft, now: domain.returned(draft, "고쳐 주세요", now),
    "approve": lambda draft, now: domain.approved(draft, "승인자", OFFICE, now),
    "publish": domain.published,
    "drop": domain.dropped,
}
FOLLOWS = {
    "draft": {"write": "draft", "submit": "submitted", "drop": "dropped"},
    "submitted": {"write": "draft", "return": "draft", "approve": "approved", "drop": "dropped"},
    "approved": {"write": "draft", "return": "draft", "publish": "published", "drop": "dropped"},
    "published": {}, "dropped": {},
}  # fmt: skip


@given(st.lists(st.sampled_from(sorted(ACTS)), max_size=12))
def test_each_act_is_allowed_exactly_where_the_table_says_and_is_a_version(acts: list[str]) -> None:
    draft = DRAFT
    for act in acts:
        wanted = FOLLOWS[draft.state].get(act)
        if wanted is None:
            with pytest.raises(Conflict):
                ACTS[act](draft, NOW)
            continue
        after = ACTS[act](draft, NOW + SECOND)
        assert (after.state, after.version, after.changed_at) == (wanted, draft.version + 1, NOW + SECOND)
        draft = after


def test_what_is_rewritten_has_lost_its_approval_and_remembers_who_wrote() -> None:
    approved = domain.approved(domain.submitted(DRAFT, "글쓴이", NOW), "승인자", OFFICE, NOW)
    again = domain.rewritten(approved, {"n": 2}, False, None, "둘다", NOW)
    assert (again.submitted_by, again.approved_by, again.writers) == (None, None, ("글쓴이", "둘다"))
    assert domain.rewritten(again, {"n": 3}, False, None, "글쓴이", NOW).writers == ("글쓴이", "둘다")


@pytest.mark.parametrize(
    ("writers", "submits", "approves", "fine"),
    [
        (("글쓴이",), "글쓴이", "승인자", True),
        (("둘다",), "둘다", "둘다", False),
        (("글쓴이",), "둘다", "둘다", False),
        (("글쓴이", "둘다"), "글쓴이", "둘다", False),
        (("둘다",), "둘다", "승인자", True),
    ],
)
def test_nobody_approves_their_own_emergency(writers: tuple[str, ...], submits: str, approves: str, fine: bool) -> None:
    for emergency in (False, True):
        draft = domain.submitted(replace(DRAFT, writers=writers, emergency=emergency), submits, NOW)
        if fine or not emergency:
            assert domain.approved(draft, approves, OFFICE, NOW).approved_by == approves
            continue
        with pytest.raises(Conflict) as refused:
            domain.approved(draft, approves, OFFICE, NOW)
        assert refused.value.rule == "two-officers"


@pytest.mark.parametrize("office", [Institution("수완동", True, {}), replace(OFFICE, verified=False)])
def test_an_emergency_is_for_verified_institutions_whose_officers_are_known(office: Institution) -> None:
    draft = domain.submitted(replace(DRAFT, emergency=True), "글쓴이", NOW)
    with pytest.raises(Refused) as refused:
        domain.approved(draft, "승인자", office, NOW)
    assert refused.value.rule == "verified-institution"


@pytest.mark.parametrize(
    "hour",
    [
        datetime(2026, 12, 1, 0, 0, tzinfo=SEOUL),  # the month turns in Seoul nine hours before it does in UTC
        datetime(2027, 1, 1, 0, 0, tzinfo=SEOUL),
        datetime(2026, 11, 30, 21, 0, tzinfo=SEOUL),
        datetime(2027, 2, 28, 23, 59, 59, tzinfo=SEOUL),
    ],
)
def test_the_hour_itself_is_inside(hour: datetime) -> None:
    approved = replace(DRAFT, state="approved", publish_at=hour)
    assert [domain.due(approved, hour + late) for late in (-SECOND, timedelta(0), SECOND)] == [False, True, True]
    assert not domain.due(replace(approved, state="submitted"), hour)


def test_a_notice_is_scheduled_at_most_a_year_ahead() -> None:
    domain.check_hour(NOW + timedelta(days=366), NOW)
    domain.check_hour(NOW - timedelta(days=900), NOW)
    with pytest.raises(Refused):
        domain.check_hour(NOW + timedelta(days=366) + SECOND, NOW)


def notice(**changed: Any) -> publishing.Notice:
    return publishing.publish(uuid4(), replace(TERMS, **changed), institution="수완동", posted_by="글쓴이", now=NOW)


def test_over_is_over_for_a_reader_whether_or_not_the_clock_was_there() -> None:
    made, end = notice(), TERMS.expires_at
    assert publishing.seen_at(made, end - SECOND) == publishing.expired(made, end - SECOND) == made
    assert publishing.expired(made, end).version == 2
    for seen in (publishing.seen_at(made, end), publishing.expired(made, end)):
        assert (seen.status, seen.closed_because) == ("closed", EXPIRED)
    withdrawn = publishing.withdraw(made, "비", NOW)
    assert publishing.seen_at(withdrawn, end).closed_because == "비"


def test_the_platform_is_told_of_the_deadline_and_an_edit_is_dated() -> None:
    made = notice(deadline=NOW + timedelta(days=3))
    assert publishing.as_posting(made).deadline == NOW + timedelta(days=3)
    assert publishing.as_posting(notice()).deadline is None
    assert publishing.edit(made, {"body": "매일 11시"}, NOW).terms.edited_at == NOW


def test_a_deadline_is_not_after_the_end() -> None:
    notice(deadline=TERMS.expires_at)
    with pytest.raises(Refused) as refused:
        notice(deadline=TERMS.expires_at + SECOND)
    assert refused.value.rule == "before-expiry"
    with pytest.raises(Refused) as refused:
        notice(deadline=NOW)
    assert refused.value.rule == "in-future"
    made = notice(deadline=NOW + SECOND)
    assert publishing.edit(made, {"body": "지난 뒤에도 고친다"}, NOW + timedelta(days=1)).version == 2


def test_a_notice_concerns_somebody() -> None:
    with pytest.raises(Refused) as refused:
        notice(target=Where())
    assert (refused.value.field, refused.value.rule) == ("target", "no-target")
    told = publishing.as_posting(notice(target=Where(), followers=True))
    assert (told.audience.followers, told.audience.channel, told.where) == (True, "수완동", Where())


def test_becoming_an_emergency_is_told_anew_and_one_officer_cannot_do_it() -> None:
    before = notice()
    after = publishing.edit(before, {"emergency": True}, NOW)
    assert after.urgency_epoch == 1
    for old, new in ((None, after.terms), (before.terms, after.terms), (after.terms, before.terms)):
        with pytest.raises(Conflict):
            publishing.one_officer_is_enough(old, new)
    publishing.one_officer_is_enough(before.terms, before.terms)


def test_one_origin_is_one_subject_and_a_notice_told_on_is_its_own() -> None:
    first = UUID("5d1f0a7e-3b2c-4d4e-8f60-718293a4b5c6")
    assert subject_of(str(first)) == first
    assert subject_of("https://suwan.example/1") == subject_of(" https://suwan.example/1 ")
    assert subject_of("https://suwan.example/1") != subject_of("https://suwan.example/2")
    assert subject_of(None) is None


def test_a_diff_names_each_field_that_differs_and_shows_where() -> None:
    after = replace(
        TERMS,
        body="매일 11시부터",
        urgent=True,
        attachments=(Attachment("안내문", "https://a.example/1.pdf"),),
        edited_at=NOW,
    )
    told = {change.field: change for change in changes(TERMS, after)}
    assert set(told) == {"body", "urgent", "attachments"}
    assert [(p.kind, p.text) for p in told["body"].pieces] == [
        ("same", "매일 "),
        ("removed", "10시"),
        ("added", "11시부터"),
    ]
    assert changes(TERMS, replace(TERMS, edited_at=NOW)) == []


texts = st.text(st.sampled_from("가나다 \n\t👩🏽ab"), max_size=60)


@given(before=texts, after=texts)
def test_the_pieces_of_a_diff_make_both_texts(before: str, after: str) -> None:
    pieces = list(compared(before, after))
    assert "".join(p.text for p in pieces if p.kind != "added") == before
    assert "".join(p.text for p in pieces if p.kind != "removed") == after


def test_a_diff_of_the_longest_texts_is_quick() -> None:
    before, after = "가 " * 5_000, "나 " * 5_000
    pieces = list(compared(before, after))
    assert "".join(p.text for p in pieces if p.kind != "added") == before
