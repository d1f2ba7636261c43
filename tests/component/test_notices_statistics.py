"""Statistic cards of a running service: made, revised, uploaded, read in every form; nothing small in any of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4
from xml.etree.ElementTree import fromstring

import pytest
import pytest_asyncio
from sqlalchemy import text

from services.notices.settings import Settings
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.notices import Institution, NoticesDesk, open_notices, somebody
from tests.publishers import NOBODY_LISTENS, assert_problem, broken_rules, notice_draft
from tests.statistics import FORMS, Tags, card_draft, cells, edit_of, everything, made, points, read, upload

pytestmark = pytest.mark.component

SVG = "{http://www.w3.org/2000/svg}"


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[NoticesDesk]:
    settings = settings_for(
        Settings, kafka_url=NOBODY_LISTENS, notices_tick_s=3_600, boards_tick_s=3_600, statistics_max_bytes=300_000
    )
    async with open_notices(databases, issuer, settings) as made:
        yield made


@pytest_asyncio.fixture
async def office(desk: NoticesDesk) -> Institution:
    return await desk.institution()


async def test_a_card_says_what_it_counts_where_from_and_of_when(desk: NoticesDesk, office: Institution) -> None:
    draft = card_draft(source_url="https://stat.example.kr/1", note="3월분", channel=f"{office.name}/통계")
    card = await desk.good("POST", "/statistics", draft, as_=office.both)
    for name in ("title", "unit", "source", "source_url", "note", "as_of", "channel", "every"):
        assert card[name] == draft[name]
    assert (card["institution"], card["version"], card["edited_at"], card["least"]) == (office.name, 1, None, 5)
    assert (card["period"], card["value"]) == ("2026-03", {"value": 55, "hidden": False, "provisional": False})
    channels = await desk.good("GET", "/channels", params={"institution": office.name}, as_=None)
    assert f"{office.name}/통계" in {channel["name"] for channel in channels["items"]}
    listed = await desk.good("GET", "/statistics", as_=None, params={"channel": card["channel"]})
    assert [one["id"] for one in listed["items"]] == [card["id"]]


async def test_a_small_count_is_hidden_with_another_beside_it_on_every_way_out(
    desk: NoticesDesk, office: Institution
) -> None:
    table = {"2026-03": {"수완동": 7_001, "첨단1동": 6_143, "하남동": 3}}
    card = await made(desk, office, points=points(table), title=f"가나다 {uuid4().hex}"[:20])
    assert cells(card) == {"": 13_147, "수완동": None, "첨단1동": 6_143, "하남동": None}
    told = await everything(desk, card)
    assert "7001" not in told
    assert "7,001" not in told
    assert "6,143" in told
    assert "비공개" in told
    assert "withheld" in told


async def test_a_correction_does_not_tell_what_was_hidden_before_or_is_now(
    desk: NoticesDesk, office: Institution
) -> None:
    card = await made(desk, office, points=points({"2026-03": {"가": 9_411, "나": 8_222, "다": 7_533}}))
    assert cells(card) == {"": 25_166, "가": 9_411, "나": 8_222, "다": 7_533}
    body = edit_of(card, points=points({"2026-03": {"가": 9_411, "나": 8_222, "다": 3}}), reason="자료 정정")
    after = await desk.good("PUT", f"/statistics/{card['id']}", body, as_=office.both, version=1)
    assert cells(after) == {"": None, "가": 9_411, "나": 8_222, "다": None}, "25,166 and 17,636 would tell 3"
    told = await everything(desk, after)
    assert "17636" not in told
    assert "17,636" not in told
    (newest, first) = (await read(desk, card, "revisions")).json()
    assert (newest["kind"], newest["reason"], newest["channel"], first["kind"]) == (
        "correction", "자료 정정", office.name, "first",
    )  # fmt: skip
    changes = {change["group"]: (change["before"]["value"], change["after"]["value"]) for change in newest["changes"]}
    assert changes == {"다": (7_533, None), "": (25_166, None)}


async def test_provisional_figures_and_corrections_are_told_as_such(desk: NoticesDesk, office: Institution) -> None:
    two = points({"2026-03": {"": 100}}) + points({"2026-04": {"": 120}}, provisional=True)
    card = await made(desk, office, points=two)
    assert card["value"] == {"value": 120, "hidden": False, "provisional": True}
    csv = "기간,값,상태\n2026-04,120,확정\n".encode()
    assert (await upload(desk, card, office, csv)).json()["changed"] == 1
    after = (await read(desk, card)).json()
    assert (after["value"]["provisional"], after["edited_at"]) == (False, None), "final now, nothing else was said"
    await upload(desk, card, office, "기간,값\n2026-03,101\n".encode(), reason="오타")
    after = (await read(desk, card)).json()
    assert after["edited_at"] == after["changed_at"]
    assert "수정됨" in (await read(desk, card, "chart.svg")).text
    assert "Corrected" in (await read(desk, card, "embed", params={"lang": "en"})).text
    kinds = [
        (one["version"], one["kind"], one["added"], one["changed"])
        for one in (await read(desk, card, "revisions")).json()
    ]
    assert kinds == [(3, "correction", 0, 1), (2, "final", 0, 1), (1, "first", 2, 0)]


async def test_sums_of_a_year_are_made_of_what_is_shown_alone(desk: NoticesDesk, office: Institution) -> None:
    table = {f"2025-Q{n}": {"가": 20 + n, "나": 30 + n, "다": 40 if n < 4 else 2} for n in (1, 2, 3, 4)}
    card = await made(
        desk, office, every="quarter", adds_up=True, points=points({**table, "2026-Q1": {"가": 9, "나": 9}})
    )
    (year,) = card["sums"]
    told = {"": year["total"]["value"], **{group: cell["value"] for group, cell in year["groups"].items()}}
    hidden = {group for group, value in cells(card, "2025-Q4").items() if value is None}
    assert "다" in hidden
    assert len(hidden) == 2
    assert {group for group, value in told.items() if value is None} == hidden
    assert told[""] == 342
    assert told[({"가", "나"} - hidden).pop()] in (90, 130)


async def test_whoever_has_it_is_told_so(desk: NoticesDesk, office: Institution) -> None:
    card = await made(desk, office)
    for form in ("", *FORMS):
        first = await read(desk, card, form)
        again = await read(desk, card, form, headers={"If-None-Match": f'"x", W/{first.headers["etag"]}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"]), form
    old = [(await read(desk, card, form)).headers["etag"] for form in FORMS]
    await upload(desk, card, office, "기간,구분,값\n2026-04,수완동,50\n".encode())
    for form, tag in zip(FORMS, old, strict=True):
        answer = await read(desk, card, form, headers={"If-None-Match": tag})
        assert (answer.status_code, answer.headers["etag"] != tag) == (200, True), form


async def test_an_embed_may_be_framed_by_anybody_and_runs_nothing(desk: NoticesDesk, office: Institution) -> None:
    evil = '<script>alert(1)</script>" onload="x'
    card = await made(desk, office, title=evil[:100], unit="<b>", source="</desc><script>", note="<img src=x onerror=y>",
                      points=points({"2026-03": {"<i>동</i>": 44, "=cmd|'/c'!A1": 50}}))  # fmt: skip
    embed = await read(desk, card, "embed")
    policy = embed.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors *" in policy
    assert "unsafe" not in policy
    assert "sandbox" in policy
    assert "set-cookie" not in embed.headers
    assert "frame-ancestors 'none'" in (await read(desk, card, "table.html")).headers["content-security-policy"]
    found = Tags()
    found.feed(embed.text)
    assert found.names & {"script", "img", "b", "i", "iframe", "link", "a", "form", "input"} == set()
    assert not [name for name in found.attributes if name.startswith("on") or name in ("href", "src", "style")]
    picture = fromstring((await read(desk, card, "chart.svg")).text)
    assert (picture.get("role"), picture.get("aria-labelledby")) == ("img", "t d")
    assert picture.findtext(f"{SVG}title") == evil
    assert not list(picture.iter(f"{SVG}script"))
    assert "'=cmd" in (await read(desk, card, "table.csv")).text, "no spreadsheet runs it"


async def test_the_table_is_read_by_its_headers(desk: NoticesDesk, office: Institution) -> None:
    card = await made(desk, office)
    found = Tags()
    found.feed((await read(desk, card, "table.html")).text)
    assert found.names >= {"table", "caption", "thead", "tbody", "th", "td"}
    assert found.scopes == ["col"] * 5 + ["row"]


async def test_roles_are_those_of_notices(desk: NoticesDesk, office: Institution) -> None:
    card, other = await made(desk, office), await desk.institution()
    body, path = edit_of(card), f"/statistics/{card['id']}"
    assert_problem(await desk.ask("POST", "/statistics", card_draft(), as_=office.author), 403, "role-needed")
    assert_problem(await desk.ask("POST", "/statistics", card_draft(), as_=office.approver), 403, "role-needed")
    assert_problem(await desk.ask("POST", "/statistics", card_draft(), as_=somebody()), 403, "forbidden")
    assert_problem(await desk.ask("POST", "/statistics", card_draft(), as_=None), 401, "unauthenticated")
    assert_problem(await desk.ask("PUT", path, body, as_=other.both, version=1), 403, "not-yours")
    assert_problem(await desk.ask("PUT", path, body, as_=office.author, version=1), 403, "role-needed")
    assert_problem(await upload(desk, card, office, b"x", as_=office.author), 403, "role-needed")
    tried = await upload(desk, card, office, "기간,값\n2026-05,99\n".encode(), as_=office.author, mode="dry-run")
    assert (tried.json()["added"], tried.json()["applied"]) == (1, False), (
        "an author may try what a colleague then sends"
    )
    assert_problem(await desk.ask("DELETE", path, as_=office.author), 403, "role-needed")
    answer = await desk.ask("POST", "/statistics", card_draft(channel=other.name), as_=office.both)
    assert broken_rules(answer) == {("body.channel", "own-channel")}


async def test_of_two_edits_at_once_one_is_told_that_the_card_changed(desk: NoticesDesk, office: Institution) -> None:
    card = await made(desk, office)
    bodies = [edit_of(card, points=points({"2026-03": {"수완동": value}})) for value in (50, 60, 70)]
    answers = await asyncio.gather(
        *(desk.ask("PUT", f"/statistics/{card['id']}", body, as_=office.both, version=1) for body in bodies)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412]
    assert (await read(desk, card)).json()["version"] == 2
    answer = await desk.ask("PUT", f"/statistics/{card['id']}", bodies[0], as_=office.both)
    assert_problem(answer, 428, "precondition-required")


async def test_uploads_at_once_are_all_there(desk: NoticesDesk, office: Institution) -> None:
    card = await made(desk, office)
    files = [f"기간,구분,값\n2025-{month:02d},수완동,{month * 10}\n".encode() for month in range(1, 7)]
    answers = await asyncio.gather(*(upload(desk, card, office, raw) for raw in files))
    assert {answer.status_code for answer in answers} == {200}
    after = (await read(desk, card)).json()
    assert len(after["table"]) == 7
    assert after["version"] == 7


async def test_nothing_different_is_no_version(desk: NoticesDesk, office: Institution) -> None:
    card = await made(desk, office)
    body = edit_of(card, points=card_draft()["points"])
    again = await desk.good("PUT", f"/statistics/{card['id']}", body, as_=office.both, version=1)
    assert again["version"] == 1
    assert again["table"] == card["table"]


async def test_a_withdrawn_card_is_gone_and_comes_back_with_its_history_alone(
    desk: NoticesDesk, office: Institution
) -> None:
    card = await made(desk, office)
    await desk.good("DELETE", f"/statistics/{card['id']}", as_=office.approver)
    for form in ("", "revisions", *FORMS):
        assert_problem(await read(desk, card, form), 404, "not-found")
    anew = card_draft(title=card["title"])
    answer = await desk.ask("POST", "/statistics", anew, as_=office.both)
    assert assert_problem(answer, 409, "conflict")[0]["rule"] == "exists", (
        "the same figures hidden otherwise would tell"
    )
    assert_problem(await upload(desk, card, office, "기간,값\n2026-01,9\n".encode()), 409, "conflict")
    body = edit_of(card, points=points({"2026-03": {"수완동": 40, "첨단1동": 12, "하남동": 8}}))
    back = await desk.good("PUT", f"/statistics/{card['id']}", body, as_=office.both, version=1)
    assert cells(back)[""] is None, "12 was hidden and stays so; the sum would tell it"
    assert len((await read(desk, card, "revisions")).json()) == 2


async def test_a_notice_brings_a_card_to_residents(desk: NoticesDesk, office: Institution) -> None:
    card, other = await made(desk, office), await made(desk, await desk.institution())
    notice = await desk.published(as_=office.both, statistics=[card["id"], card["id"]])
    assert notice["statistics"] == [card["id"]]
    feed = await desk.http.get("/feeds/atom", params={"channel": office.name})
    assert f"/api/notices/statistics/{card['id']}/embed" in feed.text
    feed = await desk.http.get("/feeds/json", params={"channel": office.name})
    (item,) = feed.json()["items"]
    assert [one["url"].endswith(f"/{card['id']}/chart.svg") for one in item["attachments"]] == [True]
    (told,) = await desk.told(notice["id"])
    assert card["id"] not in told.model_dump_json(), "the posting tells of the notice; the card is read where it is"
    for wrong in (other["id"], str(uuid4())):
        answer = await desk.ask("POST", "/notices", notice_draft(statistics=[wrong]), as_=office.both)
        assert broken_rules(answer) == {("body.statistics", "own-card")}
        edit = {"statistics": [wrong]}
        answer = await desk.ask("PATCH", f"/notices/{notice['id']}", edit, as_=office.both, version=1)
        assert broken_rules(answer) == {("body.statistics", "own-card")}
    edited = await desk.good("PATCH", f"/notices/{notice['id']}", {"statistics": []}, as_=office.both, version=1)
    assert edited["statistics"] == []
    diff = await desk.good(
        "GET", f"/notices/{notice['id']}/diff", as_=None, params={"from_version": 1, "to_version": 2}
    )
    assert [change["field"] for change in diff["changes"]] == ["statistics"]


async def test_no_event_carries_a_figure(desk: NoticesDesk, office: Institution) -> None:
    """What reaches residents is the notice; cards are read where they are."""
    card = await made(desk, office, points=points({"2026-03": {"가": 918_273, "나": 2}}))
    async with desk.database.transaction() as tx:
        told = (
            await tx.execute(text("SELECT coalesce(string_agg(CAST(payload AS text), ''), '') FROM outbox"))
        ).scalar_one()
    assert "918273" not in str(told)
    assert card["id"] not in str(told)
