"""Notices through matching: followers anywhere and residents without consent hear once across channels; emergencies at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from services.matching.alerts.worker import InboxWorker
from services.matching.engine.worker import EngineWorker
from services.matching.settings import Settings
from services.notices.settings import Settings as NoticesSettings
from shared.clock import SEOUL, utc_now
from shared.contracts.alert import ALERTS, Alert
from shared.geo import district
from shared.messaging.envelope import open_envelope
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.desk_of_matching import MatchingDesk, open_matching
from tests.issuer import Issuer
from tests.notices import Institution, NoticesDesk, open_notices, somebody
from tests.publishers import hours_on, notice_draft
from tests.stacks import Addresses
from tests.tap import Tap, tapping
from tests.waiting import until

pytestmark = pytest.mark.integration
HOME = district().dongs[5]


@pytest_asyncio.fixture(scope="module")
async def matching(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[MatchingDesk]:
    """API, engine and inbox; without the product's quiet hours, since tests run at any hour."""
    settings = settings_for(Settings, quiet_from=0, quiet_to=0, remind_before_h=1.0)
    async with open_matching(databases, issuer, settings) as desk:
        engine, inbox = EngineWorker(settings), InboxWorker(settings)
        running = [asyncio.create_task(engine.run()), asyncio.create_task(inbox.run())]

        async def flowing() -> bool:
            return all([await check() is None for worker in (engine, inbox) for check in worker.checks.values()])

        await until(flowing, 60)
        yield desk
        engine.stop()
        inbox.stop()
        await asyncio.gather(*running)


