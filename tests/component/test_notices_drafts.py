"""Draft, approve, schedule, publish, revise, expire: the way of a notice on the real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from services.notices.publishing.domain import EXPIRED
from services.notices.settings import Settings
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.notices import Institution, NoticesDesk, open_notices
from tests.publishers import NOBODY_LISTENS, assert_problem, broken_rules, hours_on, notice_draft

pytestmark = pytest.mark.component


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[NoticesDesk]:
    settings = settings_for(Settings, kafka_url=NOBODY_LISTENS, notices_tick_s=3_600)
    async with open_notices(databases, issuer, settings) as made:
        yield made


@pytest_asyncio.fixture(scope="module")
async def office(desk: NoticesDesk) -> Institution:
    return await desk.institution()


async def written(desk: NoticesDesk, by: str, *, submit: bool = True, **more: Any) -> dict[str, Any]:
    """A draft that is good, submitted unless told otherwise; `publish_at` and `revises` go beside the notice."""
    body: dict[str, Any] = {name: more.pop(name) for name in ("publish_at", "revises") if name in more} | {
        "notice": notice_draft(**more)
    }
    made: dict[str, Any] = await desk.good("POST", "/drafts", body, as_=by)
    if submit:
        made = await desk.good("POST", f"/drafts/{made['id']}/submit", as_=by)
    return made


async def approve(desk: NoticesDesk, draft: dict[str, Any], by: str, version: int | None = None) -> Any:
    return await desk.ask("POST", f"/drafts/{draft['id']}/approve", as_=by, version=version or draft["version"])


async def test_a_notice_is_told_when_an_approver_has_approved_it_and_not_before(
    desk: NoticesDesk, office: Institution
) -> None:
    draft = await written(desk, office.author)
    assert (draft["state"], draft["version"]) == ("submitted", 2)
    assert_problem(await desk.ask("GET", f"/notices/{draft['notice_id']}", as_=None), 404, "not-found")
    assert_problem(await approve(desk, draft, office.author), 403, "role-needed")
    after = (await approve(desk, draft, office.approver)).json()
    assert after["state"] == "published"
    notice = await desk.notice(draft["notice_id"])
    assert (notice["status"], notice["version"], notice["edited_at"]) == ("open", 1, None)
    assert [told.version for told in await desk.told(draft["notice_id"])] == [1]
    whole = await desk.good("GET", f"/drafts/{draft['id']}", as_=office.author)
    assert [(act["act"], act["by_whom"]) for act in whole["acts"]] == [
        ("write", office.author), ("submit", office.author), ("approve", office.approver), ("publish", "-"),
    ]  # fmt: skip


async def test_an_author_alone_publishes_nothing_and_an_approver_alone_writes_nothing(
    desk: NoticesDesk, office: Institution
) -> None:
    for who in (office.author, office.approver):
        assert_problem(await desk.ask("POST", "/notices", notice_draft(), as_=who), 403, "role-needed")
    assert_problem(
        await desk.ask("POST", "/drafts", {"notice": notice_draft()}, as_=office.approver), 403, "role-needed"
    )
    made = await desk.published(as_=office.both)
    assert_problem(
        await desk.ask("PATCH", f"/notices/{made['id']}", {"body": "x"}, as_=office.author, version=1),
        403,
        "role-needed",
    )
    withdraw = f"/notices/{made['id']}/withdraw"
    assert_problem(await desk.ask("POST", withdraw, {"reason": "x"}, as_=office.author), 403, "role-needed")
    await desk.good("POST", withdraw, {"reason": "비"}, as_=office.approver)


async def test_a_draft_is_seen_by_its_own_institution_alone(desk: NoticesDesk, office: Institution) -> None:
    draft, other = await written(desk, office.author), await desk.institution()
    assert_problem(await desk.ask("GET", f"/drafts/{draft['id']}", as_=other.both), 404, "not-found")
    assert_problem(await approve(desk, draft, other.approver), 404, "not-found")
    listed = await desk.good("GET", "/drafts?state=submitted", as_=office.approver)
    assert draft["id"] in [item["id"] for item in listed["items"]]
    assert not (await desk.good("GET", "/drafts", as_=other.both))["items"]


async def test_what_is_returned_says_why_and_may_come_again(desk: NoticesDesk, office: Institution) -> None:
    draft = await written(desk, office.author)
    back = await desk.good("POST", f"/drafts/{draft['id']}/return", {"reason": "날짜가 틀려요"}, as_=office.approver)
    assert (back["state"], back["because"]) == ("draft", "날짜가 틀려요")
    assert_problem(await approve(desk, back, office.approver), 409, "conflict")
    body = {"notice": notice_draft(body="8월 1일부터")}
    again = await desk.good("PUT", f"/drafts/{draft['id']}", body, as_=office.author, version=back["version"])
    assert again["because"] is None
    submitted = await desk.good("POST", f"/drafts/{draft['id']}/submit", as_=office.author)
    assert (await approve(desk, submitted, office.approver)).json()["state"] == "published"
    assert (await desk.notice(draft["notice_id"]))["body"] == "8월 1일부터"


async def test_of_an_edit_and_an_approval_at_once_only_what_was_read_is_told(
    desk: NoticesDesk, office: Institution
) -> None:
    for _ in range(5):
        draft = await written(desk, office.author)
        body = {"notice": notice_draft(body="다른 본문")}
        path = f"/drafts/{draft['id']}"
        edited, approved, also = await asyncio.gather(
            desk.ask("PUT", path, body, as_=office.author, version=draft["version"]),
            approve(desk, draft, office.approver),
            approve(desk, draft, office.both),
        )
        codes = sorted((edited.status_code, approved.status_code, also.status_code))
        assert codes == [200, 412, 412]
        told = await desk.told(draft["notice_id"])
        assert [t.headline for t in told] == ([] if edited.status_code == 200 else [draft["notice"]["headline"]])
    assert_problem(
        await desk.ask("POST", f"/drafts/{draft['id']}/approve", as_=office.approver), 428, "precondition-required"
    )


async def test_an_approval_repeated_under_its_key_is_answered_alike_and_told_once(
    desk: NoticesDesk, office: Institution
) -> None:
    draft, key = await written(desk, office.author), uuid4().hex
    path = f"/drafts/{draft['id']}/approve"
    answers = [await desk.ask("POST", path, as_=office.approver, version=draft["version"], key=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert len(await desk.told(draft["notice_id"])) == 1


async def test_a_scheduled_notice_is_told_at_its_hour_even_if_only_a_reader_comes(
    desk: NoticesDesk, office: Institution
) -> None:
    for by_clock in (True, False):
        draft = await written(desk, office.author, publish_at=hours_on(10))
        assert (await approve(desk, draft, office.approver)).json()["state"] == "approved"
        await desk.chores()
        assert not await desk.told(draft["notice_id"])
        with desk.clock.at(draft["publish_at"]):
            if by_clock:
                assert await asyncio.gather(*(desk.chores() for _ in range(4)))
            notice = await desk.notice(draft["notice_id"])
        assert datetime.fromisoformat(notice["created_at"]) >= datetime.fromisoformat(draft["publish_at"])
        assert len(await desk.told(draft["notice_id"])) == 1
        days = datetime.fromisoformat(notice["expires_at"]) - datetime.fromisoformat(notice["created_at"])
        assert days == timedelta(days=14), "from when it is told, not from when it was written"


async def test_what_cannot_be_told_at_its_hour_goes_back_with_the_reason(
    desk: NoticesDesk, office: Institution
) -> None:
    draft = await written(desk, office.author, publish_at=hours_on(10), expires_at=hours_on(11))
    await approve(desk, draft, office.approver)
    later = await written(desk, office.author, publish_at=hours_on(10))
    await approve(desk, later, office.approver)
    with desk.clock.at(hours_on(12)):
        await desk.chores()
        back = await desk.good("GET", f"/drafts/{draft['id']}", as_=office.author)
        assert (back["state"], back["because"]) == ("draft", "an offer expires in the future")
        assert (await desk.notice(later["notice_id"]))["status"] == "open", "one that is wrong holds up no other"
    assert not await desk.told(draft["notice_id"])


async def test_a_scheduled_notice_may_be_dropped(desk: NoticesDesk, office: Institution) -> None:
    draft = await written(desk, office.author, publish_at=hours_on(10))
    await approve(desk, draft, office.approver)
    assert (await desk.good("DELETE", f"/drafts/{draft['id']}", as_=office.author))["state"] == "dropped"
    with desk.clock.at(hours_on(11)):
        await desk.chores()
    assert not await desk.told(draft["notice_id"])
    assert_problem(await desk.ask("DELETE", f"/drafts/{draft['id']}", as_=office.author), 409, "conflict")


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"publish_at": hours_on(24 * 367)}, ("body.publish_at", "too-far")),
        ({"publish_at": hours_on(10), "expires_at": hours_on(9)}, ("body.expires_at", "in-future")),
        ({"channel": "남의 채널"}, ("body.channel", "own-channel")),
        ({"target": None}, ("body.target", "no-target")),
        ({"deadline": hours_on(48), "expires_at": hours_on(24)}, ("body.deadline", "before-expiry")),
        ({"attachments": [{"name": "a", "url": "javascript:alert(1)"}]}, ("body.notice.attachments.0.url", "string_pattern_mismatch")),
        ({"translations": [{"language": "ko", "headline": "ab", "body": "b"}]}, ("body.notice", "languages")),
        ({"translations": [{"language": name, "headline": "ab", "body": "b"} for name in ("en", "en-GB")]}, ("body.notice", "languages")),
        ({"summary": " "}, ("body.notice.summary", "string_too_short")),
    ],
)  # fmt: skip
async def test_a_draft_that_could_never_be_told_is_refused_when_it_is_written(
    desk: NoticesDesk, office: Institution, changed: dict[str, Any], rule: tuple[str, str]
) -> None:
    beside = {name: changed[name] for name in changed if name == "publish_at"}
    notice = {name: value for name, value in changed.items() if name != "publish_at"}
    answer = await desk.ask("POST", "/drafts", {"notice": notice_draft(**notice), **beside}, as_=office.author)
    assert broken_rules(answer) == {rule}


async def test_followers_summary_links_and_further_languages_are_kept_and_told(
    desk: NoticesDesk, office: Institution
) -> None:
    words: dict[str, Any] = {
        "target": None, "followers": True, "summary": "아이들이 물에서 놀 수 있어요.", "deadline": None,
        "attachments": [{"name": "안내문.pdf", "url": "https://suwan.example/a.pdf"}],
        "translations": [{"language": "vi", "headline": "Khu vui chơi nước", "body": "Mở cửa lúc 10 giờ"}],
    }  # fmt: skip
    made = await desk.published(as_=office.both, **words)
    assert {name: made[name] for name in words} == words
    (told,) = await desk.told(made["id"])
    assert (told.audience.followers, told.audience.channel, told.where.dongs) == (True, office.name, ())
    edited = await desk.good(
        "PATCH", f"/notices/{made['id']}", {"summary": None, "translations": []}, as_=office.both, version=1
    )
    assert (edited["summary"], edited["translations"], edited["attachments"]) == (None, [], words["attachments"])


async def test_a_notice_that_was_edited_says_so_and_shows_what_changed(desk: NoticesDesk, office: Institution) -> None:
    made = await desk.published(as_=office.both, body="매일 10시", topics=["children"])
    path = f"/notices/{made['id']}"
    edited = await desk.good("PATCH", path, {"body": "매일 11시", "topics": []}, as_=office.both, version=1)
    assert edited["edited_at"] is not None
    kept = await desk.good("GET", f"{path}/revisions", as_=None)
    assert [(r["version"], r["body"]) for r in kept] == [(2, "매일 11시"), (1, "매일 10시")]
    diff = await desk.good("GET", f"{path}/diff?from_version=1&to_version=2", as_=None)
    by_field = {change["field"]: change for change in diff["changes"]}
    assert (by_field["topics"]["before"], by_field["topics"]["after"]) == (["children"], [])
    assert by_field["body"]["pieces"] == [
        {"kind": "same", "text": "매일 "}, {"kind": "removed", "text": "10시"}, {"kind": "added", "text": "11시"},
    ]  # fmt: skip
    assert_problem(await desk.ask("GET", f"{path}/diff?from_version=1&to_version=9", as_=None), 404, "not-found")


async def test_a_new_text_of_a_published_notice_goes_the_same_way_and_supersedes_it(
    desk: NoticesDesk, office: Institution
) -> None:
    made = await desk.published(as_=office.both, body="매일 10시")
    first = await written(desk, office.author, revises=made["id"], body="매일 11시")
    second = await written(desk, office.author, revises=made["id"], body="매일 12시")
    assert (await desk.notice(made["id"]))["body"] == "매일 10시"
    assert (await approve(desk, first, office.approver)).status_code == 200
    after = await desk.notice(made["id"])
    assert (after["body"], after["version"], after["edited_at"] is not None) == ("매일 11시", 2, True)
    late = await approve(desk, second, office.approver)
    assert assert_problem(late, 409, "conflict")[0]["rule"] == "changed-meanwhile"
    other = await desk.institution()
    stranger = await desk.ask("POST", "/drafts", {"notice": notice_draft(), "revises": made["id"]}, as_=other.author)
    assert_problem(stranger, 403, "not-yours")


async def test_an_emergency_takes_two_officers_to_tell_and_to_change_and_one_to_withdraw(
    desk: NoticesDesk, office: Institution
) -> None:
    refused = await desk.ask("POST", "/notices", notice_draft(emergency=True), as_=office.both)
    assert assert_problem(refused, 409, "conflict")[0]["rule"] == "two-officers"
    draft = await written(desk, office.both, emergency=True, headline="수완동 단수")
    assert assert_problem(await approve(desk, draft, office.both), 409, "conflict")[0]["rule"] == "two-officers"
    assert (await approve(desk, draft, office.approver)).json()["state"] == "published"
    (told,) = await desk.told(draft["notice_id"])
    assert told.emergency
    path = f"/notices/{draft['notice_id']}"
    changed = await desk.ask("PATCH", path, {"headline": "단수 끝"}, as_=office.both, version=1)
    assert assert_problem(changed, 409, "conflict")[0]["rule"] == "two-officers"
    for calm in (True, False):
        own = await written(desk, office.both, emergency=calm, headline="단수 아님", revises=draft["notice_id"])
        assert assert_problem(await approve(desk, own, office.both), 409, "conflict")[0]["rule"] == "two-officers"
        body = {"notice": notice_draft(emergency=calm)}
        path_of = f"/drafts/{own['id']}"
        await desk.good("PUT", path_of, body, as_=office.both, version=own["version"])
        own = await desk.good("POST", f"{path_of}/submit", as_=office.both)
        assert assert_problem(await approve(desk, own, office.both), 409, "conflict")[0]["rule"] == "two-officers"
    again = await written(desk, office.author, emergency=True, headline="단수 6시까지", revises=draft["notice_id"])
    assert (await approve(desk, again, office.both)).status_code == 200
    await desk.good("POST", f"{path}/withdraw", {"reason": "끝났습니다"}, as_=office.approver)
    assert [(t.version, t.status) for t in await desk.told(draft["notice_id"])] == [
        (1, "open"),
        (2, "open"),
        (3, "closed"),
    ]


async def test_an_institution_nobody_verified_tells_no_emergency_and_names_no_origin(desk: NoticesDesk) -> None:
    made = await desk.institution(verified=False)
    draft = await written(desk, made.author, emergency=True)
    answer = await approve(desk, draft, made.approver)
    assert broken_rules(answer) == {("body.emergency", "verified-institution")}
    answer = await desk.ask("POST", "/notices", notice_draft(origin="https://suwan.example/1"), as_=made.both)
    assert broken_rules(answer) == {("body.origin", "verified-institution")}


async def test_a_notice_told_on_by_another_channel_has_the_same_subject(desk: NoticesDesk, office: Institution) -> None:
    other, page = await desk.institution(), f"https://suwan.example/{uuid4().hex}"
    first = await desk.published(as_=office.both, origin=page)
    second = await desk.published(as_=other.both, origin=first["id"])
    third = await desk.published(as_=other.both, origin=page)
    assert second["origin"] == page, "told on is what the first told on"
    subjects = {(await desk.told(made["id"]))[0].subject for made in (first, second, third)}
    assert len(subjects) == 1
    plain = await desk.published(as_=office.both)
    retold = await desk.published(as_=other.both, origin=plain["id"])
    assert str((await desk.told(retold["id"]))[0].subject) == plain["id"]


async def test_what_is_over_is_closed_by_the_clock_once_and_for_a_reader_before(
    desk: NoticesDesk, office: Institution
) -> None:
    made = await desk.published(as_=office.both, expires_at=hours_on(5))
    with desk.clock.at(made["expires_at"]):
        seen = await desk.notice(made["id"])
        assert (seen["status"], seen["closed_because"], seen["version"]) == ("closed", EXPIRED, 1)
        await asyncio.gather(*(desk.chores() for _ in range(4)))
        assert (await desk.notice(made["id"]))["version"] == 2
    assert [(t.status, t.closed_because) for t in await desk.told(made["id"])] == [("open", None), ("closed", EXPIRED)]


async def test_the_platform_is_told_of_a_deadline_and_of_where_it_moved(desk: NoticesDesk, office: Institution) -> None:
    deadline, moved = hours_on(100), hours_on(150)
    made = await desk.published(as_=office.both, deadline=deadline)
    await desk.good("PATCH", f"/notices/{made['id']}", {"deadline": moved}, as_=office.both, version=1)
    told = [(told.urgency_epoch, told.deadline) for told in await desk.told(made["id"])]
    assert told == [(0, datetime.fromisoformat(deadline)), (0, datetime.fromisoformat(moved))], "told again by matching"
