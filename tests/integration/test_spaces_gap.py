"""A no-show end to end, through matching: the room is released, nobody waits, people within walking distance hear of it once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from uuid import uuid4

import pytest
import pytest_asyncio

from services.matching.alerts.worker import InboxWorker
from services.matching.app import build as build_matching
from services.matching.engine.worker import EngineWorker
from services.matching.settings import Settings
from services.spaces.settings import Settings as SpacesSettings
from shared.contracts.alert import ALERTS
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.integration.test_jobs_gap import PLACE, Matching, alerts, closed_item, living
from tests.issuer import Issuer
from tests.spaces import SpacesDesk, minutes_after, open_spaces
from tests.stacks import Addresses
from tests.tap import Tap, tapping
from tests.waiting import until

pytestmark = pytest.mark.integration


@pytest_asyncio.fixture(scope="module")
async def matching(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[Matching]:
    await databases.migrated("matching")
    settings = settings_for(Settings)
    engine, inbox = EngineWorker(settings), InboxWorker(settings)
    async with living(build_matching(settings)) as http:
        running = [asyncio.create_task(engine.run()), asyncio.create_task(inbox.run())]

        async def flowing() -> bool:
            return all([await check() is None for worker in (engine, inbox) for check in worker.checks.values()])

        await until(flowing, 60)
        yield Matching(http, issuer)
        engine.stop()
        inbox.stop()
        await asyncio.gather(*running)


@pytest_asyncio.fixture(scope="module")
async def spaces(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[SpacesDesk]:
    """Checking in ends two seconds after the start, and chores run by themselves, as they do in a service."""
    settings = settings_for(SpacesSettings, spaces_checkin_late_s=2, spaces_tick_s=0.2)
    async with open_spaces(databases, issuer, settings) as desk:
        yield desk


@pytest_asyncio.fixture(scope="module")
async def tap(stack: Addresses) -> AsyncIterator[Tap]:
    async with tapping(stack.kafka_url, ALERTS.name) as listening:
        yield listening


async def wants_spaces(matching: Matching, who: str, metres: float) -> None:
    await matching.ask(who, "POST", "/consents/location", {})
    await matching.ask(who, "PUT", "/watch", {"kinds": ["space"]})
    await matching.stands(who, metres)


async def test_a_no_show_is_told_to_people_within_walking_distance_once(
    spaces: SpacesDesk, matching: Matching, tap: Tap
) -> None:
    absent, near, rim, far, later = us = tuple(
        f"citizen:{name}-{uuid4().hex[:6]}" for name in ("노쇼", "가까이", "끝", "멀리", "나중")
    )
    place = {"name": "첨단 공유회의실", "lat": PLACE[0], "lon": PLACE[1]}
    room = await spaces.opened(place=place, radius_m=50, interests=[])
    now = spaces.clock().replace(second=0, microsecond=0).isoformat()
    for who, metres in ((absent, 100), (near, 200), (rim, 650), (far, 900)):
        await wants_spaces(matching, who, metres)
    mine = await spaces.booked(room, absent, starts_at=now, ends_at=minutes_after(now, 90))
    assert mine["state"] == "confirmed"

    async def gap() -> dict[str, str] | None:
        rows = await spaces.rows("SELECT id FROM gap WHERE space_id = :id", id=room["id"])
        return {"id": str(rows[0].id)} if rows else None

    told = await until(gap, 20)
    await tap.wait_for(lambda _: len(alerts(tap, told, us)) >= 2)
    item = await until(partial(matching.item, near, told), 20)
    assert item["headline"].startswith("지금 비었습니다")

    for who, metres in (
        (absent, 110),
        (near, 210),
        (rim, 645),
        (far, 905),
    ):  # nobody is told twice, nor who did not come
        await matching.stands(who, metres)
    await wants_spaces(matching, later, 300)  # who comes by while it is free hears of it too
    await tap.wait_for(lambda _: (later, 0) in alerts(tap, told, us))
    assert alerts(tap, told, us) == {(near, 0): 1, (rim, 0): 1, (later, 0): 1}

    soon = (spaces.clock().replace(second=0, microsecond=0)).isoformat()
    await spaces.held(room, near, starts_at=minutes_after(soon, 1), ends_at=minutes_after(soon, 45))
    closed = await until(partial(closed_item, matching, rim, told), 20)
    assert closed["closed_because"].startswith("마감")