@pytest_asyncio.fixture(scope="module")
async def notices(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[NoticesDesk]:
    async with open_notices(databases, issuer, settings_for(NoticesSettings, notices_tick_s=3_600)) as desk:
        yield desk


@pytest_asyncio.fixture
async def tap(stack: Addresses) -> AsyncIterator[Tap]:
    async with tapping(stack.kafka_url, ALERTS.name) as listening:
        yield listening


@dataclass(frozen=True)
class Town:
    """Both services, as citizens and officers use them."""

    notices: NoticesDesk
    matching: MatchingDesk

    async def follow(self, who: str, *offices: Institution, leave: bool = False) -> None:
        for office in offices:
            channel = await self.notices.channel(office.name)
            await self.notices.good("DELETE" if leave else "PUT", f"/channels/{channel['id']}/follow", as_=who)

        async def known() -> bool:
            follows = set((await self.matching.get("/watch", who)).json()["follows"])
            return leave != ({office.name for office in offices} <= follows)

        await until(known, what="matching knows what is followed")

    async def items(self, who: str, *about: dict[str, Any]) -> list[dict[str, Any]]:
        """The inbox, of these notices if any are named: other tests' are open on the same topic."""
        ids = {notice["id"] for notice in about}
        return [item for item in await self.matching.inbox(who) if not ids or item["posting_id"] in ids]

    async def hears(self, who: str, notice: dict[str, Any]) -> dict[str, Any]:
        async def told() -> dict[str, Any] | None:
            return next((i for i in await self.items(who) if i["posting_id"] == notice["id"]), None)

        return await until(told, what=f"{who} hears of {notice['headline']}")

    async def emergency(self, office: Institution, **changed: Any) -> dict[str, Any]:
        """Written by one officer, approved by another."""
        body = {"notice": notice_draft(emergency=True, **changed)}
        draft = await self.notices.good("POST", "/drafts", body, as_=office.author)
        path = f"/drafts/{draft['id']}"
        await self.notices.good("POST", f"{path}/submit", as_=office.author)
        await self.notices.good("POST", f"{path}/approve", as_=office.approver, version=2)
        return await self.notices.notice(draft["notice_id"])


@pytest.fixture
def town(notices: NoticesDesk, matching: MatchingDesk) -> Town:
    return Town(notices, matching)


async def test_across_two_channels_each_hears_once_wherever_they_are_and_without_consent(town: Town, tap: Tap) -> None:
    here, there = await town.notices.institution(), await town.notices.institution()
    resident, follower, both, all_of_it, stranger = (somebody() for _ in range(5))
    for who in (resident, both, all_of_it):
        await town.matching.wants(who, home_dongs=[HOME.old_code])
    await town.matching.wants(stranger, home_dongs=[district().dongs[0].code])
    await town.follow(follower, here)
    await town.follow(both, there)
    await town.follow(all_of_it, here, there)
    aim: dict[str, Any] = {"target": {"dongs": [HOME.code]}, "followers": True, "topics": []}
    first = await town.notices.published(as_=here.both, headline="단수 안내", **aim)
    told = {who: await town.hears(who, first) for who in (resident, follower, all_of_it, both)}
    assert {who: item["why"]["rule"] for who, item in told.items()} == {
        resident: "home_dong", both: "home_dong", all_of_it: "home_dong", follower: "following",
    }  # fmt: skip
    second = await town.notices.published(as_=there.both, headline="단수 안내 전달", origin=first["id"], **aim)
    last = await town.notices.published(as_=there.both, headline="다른 소식", **aim)
    for who in (resident, both, all_of_it):
        await town.hears(who, last)
        about = Counter(item["posting_id"] for item in await town.items(who, first, second, last))
        assert about == {first["id"]: 1, last["id"]: 1}, "one item for one thing, whichever channel told first"
    assert [item["posting_id"] for item in await town.items(follower)] == [first["id"]]
    assert await town.items(stranger, first, second, last) == []

    def alerts() -> dict[str, set[UUID]]:
        ids: dict[str, set[UUID]] = {}
        for record in tap.of(all_of_it):
            if isinstance(alert := open_envelope(record).data, Alert):
                ids.setdefault(str(alert.posting_id), set()).add(alert.id)
        return ids

    await tap.wait_for(lambda _: {first["id"], second["id"], last["id"]} <= set(alerts()))
    assert alerts()[first["id"]] == alerts()[second["id"]], "every consumer of alerts recognises it"


async def test_who_leaves_a_channel_hears_no_more_and_who_comes_hears_what_is_open(town: Town) -> None:
    office, stays, leaves, comes = await town.notices.institution(), *(somebody() for _ in range(3))
    for who in (stays, leaves):
        await town.follow(who, office)
    first = await town.notices.published(as_=office.both, target=None, followers=True, topics=[])
    for who in (stays, leaves):
        await town.hears(who, first)
    await town.follow(leaves, office, leave=True)
    await town.follow(comes, office)
    await town.hears(comes, first)
    second = await town.notices.published(as_=office.both, target=None, followers=True, topics=[])
    for who in (stays, comes):
        await town.hears(who, second)
    assert [item["posting_id"] for item in await town.items(leaves)] == [first["id"]]


async def test_an_emergency_is_heard_in_quiet_hours_from_a_muted_channel_on_a_muted_topic(town: Town) -> None:
    office, who, calm = await town.notices.institution(), somebody(), somebody()
    now = utc_now().astimezone(SEOUL)
    hours = {
        "starts": (now - timedelta(hours=1)).strftime("%H:%M"),
        "ends": (now + timedelta(hours=2)).strftime("%H:%M"),
    }
    muted = {"muted_channels": [office.name], "muted_topics": ["safety"]}
    await town.matching.wants(who, home_dongs=[HOME.code], quiet=hours, **muted)
    await town.matching.wants(calm, home_dongs=[HOME.code], quiet=hours)
    aim: dict[str, Any] = {"target": {"dongs": [HOME.code]}, "topics": ["safety"]}
    usual = await town.notices.published(as_=office.both, headline="점검 안내", **aim)
    told = await town.emergency(office, headline="대피하세요", **aim)
    for citizen in (who, calm):
        item = await town.hears(citizen, told)
        assert (item["emergency"], item["state"]) == (True, "open")
        assert usual["id"] not in [i["posting_id"] for i in await town.items(citizen)]
    waits = "SELECT citizen_id, state FROM inbox_item WHERE posting_id = :id AND citizen_id = ANY(:who)"

    async def deferred() -> bool:
        rows = await town.matching.rows(waits, id=usual["id"], who=[who, calm])
        return [(row.citizen_id, row.state) for row in rows] == [(calm, "deferred")]

    await until(deferred, what="the usual notice waits for who is quiet, and is not made for who muted it")


async def test_edited_reminded_withdrawn(town: Town) -> None:
    """수정됨 in the same item, once more before the deadline for who has not opened it, 마감 at the end."""
    office, who, opened = await town.notices.institution(), somebody(), somebody()
    for citizen in (who, opened):
        await town.follow(citizen, office)
    made = await town.notices.published(
        as_=office.both, target=None, followers=True, topics=[], deadline=hours_on(72), headline="신청하세요"
    )
    await town.hears(who, made)
    item = await town.hears(opened, made)
    await town.matching.mark(opened, item["id"], read=True)
    path = f"/notices/{made['id']}"
    changes = {"headline": "꼭 신청하세요", "deadline": (utc_now() + timedelta(hours=1, seconds=2)).isoformat()}
    await town.notices.good("PATCH", path, changes, as_=office.both, version=1)

    async def is_now(*wanted: tuple[str, str, bool]) -> bool:
        items = await town.items(who)
        return sorted((i["state"], i["headline"], i["reminder"]) for i in items) == sorted(wanted)

    await until(lambda: is_now(("updated", "꼭 신청하세요", False), ("open", "꼭 신청하세요", True)), 30)
    await town.notices.good("POST", f"{path}/withdraw", {"reason": "취소"}, as_=office.approver)
    both = ("closed", "꼭 신청하세요", False), ("closed", "꼭 신청하세요", True)
    assert await until(lambda: is_now(*both))
    assert [item["state"] for item in await town.items(opened)] == ["closed"], "who opened it was not reminded"


async def test_an_answer_reaches_who_asked_and_nobody_else(town: Town) -> None:
    office, who, other = await town.notices.institution(), somebody(), somebody()
    await town.matching.wants(other, home_dongs=[HOME.code])
    notice = await town.notices.published(as_=office.both, target={"dongs": [HOME.code]}, topics=[])
    await town.hears(other, notice)
    asked = await town.notices.good("POST", f"/notices/{notice['id']}/comments", {"body": "주차는 되나요?"}, as_=who)
    path = f"/comments/{asked['id']}/answer"
    for words in ("네, 무료예요.", "아니요, 공사 중이에요."):
        await town.notices.good("PUT", path, {"answer": words}, as_=office.both)

    async def twice() -> list[dict[str, Any]] | None:
        items = [item for item in await town.items(who) if item["posting_id"] == asked["id"]]
        return items if len(items) == 2 else None

    items = await until(twice, what="each answer is told")
    assert {item["headline"] for item in items} == {f"답변: {notice['headline']}"}
    why = (await town.matching.get(f"/alerts/{items[0]['id']}/why", who)).json()
    assert why["ko"][0] == "이 기관에 쓰신 의견에 답변이 달렸습니다."
    assert asked["id"] not in {item["posting_id"] for item in await town.items(other)}
    records = "SELECT 1 FROM location_record WHERE citizen_id = :id"
    assert await town.matching.rows(records, id=who) == []
