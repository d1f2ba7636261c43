"""Feeds of a running service: by channel, topic and 동, conditional, from memory until something changes; CAP by its schema."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from io import BytesIO
from typing import Any
from uuid import uuid4

import feedparser
import pytest
import pytest_asyncio
from sqlalchemy import event

from services.notices.settings import Settings
from shared.clock import SEOUL
from tests.component.test_notices_drafts import approve, written
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.notices import Institution, NoticesDesk, open_notices
from tests.publishers import NOBODY_LISTENS, assert_problem, broken_rules
from tests.unit.test_feeds import SCHEMA

pytestmark = pytest.mark.component


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[NoticesDesk]:
    settings = settings_for(
        Settings,
        kafka_url=NOBODY_LISTENS,
        notices_tick_s=3_600,
        feeds_check_s=0.0001,
        public_url="https://gwangsan.example",
    )
    async with open_notices(databases, issuer, settings) as made:
        yield made


@pytest_asyncio.fixture
async def office(desk: NoticesDesk) -> Institution:
    return await desk.institution()


async def titles(desk: NoticesDesk, form: str = "atom", **scope: str) -> list[str]:
    answer = await desk.http.get(f"/feeds/{form}", params=scope)
    assert answer.status_code == 200, answer.text
    if form == "json":
        return [item["title"] for item in json.loads(answer.content)["items"]]
    parsed = feedparser.parse(BytesIO(answer.content))
    assert not parsed.bozo
    return [entry.title for entry in parsed.entries]


@pytest.mark.parametrize("form", ["atom", "rss", "json"])
async def test_a_feed_has_what_is_open_newest_first_and_only_of_its_scope(
    desk: NoticesDesk, office: Institution, form: str
) -> None:
    topic, circle = f"t-{uuid4().hex[:8]}", {"circles": [{"lat": 35.19, "lon": 126.82}]}
    first = await desk.published(as_=office.both, headline="첫째", topics=[topic], target={"dongs": ["1233063700"]})
    await desk.published(
        as_=office.both, headline="둘째", channel=f"{office.name}/어린이", topics=[topic, "other"], target=circle
    )
    await desk.published(as_=office.both, headline="다른 주제", topics=["other"], target=circle)
    assert await titles(desk, form, channel=office.name) == ["다른 주제", "첫째"]
    assert await titles(desk, form, topic=topic) == ["둘째", "첫째"]
    assert await titles(desk, form, topic=topic, dong="2920063700") == ["첫째"], "the code of before is taken too"
    assert await titles(desk, form, channel=f"nobody-{topic}") == []
    await desk.good("PATCH", f"/notices/{first['id']}", {"headline": "첫째 바뀜"}, as_=office.both, version=1)
    assert await titles(desk, form, topic=topic) == ["둘째", "첫째 바뀜 (수정됨)"]
    await desk.good("POST", f"/notices/{first['id']}/withdraw", {"reason": "취소"}, as_=office.both)
    assert await titles(desk, form, topic=topic) == ["둘째"]


async def test_a_reader_that_has_it_is_told_so_and_the_database_is_left_alone(
    desk: NoticesDesk, office: Institution
) -> None:
    await desk.published(as_=office.both)
    scope = {"channel": office.name}
    first = await desk.http.get("/feeds/atom", params=scope)
    cache, database = desk.app.state.feeds, desk.app.state.parts.database
    cache._every_s, statements = 3_600.0, list[str]()

    def note(*told: Any) -> None:
        statements.append(str(told[2]))

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    try:
        for headers in (
            {"If-None-Match": first.headers["etag"]},
            {"If-Modified-Since": first.headers["last-modified"]},
        ):
            again = await desk.http.get("/feeds/atom", params=scope, headers=headers)
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == first.headers["etag"]
        assert (await desk.http.get("/feeds/atom", params=scope)).content == first.content
        assert statements == [], "served from memory"
    finally:
        cache._every_s = 0.0001
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)
    await desk.published(as_=office.both, headline="새 소식")
    fresh = await desk.http.get("/feeds/atom", params=scope, headers={"If-None-Match": first.headers["etag"]})
    assert (fresh.status_code, fresh.headers["etag"] != first.headers["etag"]) == (200, True)
    assert fresh.headers["content-type"] == "application/atom+xml; charset=utf-8"
    assert "max-age=60" in fresh.headers["cache-control"]


async def test_an_emergency_is_cap_from_its_alert_to_its_end(desk: NoticesDesk, office: Institution) -> None:
    draft = await written(desk, office.author, emergency=True, headline="수완동 가스 누출")
    assert (await approve(desk, draft, office.approver)).status_code == 200
    path = f"/feeds/cap/{draft['notice_id']}"
    kinds = []

    async def told() -> str:
        answer = await desk.http.get(path)
        assert answer.headers["content-type"] == "application/cap+xml; charset=utf-8"
        SCHEMA.validate(answer.text)
        kinds.append(answer.text.partition("<msgType>")[2].partition("<")[0])
        return answer.text

    assert "수완동 가스 누출" in await told()
    again = await written(
        desk, office.author, emergency=True, headline="가스 누출, 6시까지", revises=draft["notice_id"]
    )
    assert (await approve(desk, again, office.approver)).status_code == 200
    assert f"gwangsan-{draft['notice_id']}-1," in await told()
    await desk.good("POST", f"/notices/{draft['notice_id']}/withdraw", {"reason": "끝났습니다"}, as_=office.approver)
    assert "끝났습니다" in await told()
    assert kinds == ["Alert", "Update", "Cancel"]
    listed = (await desk.http.get("/feeds/cap", params={"channel": office.name})).text
    assert f"https://gwangsan.example/api/notices/feeds/cap/{draft['notice_id']}" in listed


async def test_what_is_no_emergency_or_no_scope_is_refused(desk: NoticesDesk, office: Institution) -> None:
    ordinary = await desk.published(as_=office.both)
    assert assert_problem(await desk.http.get(f"/feeds/cap/{ordinary['id']}"), 404, "not-found") == []
    assert assert_problem(await desk.http.get(f"/feeds/cap/{uuid4()}"), 404, "not-found") == []
    assert broken_rules(await desk.http.get("/feeds/atom?dong=1111051500")) == {("query.dong", "unknown-dong")}
    assert (await desk.http.get("/feeds/yaml")).status_code == 422
    for bad in ("topic=Not%20A%20Slug", "channel=%00", f"channel={'x' * 101}"):
        assert (await desk.http.get(f"/feeds/atom?{bad}")).status_code == 422


async def test_a_notice_told_at_night_is_there_at_once_in_lists_search_and_feeds(
    desk: NoticesDesk, office: Institution
) -> None:
    """Quiet hours (N3) hold back alerts, which are matching's; what is published is published."""
    word, topic = f"밤{uuid4().hex[:6]}", f"t-{uuid4().hex[:8]}"
    tomorrow = desk.clock().astimezone(SEOUL) + timedelta(days=1)
    with desk.clock.at(tomorrow.replace(hour=23, minute=30).isoformat()):
        told = await desk.published(as_=office.both, headline=f"{word} 단수 안내", topics=[topic])
        found = await desk.good("GET", "/search", params={"q": word}, as_=None)
        listed = await desk.good("GET", "/notices", as_=None)
        feeds = [await titles(desk, form, topic=topic) for form in ("atom", "rss", "json")]
    assert found["items"][0]["id"] == told["id"]
    assert told["id"] in {item["id"] for item in listed["items"]}
    assert feeds == [[f"{word} 단수 안내"]] * 3
