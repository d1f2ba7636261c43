"""Citizens ask the institution, it answers, everybody may read both; moderation looks at what was reported."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text

from services.notices.settings import Settings
from shared.contracts import Answered
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.notices import Institution, NoticesDesk, open_notices, somebody
from tests.publishers import NOBODY_LISTENS, assert_problem, broken_rules, hours_on

pytestmark = pytest.mark.component


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[NoticesDesk]:
    async with open_notices(databases, issuer, settings_for(Settings, kafka_url=NOBODY_LISTENS)) as made:
        yield made


@pytest_asyncio.fixture(scope="module")
async def office(desk: NoticesDesk) -> Institution:
    return await desk.institution()


async def comment(desk: NoticesDesk, notice: dict[str, Any], who: str, body: str = "주차는 되나요?") -> httpx.Response:
    return await desk.ask("POST", f"/notices/{notice['id']}/comments", {"body": body}, as_=who)


async def answered(desk: NoticesDesk, office: Institution, who: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A notice and a comment on it that everybody may read."""
    notice = await desk.published(as_=office.both)
    made = (await comment(desk, notice, who)).json()
    path = f"/comments/{made['id']}/answer"
    return notice, await desk.good("PUT", path, {"answer": "네, 무료예요."}, as_=office.author)


async def public(desk: NoticesDesk, notice: dict[str, Any]) -> list[dict[str, Any]]:
    page = await desk.good("GET", f"/notices/{notice['id']}/comments", as_=None)
    items: list[dict[str, Any]] = page["items"]
    return items


async def test_a_comment_is_for_the_institution_until_it_is_answered_and_then_for_all_without_a_name(
    desk: NoticesDesk, office: Institution
) -> None:
    who, notice = somebody(), await desk.published(as_=office.both)
    made = (await comment(desk, notice, who)).json()
    assert await public(desk, notice) == []
    asked = await desk.ask("GET", "/comments", as_=office.approver)
    assert made["id"] in [item["id"] for item in asked.json()["items"]]
    assert who not in asked.text, "the institution is asked, not told by whom"
    other = await desk.institution()
    assert (await desk.good("GET", "/comments", as_=other.both))["items"] == []
    path, words = f"/comments/{made['id']}/answer", {"answer": "네, 무료예요."}
    assert_problem(await desk.ask("PUT", path, words, as_=other.both), 403, "not-yours")
    assert_problem(await desk.ask("PUT", path, words, as_=somebody()), 403, "forbidden")
    await desk.good("PUT", path, words, as_=office.author)
    (shown,) = await public(desk, notice)
    assert (shown["body"], shown["answer"], "author" in shown) == ("주차는 되나요?", "네, 무료예요.", False)
    again = await desk.good("PUT", path, {"answer": "아니요, 공사 중이에요."}, as_=office.author)
    assert (again["version"], again["answer"]) == (3, "아니요, 공사 중이에요.")
    mine = await desk.good("GET", "/my-comments", as_=who)
    assert [(item["state"], item["answer"]) for item in mine["items"]] == [("answered", "아니요, 공사 중이에요.")]


