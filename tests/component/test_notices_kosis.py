"""Cards read from KOSIS, over HTTP from a server on loopback: its failures with status 200, its traps, and the guard."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio

from services.notices.kosis import polling
from services.notices.settings import Settings
from shared import telemetry
from shared.clock import SEOUL
from shared.outside import Outside
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.notices import Institution, NoticesDesk, open_notices
from tests.publishers import NOBODY_LISTENS, assert_problem, broken_rules
from tests.statistics import cells, made, points, read, upload

pytestmark = pytest.mark.component

KEY = "very-secret-key"
TABLE = {"org_id": "101", "tbl_id": "DT_1B04005N", "itm_id": "T2", "objects": ["ALL"]}


def row(**changed: Any) -> dict[str, Any]:
    return {
        "ORG_ID": "101", "TBL_ID": "DT_1B04005N", "PRD_SE": "M", "PRD_DE": "202604", "C1": "1", "C1_NM": "수완동", "DT": "51",
        "ITM_ID": "T2", "ITM_NM": "총인구", "UNIT_NM": "명", **changed,
    }  # fmt: skip


class Kosis:
    """Says what a test put there; knows what was asked."""

    def __init__(self) -> None:
        self.says: tuple[int, bytes, str] = (200, b"[]", "")
        self.asked: list[str] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append((await reader.readline()).decode().split(" ")[1])
        status, body, more = self.says
        writer.write(
            f"HTTP/1.1 {status} Said\r\n{more}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
        )
        await writer.drain()
        writer.close()

    def rows(self, *some: dict[str, Any]) -> None:
        self.says = (200, json.dumps(some, ensure_ascii=False).encode(), "")


@pytest_asyncio.fixture(scope="module")
async def kosis() -> AsyncIterator[Kosis]:
    served = Kosis()
    serving = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    served.url = f"http://127.0.0.1:{serving.sockets[0].getsockname()[1]}"
    yield served
    serving.close()


@pytest_asyncio.fixture(scope="module")
async def desk(
    kosis: Kosis, databases: Databases, issuer: Issuer, settings_for: SettingsFor
) -> AsyncIterator[NoticesDesk]:
    settings = settings_for(
        Settings, kafka_url=NOBODY_LISTENS, notices_tick_s=3_600, boards_tick_s=3_600, boards_private_addresses=True,
        kosis_url=f"{kosis.url}/openapi", kosis_api_key=KEY, statistics_max_bytes=50_000,
    )  # fmt: skip
    async with open_notices(databases, issuer, settings) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module")
async def outside() -> AsyncIterator[Outside]:
    client = polling.client(private=True)
    yield client
    await client.close()


@pytest_asyncio.fixture
async def office(desk: NoticesDesk) -> Institution:
    return await desk.institution()


@pytest_asyncio.fixture
async def card(desk: NoticesDesk, office: Institution) -> dict[str, Any]:
    return await made(desk, office, points=points({"2026-03": {"수완동": 40}}))


async def named(desk: NoticesDesk, card: dict[str, Any], office: Institution, **changed: Any) -> dict[str, Any]:
    found: dict[str, Any] = await desk.good("PUT", f"/statistics/{card['id']}/kosis", TABLE | changed, as_=office.both)
    return found


async def looked(desk: NoticesDesk, card: dict[str, Any], office: Institution, outside: Outside) -> dict[str, Any]:
    """The reader comes by; how reading does afterwards."""
    await desk.good("POST", f"/statistics/{card['id']}/kosis/look", as_=office.author)
    while await polling.look_at_due(desk.app.state.parts, outside):
        pass
    found: dict[str, Any] = await desk.good("GET", f"/statistics/{card['id']}/kosis", as_=office.author)
    return found


async def test_a_card_is_read_from_its_table_and_again_only_what_is_new(
    desk: NoticesDesk, office: Institution, card: dict[str, Any], kosis: Kosis, outside: Outside
) -> None:
    kosis.rows(row(), row(C1="2", C1_NM="첨단1동", DT="-"), row(C1="3", C1_NM="하남동", DT="2"), row(C1="0", C1_NM="계", DT="90"),
               row(C1="4", C1_NM="어룡동", DT="37"), row(PRD_DE="202609", DT="64"))  # fmt: skip
    assert (await named(desk, card, office))["state"] == "new"
    told = await looked(desk, card, office, outside)
    assert (told["state"], told["missing"], told["refused"], told["failures"]) == ("ok", 1, 0, 0)
    after = (await read(desk, card)).json()
    assert after["version"] == 2
    assert after["as_of"] == desk.clock().astimezone(SEOUL).date().isoformat()
    seen = cells(after, "2026-04")
    assert seen[""] == 90
    assert {group for group, value in seen.items() if value is None} >= {"하남동"}
    await looked(desk, card, office, outside)
    assert (await read(desk, card)).json()["version"] == 2, "the same answer is no revision"
    query = parse_qs(urlsplit(kosis.asked[-1]).query)
    assert {name: query[name] for name in ("apiKey", "orgId", "objL1", "prdSe", "jsonVD", "newEstPrdCnt")} == {
        "apiKey": [KEY], "orgId": ["101"], "objL1": ["ALL"], "prdSe": ["M"], "jsonVD": ["Y"], "newEstPrdCnt": ["12"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "because"),
    [
        ((200, '{"err":"30","errMsg":"데이터가 존재하지 않습니다."}', ""), "source-empty"),
        ((200, '{err:"10",errMsg:"인증키 누락"}', ""), "source-error"),
        ((200, "<html>점검 중</html>", ""), "json"),
        ((200, "[]", ""), "source-empty"),
        ((500, "", ""), "status: 500"),
        ((200, "x" * 60_000, ""), "too-large"),
    ],
)
async def test_a_source_that_keeps_failing_is_seen_and_changes_nothing(
    desk: NoticesDesk,
    office: Institution,
    card: dict[str, Any],
    kosis: Kosis,
    outside: Outside,
    said: Any,
    because: str,
) -> None:
    kosis.says = (said[0], said[1].encode(), said[2])
    await named(desk, card, office)
    before = telemetry.KOSIS_READ.labels("failed")._value.get()
    for n in (1, 2, 3):
        told = await looked(desk, card, office, outside)
        assert told["failures"] == n
        assert because in told["failed_because"]
        assert KEY not in json.dumps(told)
    assert told["state"] == "failing"
    assert telemetry.KOSIS_READ.labels("failed")._value.get() == before + 3
    ready = (await desk.http.get("/readyz")).json()
    assert (ready["ready"], "kosis" in ready["degraded"]) == (True, True)
    assert (await read(desk, card)).json()["version"] == 1
    kosis.rows(row())
    told = await looked(desk, card, office, outside)
    assert (told["state"], told["failures"], told["failed_because"]) == ("ok", 0, None)
    assert (await read(desk, card)).json()["version"] == 2
    await desk.good("DELETE", f"/statistics/{card['id']}/kosis", as_=office.both)


async def test_an_address_inside_is_never_asked(
    desk: NoticesDesk, office: Institution, card: dict[str, Any], kosis: Kosis
) -> None:
    """The address is the platform's own, and still is asked through the guard of boards."""
    guarded, asked = polling.client(private=False), len(kosis.asked)
    await named(desk, card, office)
    told = await looked(desk, card, office, guarded)
    assert told["failed_because"].startswith("forbidden")
    assert len(kosis.asked) == asked, "loopback was not asked at all"
    await guarded.close()
    await desk.good("DELETE", f"/statistics/{card['id']}/kosis", as_=office.both)


