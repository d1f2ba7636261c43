"""Consent withdrawn: the audit, which found the citizen everywhere, finds nothing within five seconds (M9)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from aiokafka import TopicPartition

from services.matching.alerts.worker import InboxWorker
from services.matching.audit import __main__ as command
from services.matching.audit.domain import Point
from services.matching.audit.search import Report, search
from services.matching.engine.worker import EngineWorker
from services.matching.index import store as index
from services.matching.settings import Settings
from shared.contracts import Fix
from shared.contracts.location import LOCATIONS
from shared.messaging import kafka
from shared.messaging.envelope import body_of, headers_of, kafka_headers
from shared.messaging.partitions import partition_of
from shared.redis import connect
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.desk_of_matching import MatchingDesk, open_matching
from tests.issuer import Issuer
from tests.waiting import until

pytestmark = pytest.mark.integration
WITHIN_S = 5.0


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[MatchingDesk]:
    """The API, the engine and the inbox, on the real stack."""
    settings: Settings = settings_for(Settings)
    async with open_matching(databases, issuer, settings) as made:
        workers = (EngineWorker(settings), InboxWorker(settings))
        running = [asyncio.create_task(worker.run()) for worker in workers]
        yield made
        for worker in workers:
            worker.stop()
        await asyncio.gather(*running)


def two_of_one_partition() -> tuple[str, str]:
    one = f"citizen:{uuid4().hex[:8]}"
    while True:
        other = f"citizen:{uuid4().hex[:8]}"
        if partition_of(one, LOCATIONS.partitions) == partition_of(other, LOCATIONS.partitions):
            return one, other


def somewhere() -> Point:
    """A place that nobody else in this run stands at."""
    return Point(35.19 + random.random() / 100, 126.82 + random.random() / 100, 7)


async def stands(desk: MatchingDesk, citizen: str, at: Point) -> None:
    fix = {"lat": at.lat, "lon": at.lon, "accuracy_m": 5, "observed_at": desk.now.isoformat()}
    answer = await desk.http.post("/positions", json={"fixes": [fix]}, headers=desk.bearer(citizen))
    assert answer.status_code == 202, answer.text


async def withdraws(desk: MatchingDesk, citizen: str) -> None:
    answer = await desk.http.delete("/consents/location", headers=desk.bearer(citizen))
    assert answer.status_code == 200, answer.text
    assert answer.json()["receipt_id"]


async def found_in(desk: MatchingDesk, citizen: str, at: Point, logs: Path) -> set[str]:
    report = await search(desk.settings, citizen, [at], logs)
    assert min(report.searched[store] for store in ("postgresql", "kafka", "logs")) > 0
    return {finding.store for finding in report.findings}


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    (tmp_path / "matching.log").write_text("started\n")
    return tmp_path


async def test_the_audit_finds_a_citizen_until_consent_is_withdrawn_and_then_nowhere(
    desk: MatchingDesk, logs: Path
) -> None:
    citizen, neighbour = two_of_one_partition()
    here, there = somewhere(), somewhere()
    for who, at in ((citizen, here), (neighbour, there)):
        await desk.consents(who)
        await stands(desk, who, at)

    async def everywhere() -> bool:
        # Somebody else's withdrawal may have erased the log so far: it is sent again until it is seen.
        await stands(desk, citizen, here)
        return {"redis", "kafka"} <= await found_in(desk, citizen, here, logs)

    async def nowhere() -> bool:
        return not await found_in(desk, citizen, here, logs)

    await until(everywhere, 30, what="the audit must find a position that is stored")
    await withdraws(desk, citizen)
    await until(nowhere, WITHIN_S, what="a trace of the citizen is left")
    assert "redis" in await found_in(desk, neighbour, there, logs), "another's position survives"
    assert await desk.rows("SELECT 1 FROM watch_version WHERE citizen_id = :id", id=citizen)


async def test_a_fix_in_flight_is_refused_and_erased_as_well(desk: MatchingDesk, logs: Path) -> None:
    citizen, _ = two_of_one_partition()
    here = somewhere()
    await desk.consents(citizen)
    await withdraws(desk, citizen)
    fix = Fix(
        citizen_id=citizen, lat=here.lat, lon=here.lon, accuracy_m=5, observed_at=desk.now, received_at=desk.now,
        consent_epoch=1,
    )  # fmt: skip
    where = TopicPartition(LOCATIONS.name, partition_of(citizen, LOCATIONS.partitions))
    headers = kafka_headers(headers_of(fix, event_id=uuid4(), source="/tests", time=desk.now))
    producer, consumer = kafka.producer(desk.settings.kafka_url), kafka.consumer(desk.settings.kafka_url, group=None)
    await producer.start()
    await consumer.start()
    try:
        sent = await producer.send_and_wait(LOCATIONS.name, body_of(fix), key=citizen.encode(), headers=headers)

        async def erased() -> bool:
            return bool((await consumer.beginning_offsets([where]))[where] > sent.offset)

        assert sent.partition == where.partition
        await until(erased, WITHIN_S, what="the log still holds the fix")
    finally:
        await producer.stop()
        await consumer.stop()
    assert not await found_in(desk, citizen, here, logs)
    assert citizen not in await kept_in_redis(desk, where.partition)


async def kept_in_redis(desk: MatchingDesk, partition: int) -> set[str]:
    redis = connect(desk.settings.redis_url)
    try:
        return set(await index.fixes_of(redis, partition, int(desk.now.timestamp() * 1000)))
    finally:
        await redis.aclose()


async def test_a_worker_that_starts_after_the_withdrawal_erases_what_the_last_one_left(
    databases: Databases, issuer: Issuer, settings_for: SettingsFor, desk: MatchingDesk
) -> None:
    """What the withdrawal needs is read from the watches again: no memory of a worker is."""
    from services.matching.engine.erasure import Erasure
    from tests.engines import watch

    class Assigned:
        """A consumer of one partition with everything taken."""

        def assignment(self) -> set[TopicPartition]:
            return {TopicPartition(LOCATIONS.name, 0)}

        async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
            return dict.fromkeys(partitions, 0)

        async def committed(self, partition: TopicPartition) -> int | None:
            return None

    erasure = Erasure(desk.settings.kafka_url, Assigned())
    gone = watch(located=False, changed_at=desk.now - timedelta(minutes=5))
    long_ago = watch(located=False, changed_at=desk.now - timedelta(hours=5))
    erasure.withdrawn(long_ago, 0, desk.now)
    assert await erasure.covered({0}) == {}
    erasure.withdrawn(gone, 0, desk.now)
    assert await erasure.covered({0}) == {TopicPartition(LOCATIONS.name, 0): 0}
    await erasure.erase({TopicPartition(LOCATIONS.name, 0): 0})
    assert await erasure.covered({0}) == {}, "an empty log has nothing to erase"


def test_the_command_says_what_it_went_through_and_fails_if_it_finds(capsys: pytest.CaptureFixture[str]) -> None:
    from services.matching.audit.domain import Finding

    assert "none found" in Report().lines()[-1]
    lines = Report(findings=[Finding("redis", "at:{1}:2", "a position")]).lines()
    assert lines[0] == "✗ redis at:{1}:2: a position"
    with pytest.raises(SystemExit):
        command.main(["--citizen", "x", "--at", "not a point"])
    assert "LAT,LON" in capsys.readouterr().err
