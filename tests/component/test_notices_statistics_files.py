"""Files of figures and figures one by one: what is taken, what is refused and by which rule, days in Seoul."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from services.notices.settings import Settings
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.notices import Institution, NoticesDesk, open_notices
from tests.publishers import NOBODY_LISTENS, assert_problem, broken_rules
from tests.statistics import card_draft, cells, made, points, read, upload

pytestmark = pytest.mark.component


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