@pytest.mark.parametrize(
    ("rows", "rule"),
    [
        ([row(), row(PRD_DE="202605", UNIT_NM="천명")], "several-units"),
        ([row(UNIT_NM="가구")], "unit"),
        ([row(), row(ITM_ID="T3")], "several-items"),
        ([row(), row(PRD_DE="2026", PRD_SE="A")], "several-paces"),
        ([row(PRD_SE="A", PRD_DE="2026")], "pace"),
        ([row(C2="1", C2_NM="남"), row(C2="2", C2_NM="여")], "several-classifications"),
        ([row(DT="-"), row(PRD_DE="202605", DT="…")], "source-empty"),
    ],
)
async def test_an_answer_given_by_hand_is_of_one_series(
    desk: NoticesDesk, office: Institution, card: dict[str, Any], rows: list[dict[str, Any]], rule: str
) -> None:
    raw = json.dumps(rows, ensure_ascii=False).encode()
    answer = await upload(desk, card, office, raw, kind="kosis/import")
    assert broken_rules(answer) == {("body.file", rule)}


async def test_bad_rows_of_an_answer_are_named_and_the_others_taken(
    desk: NoticesDesk, office: Institution, card: dict[str, Any]
) -> None:
    rows = [row(), row(), row(PRD_DE="202613"), row(PRD_DE="202605", DT="12.5"), row(PRD_DE="202701"), row(PRD_DE=None)]
    answer = await upload(desk, card, office, json.dumps(rows).encode(), kind="kosis/import")
    report = answer.json()
    assert (report["added"], report["refused"]) == (1, 5)
    assert [(e["line"], e["rule"]) for e in report["errors"]] == [
        (2, "twice"), (3, "period"), (4, "whole-number"), (5, "in-future"), (6, "period"),
    ]  # fmt: skip
    unquoted = b'[{PRD_SE:"M",PRD_DE:"202602",C1_NM:"\xec\x88\x98\xec\x99\x84\xeb\x8f\x99",DT:"77",ITM_ID:"T2"}]'
    assert (await upload(desk, card, office, unquoted, kind="kosis/import")).json()["added"] == 1


async def test_only_ones_own_card_is_read_and_only_by_both_roles(
    desk: NoticesDesk, office: Institution, card: dict[str, Any]
) -> None:
    other, path = await desk.institution(), f"/statistics/{card['id']}/kosis"
    assert_problem(await desk.ask("PUT", path, TABLE, as_=office.author), 403, "role-needed")
    assert_problem(await desk.ask("PUT", path, TABLE, as_=other.both), 403, "not-yours")
    assert_problem(await desk.ask("GET", path, as_=office.both), 404, "not-found")
    await named(desk, card, office)
    assert_problem(await desk.ask("GET", path, as_=other.both), 403, "not-yours")
    assert_problem(await desk.ask("POST", f"{path}/look", as_=other.both), 404, "not-found")
    assert_problem(await desk.ask("DELETE", path, as_=other.both), 404, "not-found")
    answer = await desk.ask("PUT", path, TABLE | {"tbl_id": "x&y=1"}, as_=office.both)
    assert_problem(answer, 422, "invalid")
    await desk.good("DELETE", path, as_=office.both)
