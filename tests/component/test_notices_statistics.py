"""Statistic cards of a running service: made, revised, uploaded, read in every form; nothing small in any of them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from typing import Any
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
from tests.publishers import NOBODY_LISTENS, assert_problem, broken_rules

pytestmark = pytest.mark.component

FORMS = ("chart.svg", "table.html", "table.csv", "embed")
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


def points(table: dict[str, dict[str, int]], **more: Any) -> list[dict[str, Any]]:
    return [
        {"period": period, "group": group, "value": value, **more}
        for period, groups in table.items()
        for group, value in groups.items()
    ]


def card_draft(**changed: Any) -> dict[str, Any]:
    return {
        "title": f"동별 이용자 {uuid4().hex[:6]}", "unit": "명", "every": "month", "source": "광산구 통계", "as_of": "2026-06-01",
        "points": points({"2026-03": {"수완동": 40, "첨단1동": 12, "하남동": 3}}), **changed,
    }  # fmt: skip


def edit_of(card: dict[str, Any], **changed: Any) -> dict[str, Any]:
    kept = {name: card[name] for name in ("title", "unit", "source", "source_url", "note", "as_of")}
    return {**kept, "points": points({"2026-03": {"수완동": 40}}), **changed}


async def made(desk: NoticesDesk, office: Institution, **changed: Any) -> dict[str, Any]:
    card: dict[str, Any] = await desk.good("POST", "/statistics", card_draft(**changed), as_=office.both)
    return card


async def read(desk: NoticesDesk, card: dict[str, Any], form: str = "", **more: Any) -> Any:
    return await desk.http.get(f"/statistics/{card['id']}{'/' + form if form else ''}", **more)


async def upload(desk: NoticesDesk, card: dict[str, Any], office: Institution, raw: bytes, **query: Any) -> Any:
    path = f"/statistics/{card['id']}/{query.pop('kind', 'import')}"
    headers = desk.bearer(query.pop("as_", office.both)) | {"Idempotency-Key": query.pop("key", uuid4().hex)}
    params = {"as_of": "2026-06-01", **query}
    return await desk.http.post(path, content=raw, headers=headers, params=params)


def cells(card: dict[str, Any], period: str = "2026-03") -> dict[str, float | None]:
    (line,) = (line for line in card["table"] if line["period"] == period)
    return {"": line["total"]["value"], **{group: cell["value"] for group, cell in line["groups"].items()}}


async def everything(desk: NoticesDesk, card: dict[str, Any]) -> str:
    """All that anybody can read of it, joined; marks of style and size left out."""
    answers = [await read(desk, card), await read(desk, card, "revisions")]
    answers += [await read(desk, card, form, params={"lang": lang}) for form in FORMS for lang in ("ko", "en")]
    answers.append(await desk.http.get("/statistics", params={"channel": card["channel"]}))
    assert {answer.status_code for answer in answers} == {200}
    return "\n".join(re.sub(r"<style>.*?</style>", "", answer.text) for answer in answers)


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


class Tags(HTMLParser):
    """What elements and attributes a page really has."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.scopes: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "th":
            self.scopes.append(dict(attrs).get("scope"))


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


async def test_a_file_is_taken_row_by_row_or_whole(desk: NoticesDesk, office: Institution) -> None:
    card = await made(desk, office)
    raw = '기간,구분,값\n2026-04,수완동,"1,234"\n2026-13,수완동,5\n2026-05,하남동,-\n2026-04,수완동,7\n2026-05,수완동,1e400\n'
    for mode, status in (("dry-run", 200), ("all-or-nothing", 422)):
        answer = await upload(desk, card, office, raw.encode("cp949"), mode=mode)
        assert answer.status_code == status
        assert (await read(desk, card)).json()["version"] == 1
    answer = await upload(desk, card, office, raw.encode("utf-8-sig"))
    report = answer.json()
    assert {name: report[name] for name in ("rows", "added", "refused", "version")} == {
        "rows": 5, "added": 1, "refused": 4, "version": 2,
    }  # fmt: skip
    assert [(e["line"], e["column"], e["rule"]) for e in report["errors"]] == [
        (3, "period", "period"), (4, "value", "no-figure"), (5, "period", "twice"), (6, "value", "number"),
    ]  # fmt: skip
    assert cells((await read(desk, card)).json(), "2026-04") == {"": 1234, "수완동": 1234}