async def test_three_comments_wait_and_a_fourth_has_to_also_when_all_come_at_once(
    desk: NoticesDesk, office: Institution
) -> None:
    who, notice = somebody(), await desk.published(as_=office.both)
    answers = await asyncio.gather(*(comment(desk, notice, who, f"질문 {n}") for n in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 201, 409, 409]
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert assert_problem(refused, 409, "conflict")[0]["rule"] == "wait-for-answer"


async def test_writing_without_end_is_turned_away(desk: NoticesDesk, office: Institution) -> None:
    who, notice = somebody(), await desk.published(as_=office.both)
    answers = [await comment(desk, notice, who) for _ in range(12)]
    assert answers[-1].status_code == 429
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60


async def test_what_is_closed_or_over_takes_no_comments(desk: NoticesDesk, office: Institution) -> None:
    closed, over = await desk.published(as_=office.both), await desk.published(as_=office.both, expires_at=hours_on(2))
    await desk.good("POST", f"/notices/{closed['id']}/withdraw", {"reason": "끝"}, as_=office.approver)
    assert assert_problem(await comment(desk, closed, somebody()), 409, "conflict")[0]["rule"] == "closed"
    with desk.clock.at(over["expires_at"]):
        assert_problem(await comment(desk, over, somebody()), 409, "conflict")
    assert_problem(await comment(desk, {"id": uuid4()}, somebody()), 404, "not-found")
    assert_problem(await comment(desk, closed, office.both), 403, "forbidden")


async def test_a_citizen_takes_back_what_is_theirs_and_nothing_else(desk: NoticesDesk, office: Institution) -> None:
    who = somebody()
    notice, made = await answered(desk, office, who)
    assert_problem(await desk.ask("DELETE", f"/comments/{made['id']}", as_=somebody()), 404, "not-found")
    await desk.good("DELETE", f"/comments/{made['id']}", as_=who)
    assert await public(desk, notice) == []
    async with desk.database.transaction() as tx:
        left = (await tx.execute(text("SELECT count(*) FROM comment WHERE author = :who"), {"who": who})).scalar_one()
    assert left == 0


async def test_what_is_reported_waits_for_a_moderator_who_hides_restores_or_keeps_it(
    desk: NoticesDesk, office: Institution
) -> None:
    notice, made = await answered(desk, office, somebody())
    reporters = [somebody() for _ in range(3)]
    for who in reporters:
        await desk.good("PUT", f"/comments/{made['id']}/report", {"reason": "insult"}, as_=who)
    again = await desk.ask("PUT", f"/comments/{made['id']}/report", {"reason": "insult"}, as_=reporters[0])
    assert assert_problem(again, 409, "conflict")[0]["rule"] == "reported-already"
    queue = await desk.ask("GET", "/moderation/comments?limit=200", as_="moderator")
    (mine,) = [item for item in queue.json()["items"] if item["id"] == made["id"]]
    assert mine["reports"] == {"insult": 3}
    assert not [who for who in reporters if who in queue.text]

    async def act(what: str, as_: str = "moderator") -> httpx.Response:
        return await desk.ask("POST", f"/moderation/comments/{made['id']}/{what}", {"reason": "살펴봄"}, as_=as_)

    assert_problem(await act("hide", office.both), 403, "forbidden")
    at_once = await asyncio.gather(*(act("hide") for _ in range(3)))
    assert sorted(answer.status_code for answer in at_once) == [200, 200, 200], "hidden again is hidden"
    assert await public(desk, notice) == []
    refused = await desk.ask("PUT", f"/comments/{made['id']}/answer", {"answer": "x"}, as_=office.author)
    assert assert_problem(refused, 409, "conflict")[0]["rule"] == "hidden"
    assert (await act("restore")).json()["state"] == "answered"
    assert len(await public(desk, notice)) == 1
    assert_problem(await act("restore"), 409, "conflict")
    await desk.good("PUT", f"/comments/{made['id']}/report", {"reason": "other"}, as_=somebody())
    assert (await act("keep")).status_code == 200
    assert made["id"] not in (await desk.ask("GET", "/moderation/comments", as_="moderator")).text


async def test_only_what_everybody_may_read_is_reported(desk: NoticesDesk, office: Institution) -> None:
    notice = await desk.published(as_=office.both)
    made = (await comment(desk, notice, somebody())).json()
    refused = await desk.ask("PUT", f"/comments/{made['id']}/report", {"reason": "other"}, as_=somebody())
    assert assert_problem(refused, 409, "conflict")[0]["rule"] == "not-public"


async def test_a_comment_is_plain_text_as_it_was_written(desk: NoticesDesk, office: Institution) -> None:
    notice = await desk.published(as_=office.both)
    words = "<script>alert(1)</script> \u202e👩🏽‍🌾"
    assert (await comment(desk, notice, somebody(), words)).json()["body"] == words
    for body, rule in ((" ", "string_too_short"), ("가" * 1_001, "string_too_long"), ("\0가", "nul-character")):
        assert broken_rules(await comment(desk, notice, somebody(), body)) == {("body.body", rule)}


async def test_who_asked_is_told_of_each_answer_once_and_nobody_reads_it_there(
    desk: NoticesDesk, office: Institution
) -> None:
    who = somebody()
    notice, made = await answered(desk, office, who)
    path = f"/comments/{made['id']}/answer"
    await desk.good("PUT", path, {"answer": "네, 무료예요."}, as_=office.both)  # the same again
    await desk.good("PUT", path, {"answer": "아니요, 공사 중이에요."}, as_=office.both)
    told = await desk.events(who, Answered)
    assert [(str(one.comment_id), str(one.notice_id), one.version) for one in told] == [
        (made["id"], notice["id"], version) for version in (2, 3)
    ]
    assert (told[0].headline, told[0].institution) == (notice["headline"], office.name)
    assert "무료" not in told[0].model_dump_json(), "what was asked and answered stays where it is"
