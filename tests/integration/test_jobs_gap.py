"""틈새 연결 end to end, through matching: hands are needed, one drops out late, the circle widens, a fourth hears and claims."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from sqlalchemy import text

from services.jobs.settings import Settings as JobsSettings
from services.matching.alerts.worker import InboxWorker
from services.matching.app import build as build_matching
from services.matching.engine.worker import EngineWorker
from services.matching.settings import Settings
from shared.clock import utc_now
from shared.contracts.alert import ALERTS, Alert
from shared.database import Database
from shared.messaging.envelope import open_envelope
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.engines import north_of
from tests.issuer import Issuer, token
from tests.jobs import JobsDesk, open_jobs, shift_draft
from tests.stacks import Addresses
from tests.tap import Tap, tapping
from tests.waiting import until

pytestmark = pytest.mark.integration

PLACE = (35.0921, 126.7412)  # far from where other tests put theirs
STEP_S = 2


@dataclass(frozen=True)
class Matching:
    """Matching's API as citizens use it."""

    http: httpx.AsyncClient
    issuer: Issuer

    async def ask(self, who: str, method: str, path: str, body: object = None) -> Any:
        headers = {"Authorization": f"Bearer {token(self.issuer, who)}", "Idempotency-Key": uuid4().hex}
        answer = await self.http.request(method, path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    async def free_and_standing(self, who: str, metres: float) -> None:
        """A citizen who consents, wants jobs, and is so many metres north of the place."""
        await self.ask(who, "POST", "/consents/location", {})
        await self.ask(who, "PUT", "/watch", {"kinds": ["job"]})
        await self.stands(who, metres)

    async def stands(self, who: str, metres: float) -> None:
        lat, lon = north_of(metres, PLACE)
        fix = {"lat": lat, "lon": lon, "accuracy_m": 5.0, "observed_at": utc_now().isoformat()}
        await self.ask(who, "POST", "/positions", {"fixes": [fix]})

    async def item(self, who: str, posting: dict[str, Any]) -> dict[str, Any] | None:
        items = (await self.ask(who, "GET", "/inbox?limit=200"))["items"]
        return next((i for i in items if i["posting_id"] == posting["id"]), None)


@asynccontextmanager
async def living(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://matching", timeout=60) as http,
    ):
        yield http


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
async def jobs(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[JobsDesk]:
    settings = settings_for(JobsSettings, jobs_widen_every_s=STEP_S, jobs_monthly_cap_h=2)
    async with open_jobs(databases, issuer, settings) as desk:
        yield desk


@pytest_asyncio.fixture(scope="module")
async def tap(stack: Addresses) -> AsyncIterator[Tap]:
    async with tapping(stack.kafka_url, ALERTS.name) as listening:
        yield listening


def alerts(tap: Tap, posting: dict[str, Any], people: tuple[str, ...]) -> Counter[tuple[str, int]]:
    """(citizen, urgency epoch) of every alert to these people about the posting; what is repeated by event id is one."""
    told = {envelope.id: envelope.data for envelope in map(open_envelope, tap.records)}
    ours = (a for a in told.values() if isinstance(a, Alert) and str(a.posting_id) == posting["id"])
    return Counter((a.citizen_id, a.urgency_epoch) for a in ours if a.citizen_id in people)


async def test_a_late_drop_out_is_filled_from_farther_away_and_nobody_is_alerted_twice(
    jobs: JobsDesk, matching: Matching, tap: Tap
) -> None:
    one, two, three, four = us = tuple(f"citizen:{name}-{uuid4().hex[:6]}" for name in ("하나", "둘", "셋", "넷"))
    for who, metres in ((one, 100), (two, 300), (three, 600), (four, 1_300)):
        await matching.free_and_standing(who, metres)
        await jobs.good("PUT", "/me", {"birth_year": 1970}, as_=who)
    start = utc_now() + timedelta(hours=3)
    times: dict[str, Any] = {"starts_at": start.isoformat(), "ends_at": (start + timedelta(hours=2)).isoformat()}
    place = {"name": "송정 경로당", "lat": PLACE[0], "lon": PLACE[1]}
    posting = await jobs.good("POST", "/postings", shift_draft(place=place, slots=2, **times))
    await tap.wait_for(lambda _: len(alerts(tap, posting, us)) == 3)
    await until(lambda: matching.item(three, posting))

    first, second = await jobs.claimed(posting, one), await jobs.claimed(posting, two)
    for who in (one, two, three):  # everybody's alert turns into 마감
        closed = await until(partial(closed_item, matching, who, posting), 10)
        assert closed["closed_because"].startswith("마감")

    dropped = await jobs.good("POST", f"/claims/{first['id']}/drop", {"reason": "아이가 아파요"}, as_=one)
    assert (dropped["late"], second["state"]) == (True, "held")
    await tap.wait_for(lambda _: (three, 1) in alerts(tap, posting, us))
    assert (four, 1) not in alerts(tap, posting, us)
    await tap.wait_for(lambda _: (four, 1) in alerts(tap, posting, us), 20 * STEP_S)
    await until(lambda: matching.item(four, posting))
    assert (await jobs.claimed(posting, four))["state"] == "held"
    assert (await jobs.posting(posting))["status"] == "closed"
    assert await until(lambda: closed_item(matching, three, posting), 10)

    for who in (one, two, three):
        await matching.stands(who, 150)
    await tap.wait_for(lambda _: len(alerts(tap, posting, us)) >= 5)
    assert alerts(tap, posting, us) == {(one, 0): 1, (two, 0): 1, (three, 0): 1, (three, 1): 1, (four, 1): 1}

    async def counted() -> bool:
        return bool((await jobs.good("GET", f"/postings/{posting['id']}/counts"))["alerted"] >= 5)

    await until(counted, 30)


async def test_at_the_monthly_cap_job_alerts_stop(jobs: JobsDesk, matching: Matching, databases: Databases) -> None:
    full, free = (f"citizen:{name}-{uuid4().hex[:6]}" for name in ("꽉", "널널"))
    for who in (full, free):
        await matching.free_and_standing(who, 3_000)
        await jobs.good("PUT", "/me", {"birth_year": 1970}, as_=who)
    lat, lon = north_of(3_000, PLACE)
    start = utc_now() + timedelta(hours=3)
    times: dict[str, Any] = {"starts_at": start.isoformat(), "ends_at": (start + timedelta(hours=2)).isoformat()}
    there = {"place": {"name": "수완 경로당", "lat": lat, "lon": lon}, **times}
    first = await jobs.good("POST", "/postings", shift_draft(**there))
    await until(partial(matching.item, full, first), 20)
    claim = await jobs.claimed(first, full)
    with jobs.clock.at(times["ends_at"]):
        for who in ("officer:수완동", full):
            await jobs.good("POST", f"/claims/{claim['id']}/hours", {"minutes": 120}, as_=who)
    database = Database(databases.url("matching"), pool_size=1)

    async def known() -> bool:
        query = text("SELECT 1 FROM work_cap WHERE citizen_id = :citizen AND reached")
        async with database.transaction() as tx:
            return (await tx.execute(query, {"citizen": full})).first() is not None

    await until(known, 20)
    await database.close()
    second = await jobs.good("POST", "/postings", shift_draft(**there))
    await until(partial(matching.item, free, second), 20)
    assert await matching.item(full, second) is None


async def closed_item(matching: Matching, who: str, posting: dict[str, Any]) -> dict[str, Any] | None:
    item = await matching.item(who, posting)
    return item if item is not None and item["state"] == "closed" else None