async def test_a_file_that_is_none_changes_nothing(desk: NoticesDesk, office: Institution) -> None:
    card = await made(desk, office)
    for raw, rule in (
        (b"", "header"), (b"\xff\xfe\x00a", "encoding"), (b"a,b\n1,2\n", "header"), ("기간,값\n".encode(), "empty"),
        ("기간,값\n2026-01,\"9\n".encode(), "csv"), ("기간,값\0\n".encode(), "nul-character"),
        ("기간,값\n" + "2026-01,9\n" * 5_001, "how-many"),
    ):  # fmt: skip
        answer = await upload(desk, card, office, raw if isinstance(raw, bytes) else raw.encode())
        assert broken_rules(answer) == {("body.file", rule)}
    answer = await upload(desk, card, office, b"x" * 300_001)
    assert_problem(answer, 413, "too-large")
    assert (await read(desk, card)).json()["version"] == 1


async def test_the_same_file_under_one_key_is_taken_once(desk: NoticesDesk, office: Institution) -> None:
    card, key = await made(desk, office), uuid4().hex
    raw = "기간,구분,값\n2026-04,수완동,77\n".encode()
    first, again = [await upload(desk, card, office, raw, key=key) for _ in range(2)]
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert_problem(await upload(desk, card, office, raw + b"\n", key=key), 422, "idempotency-key-reused")


async def test_days_are_those_of_seoul(desk: NoticesDesk, office: Institution) -> None:
    july = {"as_of": "2026-07-01", "points": points({"2026-07": {"": 9}})}
    with desk.clock.at("2026-06-30T23:59:50+09:00"):
        answer = await desk.ask("POST", "/statistics", card_draft(**july), as_=office.both)
        assert broken_rules(answer) == {("body.as_of", "in-future")}
        answer = await desk.ask("POST", "/statistics", card_draft(**{**july, "as_of": "2026-06-30"}), as_=office.both)
        assert broken_rules(answer) == {("body.period", "in-future")}
    with desk.clock.at("2026-07-01T00:00:01+09:00"):
        card = await made(desk, office, **july)
        assert card["period"] == "2026-07"


@pytest.mark.parametrize(
    ("point", "rule"),
    [
        ({"value": "1e400"}, "number"), ({"value": "NaN"}, "number"), ({"value": "-"}, "no-figure"), ({"value": "1,23"}, "number"),
        ({"value": "-3"}, "whole-number"), ({"value": "1.5"}, "whole-number"), ({"value": "9" * 15}, "value"),
        ({"period": "2026-00"}, "period"), ({"period": "9999-01"}, "period"), ({"group": "소계"}, "sum-within"),
        ({"group": "a\u202eb"}, "name"),
    ],
)  # fmt: skip
async def test_a_figure_that_is_none_is_refused_by_its_rule(
    desk: NoticesDesk, office: Institution, point: dict[str, Any], rule: str
) -> None:
    whole = [{"period": "2026-03", "group": "가", "value": 9, **point}]
    answer = await desk.ask("POST", "/statistics", card_draft(points=whole), as_=office.both)
    assert {broken for _, broken in broken_rules(answer)} == {rule}


async def test_what_overflows_json_is_no_number(desk: NoticesDesk, office: Institution) -> None:
    raw = json.dumps(card_draft()).replace('"value": 40', '"value": 1e400')
    headers = desk.bearer(office.both) | {"Idempotency-Key": uuid4().hex, "Content-Type": "application/json"}
    answer = await desk.http.post("/statistics", content=raw, headers=headers)
    assert {rule for _, rule in broken_rules(answer)} == {"number"}


async def test_full_width_digits_are_digits_and_groups_must_be_parts(desk: NoticesDesk, office: Institution) -> None:
    card = await made(desk, office, points=[{"period": "２０２６년 3월", "group": "전체", "value": "１，２３４"}])
    assert cells(card) == {"": 1234}
    overlapping = points({"2026-03": {"": 10, "가": 8, "나": 8}})
    answer = await desk.ask("POST", "/statistics", card_draft(points=overlapping), as_=office.both)
    assert broken_rules(answer) == {("body.points", "groups-overlap")}
    twice = points({"2026-03": {"가": 9}}) + points({"2026년 3월": {"가": 10}})
    answer = await desk.ask("POST", "/statistics", card_draft(points=twice), as_=office.both)
    assert broken_rules(answer) == {("body.points", "twice")}


async def test_no_event_carries_a_figure(desk: NoticesDesk, office: Institution) -> None:
    """What reaches residents is the notice; cards are read where they are."""
    card = await made(desk, office, points=points({"2026-03": {"가": 918_273, "나": 2}}))
    async with desk.database.transaction() as tx:
        told = (
            await tx.execute(text("SELECT coalesce(string_agg(CAST(payload AS text), ''), '') FROM outbox"))
        ).scalar_one()
    assert "918273" not in str(told)
    assert card["id"] not in str(told)
