"""Boards read over HTTP from a server on loopback: what comes becomes drafts once; what fails is seen; nothing leads inside."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from email.utils import format_datetime
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from services.notices.boards.polling import client, look_at_due
from services.notices.settings import Settings
from shared.clock import utc_now
from shared.outside import Outside
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.notices import Institution, NoticesDesk, open_notices
from tests.publishers import NOBODY_LISTENS, assert_problem, broken_rules
from tests.unit.test_boards import BOMB, MESSAGE, rss

pytestmark = pytest.mark.component


class BoardServer:
    """What institutions run: says what the test put at a path, knows ETags, and can send fifty megabytes."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, bytes, dict[str, str]]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.sent = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                path, headers = line.decode().split(" ")[1], {}
                while header := (await reader.readline()).decode().strip():
                    headers[header.partition(":")[0].lower()] = header.partition(":")[2].strip()
                self.asked.append((path, headers))
                await self._answer(path, headers, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def _answer(self, path: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        if path == "/endless":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 52428800\r\n\r\n")
            for _ in range(800):
                writer.write(b"<item>" + b"x" * 65_530)
                self.sent += 65_536
                await writer.drain()
            return
        status, body, more = self.pages.get(path, (404, b"", {}))
        if more.get("ETag") and headers.get("if-none-match") == more["ETag"]:
            status, body = 304, b""
        extra = "".join(f"{name}: {value}\r\n" for name, value in more.items())
        writer.write(f"HTTP/1.1 {status} Said\r\n{extra}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()


@pytest_asyncio.fixture(scope="module")
async def server() -> AsyncIterator[BoardServer]:
    made = BoardServer()
    serving = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{serving.sockets[0].getsockname()[1]}"
    yield made
    serving.close()


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[NoticesDesk]:
    settings = settings_for(
        Settings, kafka_url=NOBODY_LISTENS, notices_tick_s=3_600, boards_tick_s=3_600, boards_private_addresses=True,
        boards_most_drafts=5, boards_per_institution=3,
    )  # fmt: skip
    async with open_notices(databases, issuer, settings) as made:
        yield made


@pytest_asyncio.fixture(scope="module")
async def outside() -> AsyncIterator[Outside]:
    made = client(private=True)
    yield made
    await made.close()


@pytest_asyncio.fixture
async def office(desk: NoticesDesk) -> Institution:
    return await desk.institution()


def item(n: int, **parts: str) -> str:
    at = format_datetime(utc_now() - timedelta(hours=n))
    whole = {"title": f"글 {n}", "link": f"https://board.example.kr/{n}", "guid": f"g{n}", "pubDate": at, **parts}
    return "<item>" + "".join(f"<{name}>{value}</{name}>" for name, value in whole.items()) + "</item>"


class Reading:
    """One board of an institution of a test's own."""

    def __init__(
        self, desk: NoticesDesk, outside: Outside, server: BoardServer, office: Institution, path: str
    ) -> None:
        self.desk, self.outside, self.server, self.office, self.path = desk, outside, server, office, path
        self.board: dict[str, Any] = {}

    def shows(self, *items: str, **headers: str) -> None:
        self.server.pages[self.path] = (200, rss("".join(items)).encode(), headers)

    async def look(self) -> dict[str, Any]:
        """The reader comes by; how the board does afterwards."""
        await self.desk.good("POST", f"/boards/{self.board['id']}/look", as_=self.office.author)
        while await look_at_due(self.desk.app.state.parts, self.outside):
            pass
        boards = await self.desk.good("GET", "/boards", as_=self.office.author)
        found: dict[str, Any] = next(board for board in boards if board["id"] == self.board["id"])
        return found

    async def drafts(self) -> list[dict[str, Any]]:
        page = await self.desk.good("GET", "/drafts?limit=200", as_=self.office.author)
        items: list[dict[str, Any]] = page["items"]
        return items

    async def items(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.desk.good(
            "GET", f"/boards/{self.board['id']}/items", as_=self.office.author
        )
        return found


@pytest_asyncio.fixture
async def reading(desk: NoticesDesk, outside: Outside, server: BoardServer, office: Institution) -> Reading:
    made = Reading(desk, outside, server, office, f"/{uuid4().hex}")
    body = {"url": server.url + made.path, "topics": ["children"], "dongs": ["2920063700"]}
    made.board = await desk.good("POST", "/boards", body, as_=office.author)
    return made


async def test_what_comes_becomes_a_draft_once_and_nothing_is_told_by_itself(reading: Reading) -> None:
    reading.shows(
        item(1, description="&lt;p&gt;본문 &lt;script&gt;alert(1)&lt;/script&gt;&lt;/p&gt;"),
        item(2),
        item(2, title="같은 번호"),
    )
    for _ in range(2):
        assert (await reading.look())["state"] == "ok"
    drafts = await reading.drafts()
    assert sorted(draft["notice"]["headline"] for draft in drafts) == ["글 1", "글 2"]
    one = next(draft for draft in drafts if draft["notice"]["headline"] == "글 1")
    assert (one["state"], one["notice"]["body"], one["notice"]["topics"]) == ("draft", "본문", ["children"])
    assert one["notice"]["target"]["dongs"] == ["1233063700"]
    assert one["notice"]["attachments"] == [{"name": "원문", "url": "https://board.example.kr/1"}]
    assert one["writers"] == [reading.office.author]


async def test_only_what_is_new_is_asked_for(reading: Reading) -> None:
    reading.shows(item(1), ETag='"one"', **{"Last-Modified": "Mon, 01 Mar 2027 00:00:00 GMT"})
    await reading.look()
    await reading.look()
    first, second = [headers for path, headers in reading.server.asked if path == reading.path]
    assert "if-none-match" not in first
    assert (second["if-none-match"], second["if-modified-since"]) == ('"one"', "Mon, 01 Mar 2027 00:00:00 GMT")
    assert len(await reading.drafts()) == 1


async def test_a_changed_item_rewrites_its_draft_and_revises_what_was_told(reading: Reading) -> None:
    desk, office = reading.desk, reading.office
    reading.shows(item(1), item(2))
    await reading.look()
    told = next(d for d in await reading.drafts() if d["notice"]["headline"] == "글 2")
    await desk.good("POST", f"/drafts/{told['id']}/submit", as_=office.author)
    await desk.good("POST", f"/drafts/{told['id']}/approve", as_=office.approver, version=2)
    reading.shows(item(1, title="글 하나 바뀜"), item(2, title="글 둘 바뀜"))
    await reading.look()
    drafts = await reading.drafts()
    assert sorted((d["notice"]["headline"], d["state"], d["base_version"]) for d in drafts) == [
        ("글 2", "published", None), ("글 둘 바뀜", "draft", 1), ("글 하나 바뀜", "draft", None),
    ]  # fmt: skip
    assert (await desk.notice(told["notice_id"]))["headline"] == "글 2", "an officer sends it on, not the board"


async def test_old_ones_and_too_many_are_noted_and_left(reading: Reading) -> None:
    reading.shows(item(24 * 31), *(item(n) for n in range(1, 8)))
    await reading.look()
    assert len(await reading.drafts()) == 5
    assert sorted(one["skipped"] or "" for one in await reading.items()) == [
        "", "", "", "", "", "more at once than are taken in", "more at once than are taken in", "older than what is taken in",
    ]  # fmt: skip


async def test_a_board_that_keeps_failing_is_seen_and_recovers(reading: Reading) -> None:
    failures = []
    for status, body in ((500, b""), (200, b"<html>"), (200, rss("&x;", BOMB).encode())):
        reading.server.pages[reading.path] = (status, body, {})
        failures.append(await reading.look())
    assert [(f["failures"], f["state"]) for f in failures] == [(1, "new"), (2, "new"), (3, "failing")]
    assert failures[0]["failed_because"] == "status: 500"
    assert failures[1]["failed_because"].startswith("source-html")
    assert failures[2]["failed_because"].startswith("xml-entity")
    waits = [utc_now() + timedelta(minutes=minutes) for minutes in (19, 39, 79)]
    assert all(f["due_at"] > at.isoformat()[:16] for f, at in zip(failures, waits, strict=True))
    ready = (await reading.desk.http.get("/readyz")).json()
    assert (ready["ready"], "boards" in ready["degraded"]) == (True, True)
    reading.shows(item(1))
    after = await reading.look()
    assert (after["state"], after["failures"], after["failed_because"]) == ("ok", 0, None)


async def test_fifty_megabytes_are_cut_and_the_server_is_not_heard_out(
    desk: NoticesDesk, outside: Outside, server: BoardServer, office: Institution
) -> None:
    big = Reading(desk, outside, server, office, "/endless")
    big.board = await desk.good("POST", "/boards", {"url": f"{server.url}/endless"}, as_=office.author)
    assert (await big.look())["failed_because"].startswith("too-large")
    assert server.sent < 30_000_000


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/x.xml", "http://10.0.0.1/rss", "http://[::1]/rss", "http://[::ffff:192.168.0.1]/rss", "http://169.254.169.254/latest",
     "http://localhost/rss", "http://postgres:5432/", "file:///etc/passwd", "ftp://board.example.kr/rss", "https://user:pw@board.example.kr/"],
)  # fmt: skip
async def test_addresses_that_lead_inside_are_refused(
    databases: Databases, issuer: Issuer, settings_for: SettingsFor, url: str
) -> None:
    settings = settings_for(Settings, kafka_url=NOBODY_LISTENS, notices_tick_s=3_600, boards_tick_s=3_600)
    async with open_notices(databases, issuer, settings) as strict:
        made = await strict.institution()
        answer = await strict.ask("POST", "/boards", {"url": url}, as_=made.author)
        assert broken_rules(answer) == {("body.url", "public-address")}


async def test_what_is_registered_inside_all_the_same_is_not_asked(
    desk: NoticesDesk, server: BoardServer, reading: Reading
) -> None:
    strict = client(private=False)
    await desk.good("POST", f"/boards/{reading.board['id']}/look", as_=reading.office.author)
    while await look_at_due(desk.app.state.parts, strict):
        pass
    await strict.close()
    (board,) = [
        b for b in await desk.good("GET", "/boards", as_=reading.office.author) if b["id"] == reading.board["id"]
    ]
    assert board["failed_because"].startswith("forbidden")
    assert [path for path, _ in server.asked if path == reading.path] == []


async def test_disaster_messages_given_as_a_file_come_once_per_sn(desk: NoticesDesk, office: Institution) -> None:
    board = await desk.good(
        "POST", "/boards", {"url": "https://source.example.kr/x", "kind": "disaster"}, as_=office.author
    )
    rows = [MESSAGE | {"CRT_DT": f"{utc_now():%Y/%m/%d %H:%M:%S}", "SN": sn} for sn in (1, 2, 1)]
    raw = json.dumps({"header": {"resultCode": "00"}, "body": rows}).encode()
    path = f"/boards/{board['id']}/import"
    first = await desk.good("POST", path, as_=office.author, content=raw)
    again = await desk.good("POST", path, as_=office.author, content=raw + b" ")
    assert [(r["items"], r["new"], r["unchanged"]) for r in (first, again)] == [(2, 2, 0), (2, 0, 2)]
    drafts = (await desk.good("GET", "/drafts", as_=office.author))["items"]
    assert {draft["notice"]["headline"][:9] for draft in drafts} == {"[안전안내] 화재"[:9]}
    assert all(draft["notice"]["followers"] for draft in drafts)


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe", b"<rss>", rss("", BOMB).encode(), b"\0" * 1_000, b"{" * 10_000])
async def test_hostile_files_are_refused_with_a_reason(reading: Reading, raw: bytes) -> None:
    answer = await reading.desk.ask(
        "POST", f"/boards/{reading.board['id']}/import", as_=reading.office.author, content=raw
    )
    assert assert_problem(answer, 422, "invalid")[0]["field"] == "body.file"


async def test_a_file_that_is_too_large_is_refused(reading: Reading) -> None:
    path = f"/boards/{reading.board['id']}/import"
    answer = await reading.desk.ask("POST", path, as_=reading.office.author, content=b"x" * 5_000_001)
    assert assert_problem(answer, 413, "too-large") == []


async def test_boards_are_the_institution_s_own_and_not_too_many(desk: NoticesDesk, reading: Reading) -> None:
    other, id_ = await desk.institution(), reading.board["id"]
    for method, path in (
        ("GET", f"/boards/{id_}/items"),
        ("POST", f"/boards/{id_}/look"),
        ("DELETE", f"/boards/{id_}"),
    ):
        assert assert_problem(await desk.ask(method, path, as_=other.both), 404, "not-found") == []
    assert (await desk.ask("POST", f"/boards/{id_}/import", as_=other.both, content=b"x")).status_code == 404
    again = await desk.ask("POST", "/boards", {"url": reading.board["url"]}, as_=reading.office.author)
    assert assert_problem(again, 409, "conflict")[0]["rule"] == "read-already"
    for n in range(2):
        await desk.good("POST", "/boards", {"url": f"https://b{n}.example.kr/rss"}, as_=reading.office.author)
    full = await desk.ask("POST", "/boards", {"url": "https://one-more.example.kr/rss"}, as_=reading.office.author)
    assert assert_problem(full, 409, "conflict")[0]["rule"] == "too-many-boards"
    foreign = await desk.ask(
        "POST", "/boards", {"url": "https://x.example.kr/", "channel": other.name}, as_=reading.office.author
    )
    assert broken_rules(foreign) == {("body.channel", "own-channel")}
    assert (await desk.ask("DELETE", f"/boards/{id_}", as_=reading.office.author)).status_code == 204
    assert (await desk.ask("DELETE", f"/boards/{id_}", as_=reading.office.author)).status_code == 404
