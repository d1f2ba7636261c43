"""WebSub: a hub is told which feeds have changed, after the commit, as long as it takes; never one inside (SSRF)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from urllib.parse import parse_qs, quote
from uuid import uuid4

import feedparser
import pytest
import pytest_asyncio

from services.notices.app import build
from services.notices.hub import pinging
from services.notices.settings import Settings
from shared.outside import Outside
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.notices import Institution, NoticesDesk, open_notices
from tests.publishers import NOBODY_LISTENS, hours_on

pytestmark = pytest.mark.component
BASE = "https://gwangsan.example"


class Hub:
    """Keeps what it is told, and answers as told to; `meanwhile` happens before it answers."""

    def __init__(self) -> None:
        self.told: list[dict[str, list[str]]] = []
        self.answer = 202
        self.meanwhile: Callable[[], Awaitable[object]] | None = None
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r")[0])
        self.told.append(parse_qs((await reader.readexactly(length)).decode()))
        if self.meanwhile is not None:
            await self.meanwhile()
        writer.write(f"HTTP/1.1 {self.answer} Said\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@pytest_asyncio.fixture(scope="module")
async def hub() -> AsyncIterator[Hub]:
    made = Hub()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hub"
    yield made
    server.close()


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor, hub: Hub) -> AsyncIterator[NoticesDesk]:
    settings = settings_for(
        Settings, kafka_url=NOBODY_LISTENS, notices_tick_s=3_600, public_url=BASE, feeds_hub_url=hub.url, feeds_hub_private=True,
        feeds_check_s=0.0001,
    )  # fmt: skip
    async with open_notices(databases, issuer, settings) as made:
        yield made


@pytest_asyncio.fixture
async def outside() -> AsyncIterator[Outside]:
    made = pinging.client(private=True)
    yield made
    await made.close()


@pytest_asyncio.fixture
async def office(desk: NoticesDesk, hub: Hub, outside: Outside) -> Institution:
    """Of a test that begins with a hub that knows everything."""
    hub.answer, hub.meanwhile = 202, None
    await told(desk, outside)
    hub.told.clear()
    return await desk.institution()


async def told(desk: NoticesDesk, outside: Outside) -> None:
    while await pinging.tell_hub(desk.app.state.parts, outside):
        assert desk.app.state.parts.settings.feeds_hub_url


def urls(hub: Hub) -> set[str]:
    assert all(form["hub.mode"] == ["publish"] for form in hub.told)
    return {url for form in hub.told for url in form["hub.url"]}


async def test_the_hub_hears_of_every_feed_that_a_notice_is_in_and_of_each_change_once(
    desk: NoticesDesk, office: Institution, hub: Hub, outside: Outside
) -> None:
    topic = f"t-{uuid4().hex[:8]}"
    made = await desk.published(as_=office.both, topics=[topic], target={"dongs": ["1233063700"]}, followers=False)
    scopes = ("", f"?channel={quote(office.name).replace('%20', '+')}", f"?topic={topic}", "?dong=1233063700")
    changed = {f"{BASE}/api/notices/feeds/{form}{scope}" for form in ("atom", "rss", "json") for scope in scopes}
    for change in (None, "edit", "withdraw"):
        if change == "edit":
            await desk.good("PATCH", f"/notices/{made['id']}", {"body": "새 글"}, as_=office.both, version=1)
        elif change == "withdraw":
            await desk.good("POST", f"/notices/{made['id']}/withdraw", {"reason": "취소"}, as_=office.both)
        await told(desk, outside)
        assert urls(hub) == changed
        hub.told.clear()
    await told(desk, outside)
    assert hub.told == [], "nothing changed since"


async def test_feeds_name_the_hub(desk: NoticesDesk, office: Institution, hub: Hub) -> None:
    await desk.published(as_=office.both)
    for form in ("atom", "rss"):
        links = feedparser.parse((await desk.http.get(f"/feeds/{form}")).content).feed.links
        assert [link.href for link in links if link.rel == "hub"] == [hub.url]
    assert (await desk.http.get("/feeds/json")).json()["hubs"] == [{"type": "WebSub", "url": hub.url}]


async def test_a_hub_that_does_not_take_it_is_told_later(
    desk: NoticesDesk, office: Institution, hub: Hub, outside: Outside
) -> None:
    await desk.published(as_=office.both)
    hub.answer, waits = 503, list[int]()
    now = desk.clock()
    for seconds in (0, 29, 31, 90, 95):
        with desk.clock.at((now + timedelta(seconds=seconds)).isoformat()):
            await told(desk, outside)
            waits.append(len(hub.told))
    assert waits == [1, 1, 2, 2, 3], "doubling waits"
    hub.answer = 204
    with desk.clock.at((now + timedelta(hours=2)).isoformat()):
        await told(desk, outside)
        await told(desk, outside)
    assert len(hub.told) == 4


async def test_what_changes_while_the_hub_is_told_is_told_too(
    desk: NoticesDesk, office: Institution, hub: Hub, outside: Outside
) -> None:
    await desk.published(as_=office.both)

    async def another() -> None:
        hub.meanwhile = None
        await desk.published(as_=office.both)

    hub.meanwhile = another
    await told(desk, outside)
    first, second = hub.told
    assert set(first["hub.url"]) == set(second["hub.url"])


async def test_a_hub_on_a_private_address_is_never_asked(desk: NoticesDesk, office: Institution, hub: Hub) -> None:
    guarded = pinging.client(private=False)
    await desk.published(as_=office.both, expires_at=hours_on(5))
    assert await pinging.tell_hub(desk.app.state.parts, guarded) > 0
    await guarded.close()
    assert hub.told == []


def test_production_refuses_a_private_hub() -> None:
    settings = Settings(environment="production", feeds_hub_url="http://127.0.0.1/", feeds_hub_private=True)
    with pytest.raises(ValueError, match="FEEDS_HUB_PRIVATE"):
        build(settings)
