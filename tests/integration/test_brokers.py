"""Three brokers, of which now one and then another is stopped or killed: leaders move, and nothing is lost, doubled or out of order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from uuid import uuid4

import pytest
import pytest_asyncio
from aiokafka import TopicPartition

from services.matching.settings import Settings
from shared.contracts import TOPICS
from shared.contracts.base import Topic
from shared.contracts.location import LOCATIONS
from shared.messaging import kafka, topics
from shared.messaging.batch_consumer import BatchConsumer
from shared.messaging.batch_producer import BatchProducer
from shared.messaging.record_batches import opened
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.desk_of_matching import MatchingDesk, open_matching
from tests.integration.crowds import STEPS, Workers, crowd_of
from tests.integration.test_batch_producer import batch
from tests.issuer import Issuer
from tests.kafka_cluster import BROKERS, Brokers, brokers
from tests.processes import nursery
from tests.stacks import Addresses, embedded
from tests.waiting import until

pytestmark = pytest.mark.integration
PARTITIONS = 6


@pytest.fixture(scope="module")
def three() -> Iterator[Brokers]:
    with brokers() as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def stack(stack: Addresses, three: Brokers) -> AsyncIterator[Addresses]:
    """The shared one, but with these brokers, and a Redis that knows nothing of other brokers' postings."""
    with embedded("redis") as (own, _):
        assert await topics.ensure(three.kafka_url, replication=BROKERS, topics=TOPICS) == []
        yield replace(stack, kafka_url=three.kafka_url, redis_url=own.redis_url)


async def moved_off(three: Brokers, number: int, topic: str, how: str) -> None:
    """The broker is stopped or killed, and others lead; then it comes back and leads its part again."""

    async def leads() -> bool:
        return await three.leads(number, topic) > 0

    async def leads_nothing() -> bool:
        return not await leads()

    await until(leads, 30)
    await asyncio.to_thread(three.fleet.stop if how == "stopped" else three.fleet.kill, f"kafka-{number}")
    await until(leads_nothing, 30, what=f"others lead what kafka-{number} led")
    await asyncio.to_thread(three.fleet.start, f"kafka-{number}")
    await until(leads, 60, what=f"kafka-{number} leads again")


@pytest_asyncio.fixture
async def topic(three: Brokers) -> str:
    made = Topic(f"t-{uuid4().hex[:12]}", PARTITIONS, "number", ("tests",), ("tests",))
    assert await topics.ensure(three.kafka_url, replication=BROKERS, topics=[made]) == []
    return made.name


class Numbers:
    """Written to every partition from nought on, until told to end, and read at the same time."""

    def __init__(self, three: Brokers, topic: str) -> None:
        self.three, self.topic, self.sent, self.going_on = three, topic, 0, True
        self.read: dict[int, list[int]] = {partition: [] for partition in range(PARTITIONS)}

    async def write(self) -> None:
        producer = kafka.producer(self.three.kafka_url)
        await producer.start()
        try:
            await producer.partitions_for(self.topic)
            sending, acknowledged = BatchProducer(producer, self.topic), list[asyncio.Future[None]]()
            while self.going_on:
                ready = batch(b"%d" % self.sent)
                acknowledged += sending.send([(partition, ready) for partition in range(PARTITIONS)])
                self.sent += 1
                await sending.room()
                await asyncio.sleep(0.005)
            await asyncio.wait_for(asyncio.gather(*acknowledged), 90)
        finally:
            await producer.stop()

    async def reads_all(self) -> None:
        consumer = kafka.consumer(self.three.kafka_url, group=None)
        consumer.assign([TopicPartition(self.topic, partition) for partition in range(PARTITIONS)])
        await consumer.start()
        try:
            batches = BatchConsumer(consumer)

            async def enough() -> bool:
                for where, items in (await batches.take(1_000, 0.1)).items():
                    records = [record for item in items for record in opened([item])]
                    self.read[where.partition] += [int(record.value) for record in records]
                return not self.going_on and all(len(read) >= self.sent for read in self.read.values())

            await until(enough, 180, what="all that was written is read")
        finally:
            await consumer.stop()


async def test_batches_are_written_and_read_once_and_in_order_while_leaders_move(three: Brokers, topic: str) -> None:
    numbers = Numbers(three, topic)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(numbers.write())
        tasks.create_task(numbers.reads_all())
        try:
            await moved_off(three, 3, topic, "stopped")
            await moved_off(three, 2, topic, "killed")
        finally:
            numbers.going_on = False
    assert numbers.sent > 100
    assert numbers.read == {partition: list(range(numbers.sent)) for partition in range(PARTITIONS)}


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[MatchingDesk]:
    async with open_matching(databases, issuer, settings_for(Settings)) as made:
        yield made


async def test_an_engine_tells_everybody_once_while_one_broker_after_another_is_away(
    three: Brokers, desk: MatchingDesk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with nursery(tmp_path_factory.mktemp("workers")) as children:
        workers = Workers(children, desk.settings)
        async with crowd_of(desk) as crowd:
            await crowd.gathers(40, seed=31)
            offers = await crowd.opens(40, seed=32)
            workers.start("inbox")
            engine = workers.start("engine")
            await crowd.walk(0, 10)
            for first, number, how in ((10, 2, "stopped"), (30, 3, "killed")):
                away = asyncio.create_task(moved_off(three, number, LOCATIONS.name, how))
                try:
                    await crowd.walk(first, first + 20, at_once=4)
                finally:
                    await away
            await crowd.walk(50, STEPS)
            await crowd.hears(crowd.expected(offers))
            leaving = next(iter(crowd.walks))
            answer = await desk.http.delete("/consents/location", headers=desk.bearer(leaving))
            assert answer.status_code == 200
            await until(lambda: "fixes_erased" in engine.said(), 30, what="the fixes are erased on all brokers")
