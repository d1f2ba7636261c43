"""Engines that are killed, restarted and joined by others tell everybody once and nobody twice (M11), against brute force."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from services.matching.engine.session import GROUP
from services.matching.settings import Settings
from shared.contracts import Alert
from shared.contracts.location import LOCATIONS
from shared.messaging import dead_letters
from shared.messaging.dead_letters import DeadLetter
from shared.redis import connect
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.desk_of_matching import MatchingDesk, open_matching
from tests.integration.crowds import STEPS, Crowd, Workers, crowd_of
from tests.issuer import Issuer
from tests.processes import nursery
from tests.stacks import Addresses
from tests.tap import Tap, event_id, tapping
from tests.waiting import until

pytestmark = pytest.mark.integration
CITIZENS = 40


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[MatchingDesk]:
    async with open_matching(databases, issuer, settings_for(Settings)) as made:
        yield made


@pytest.fixture(scope="module")
def inbox(desk: MatchingDesk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One inbox worker for all tests of this module."""
    with nursery(tmp_path_factory.mktemp("inbox")) as children:
        Workers(children, desk.settings).start("inbox")
        yield


@pytest.fixture
def workers(desk: MatchingDesk, inbox: None, tmp_path: Path) -> Iterator[Workers]:
    with nursery(tmp_path) as children:
        yield Workers(children, desk.settings)


@pytest_asyncio.fixture
async def crowd(desk: MatchingDesk) -> AsyncIterator[Crowd]:
    async with crowd_of(desk) as made:
        await made.gathers(CITIZENS, seed=11)
        yield made


@pytest_asyncio.fixture
async def tap(stack: Addresses) -> AsyncIterator[Tap]:
    async with tapping(stack.kafka_url, Alert.TOPIC) as listening:
        yield listening


async def test_an_engine_killed_amid_the_stream_loses_nothing(crowd: Crowd, workers: Workers) -> None:
    """And a posting that opens while it is dead reaches who stands there."""
    offers = await crowd.opens(40, seed=1)
    engine = workers.start("engine")
    await crowd.walk(0, 20)

    async def some() -> bool:
        return len(await crowd.told()) > 10

    await until(some, 60, what="the engine begins to tell")
    await crowd.walk(20, 40)
    engine.kill()
    workers.start("engine")
    await crowd.walk(40, STEPS)
    await crowd.hears(crowd.expected(offers))


async def test_a_posting_that_opens_while_no_engine_lives_reaches_who_stands_there(
    crowd: Crowd, workers: Workers
) -> None:
    offers = await crowd.opens(10, seed=2)
    engine = workers.start("engine")
    await crowd.walk(0, STEPS)
    await crowd.hears(crowd.expected(offers))
    await crowd.all_taken()
    engine.kill()
    late = await crowd.opens(30, seed=3)
    workers.start("engine")
    await crowd.hears(crowd.expected(offers) | crowd.expected(late, since=STEPS - 1))


async def test_a_withdrawal_that_a_restarted_engine_reads_takes_nobody_elses_position(
    crowd: Crowd, workers: Workers, desk: MatchingDesk
) -> None:
    """The killed engine had positions that only the log knew; the next one erases the log, but not before it has read it."""
    for number in range(24):  # some in every partition
        leaving = f"citizen:{number}-{uuid4().hex[:8]}"
        await desk.consents(leaving)
        answer = await desk.http.delete("/consents/location", headers=desk.bearer(leaving))
        assert answer.status_code == 200
    offers = await crowd.opens(10, seed=7)
    engine = workers.start("engine")
    await crowd.walk(0, STEPS)
    await crowd.hears(crowd.expected(offers))
    await crowd.all_taken()
    engine.kill()
    late = await crowd.opens(30, seed=8)
    workers.start("engine")
    await crowd.hears(crowd.expected(offers) | crowd.expected(late, since=STEPS - 1))


async def test_engines_that_come_and_go_share_the_work(crowd: Crowd, workers: Workers) -> None:
    offers = await crowd.opens(40, seed=4)
    first = workers.start("engine")
    await crowd.walk(0, 15)
    second = workers.start("engine")
    await crowd.walk(15, 35)
    await until(lambda: "citizens_restored" in second.said(), 60, what="the second engine has partitions")
    await crowd.walk(35, 50)
    first.terminate()
    await crowd.walk(50, STEPS)
    await crowd.hears(crowd.expected(offers))


async def test_an_engine_that_starts_again_remembers_whom_it_told(crowd: Crowd, workers: Workers, tap: Tap) -> None:
    offers = await crowd.opens(20, seed=5)
    engine = workers.start("engine")
    await crowd.walk(0, STEPS // 2)
    await crowd.hears(crowd.expected(offers, until=STEPS // 2))
    engine.terminate()
    workers.start("engine")
    await crowd.walk(STEPS // 2, STEPS)
    await crowd.hears(crowd.expected(offers))
    records = tap.among(crowd.walks) if await tap.read() else []
    assert len({event_id(record) for record in records}) == len(records), "told again after a clean restart"


async def test_an_emptied_redis_fills_by_itself_and_nobody_is_told_twice(crowd: Crowd, workers: Workers) -> None:
    offers = await crowd.opens(20, seed=6)
    workers.start("engine")
    await crowd.walk(0, STEPS // 2)
    citizen, circle = next(iter(crowd.walks)), offers[0].where.circles[0]

    async def nearby() -> set[str]:
        answer = await crowd.desk.get("/nearby", citizen, lat=circle.lat, lon=circle.lon, radius_m=200)
        return {item["posting"]["id"] for item in answer.json()["items"]}

    async def found() -> bool:
        return str(offers[0].id) in await nearby()

    await until(found, 60)
    redis = connect(crowd.desk.settings.redis_url)
    await redis.flushall()
    await until(found, 20, what="the index comes back")
    await redis.aclose()
    await crowd.walk(STEPS // 2, STEPS)
    late = await crowd.opens(10, seed=7)
    await crowd.hears(crowd.expected(offers) | crowd.expected(late, since=STEPS - 1))


async def test_a_fix_that_cannot_be_read_is_set_aside_without_its_coordinate(crowd: Crowd, workers: Workers) -> None:
    """And no line of the engine's log says where anybody was."""
    offers = await crowd.opens(20, seed=8)
    engine = workers.start("engine")
    digits = "35.190703141592"
    broken = b'{"citizen_id": "citizen:x", "lat": %s, "lon": "east"}' % digits.encode()
    sent = await crowd.producer.send_and_wait(LOCATIONS.name, broken, partition=3)
    await crowd.walk(0, STEPS)
    await crowd.hears(crowd.expected(offers))
    mine = f"{GROUP}/{LOCATIONS.name}/3/{sent.offset}"

    async def letter() -> DeadLetter | None:
        letters = [found async for found in dead_letters.read_all(crowd.desk.settings.kafka_url) if found.id == mine]
        return letters[0] if letters else None

    kept = await until(letter, 20, what="the dead letter")
    assert (kept.private, kept.key, kept.value) == (True, None, None)
    assert digits not in repr(kept)
    some_steps = {f"{lat:.9f}"[:10] for steps in crowd.walks.values() for lat, _ in steps}
    assert not [line for line in engine.said().splitlines() if digits in line or any(at in line for at in some_steps)]
