"""Incremental fetches from a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.fetch import FetchRequest

from shared.messaging import kafka
from shared.messaging.fetch_session import FetchSession, remember_fetches
from tests.integration.groups import fresh_topic
from tests.stacks import Addresses

pytestmark = pytest.mark.integration

WAIT_MS, ROOM = 100, 1 << 20


class Fetching:
    """A topic of three partitions with one record in each, and a session that reads it."""

    def __init__(self, client: AIOKafkaClient, producer: AIOKafkaProducer, topic: str) -> None:
        self._client, self._producer, self._topic = client, producer, topic
        self.session = FetchSession()
        self.requests: list[Any] = []

    async def produce(self, partition: int) -> None:
        await self._producer.send_and_wait(self._topic, b"v", partition=partition)

    async def fetch(self, offsets: dict[int, int]) -> dict[int, bytes]:
        """What the answer says of each partition that it names."""
        node = self._client.cluster.leader_for_partition(TopicPartition(self._topic, 0))
        request = FetchRequest(WAIT_MS, 1, ROOM, 0, [(self._topic, [(p, at, ROOM) for p, at in offsets.items()])])
        response = await self.session.fetch(request, partial(self._sent, node))
        assert response.error_code == 0
        return {p: bytes(raw or b"") for _, parts in response.topics for p, *_, raw in parts}

    async def _sent(self, node: int, request: FetchRequest) -> Any:
        assert await self._client.ready(node)
        versions = next(iter(self._client._conns.values()))._versions
        self.requests.append(request.prepare(versions))
        return await self._client.send(node, request)

    def named(self) -> list[int]:
        """The partitions that the last request spelled out."""
        return [p for _, parts in self.requests[-1].topics for p, *_ in parts]


@pytest_asyncio.fixture
async def fetching(stack: Addresses) -> AsyncIterator[Fetching]:
    topic = await fresh_topic(stack.kafka_url, partitions=3)
    producer, client = kafka.producer(stack.kafka_url, linger_ms=0), AIOKafkaClient(bootstrap_servers=stack.kafka_url)
    await producer.start()
    await client.bootstrap()
    await client.set_topics([topic])
    one = Fetching(client, producer, topic)
    for partition in range(3):
        await one.produce(partition)
    yield one
    await client.close()
    await producer.stop()


async def test_the_first_fetch_asks_for_everything_and_the_next_for_what_changed(fetching: Fetching) -> None:
    first = await fetching.fetch({0: 0, 1: 0, 2: 0})
    assert set(first) == {0, 1, 2} == set(fetching.named())
    await fetching.produce(1)
    second = await fetching.fetch({0: 1, 1: 1, 2: 1})
    assert (set(second), set(fetching.named())) == ({1}, {0, 1, 2})
    third = await fetching.fetch({0: 1, 1: 2, 2: 1})
    assert (third, fetching.named()) == ({}, [1])


async def test_a_record_that_was_not_taken_comes_again(fetching: Fetching) -> None:
    first = await fetching.fetch({0: 0, 1: 0, 2: 0})
    assert await fetching.fetch({0: 0, 1: 0, 2: 0}) == first
    assert fetching.named() == []


async def test_a_partition_that_is_left_out_says_nothing_until_it_is_asked_for_again(fetching: Fetching) -> None:
    await fetching.fetch({0: 0, 1: 0, 2: 0})
    assert set(await fetching.fetch({0: 0, 2: 1})) == {0}
    assert fetching.requests[-1].forgotten_topics_data[0][1] == [1]
    assert set(await fetching.fetch({0: 1, 1: 0, 2: 1})) == {1}


async def test_a_session_that_the_broker_does_not_know_is_begun_anew_within_the_fetch(fetching: Fetching) -> None:
    first = await fetching.fetch({0: 0, 1: 0, 2: 0})
    fetching.session._id += 1
    assert await fetching.fetch({0: 0, 1: 0, 2: 0}) == first
    assert [request.session_epoch for request in fetching.requests] == [0, 1, 0]


async def test_after_a_fetch_whose_answer_never_came_everything_is_asked_for(fetching: Fetching) -> None:
    first = await fetching.fetch({0: 0, 1: 0, 2: 0})
    request = FetchRequest(WAIT_MS, 1, ROOM, 0, [])

    async def lost(_: FetchRequest) -> Any:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await fetching.session.fetch(request, lost)
    assert await fetching.fetch({0: 0, 1: 0, 2: 0}) == first
    assert set(fetching.named()) == {0, 1, 2}


async def test_a_consumer_that_remembers_reads_what_comes_and_again_what_it_seeks(stack: Addresses) -> None:
    topic = await fresh_topic(stack.kafka_url, partitions=3)
    there = [TopicPartition(topic, p) for p in range(3)]
    producer, consumer = kafka.producer(stack.kafka_url, linger_ms=0), kafka.consumer(stack.kafka_url, group=None)
    consumer.assign(there)
    await producer.start()
    await consumer.start()
    remember_fetches(consumer)
    try:
        for said in ("first", "second"):
            for p in range(3):
                await producer.send_and_wait(topic, said.encode(), partition=p)
            assert await taken(consumer, 3) == {(p, said.encode()) for p in range(3)}
        consumer.seek(there[1], 0)
        assert await taken(consumer, 2) == {(1, b"first"), (1, b"second")}
        consumer.assign(there[:2])
        consumer.seek(there[0], 1)
        consumer.seek(there[1], 2)
        assert await taken(consumer, 1) == {(0, b"second")}
        consumer.assign(there)
        for tp in there:
            consumer.seek(tp, 1)
        assert await taken(consumer, 3) == {(p, b"second") for p in range(3)}
    finally:
        await consumer.stop()
        await producer.stop()


async def taken(consumer: AIOKafkaConsumer, records: int) -> set[tuple[int, bytes]]:
    """The next so many records, and no more of them."""
    found: list[tuple[int, bytes]] = []
    async with asyncio.timeout(30):
        while len(found) < records:
            some = await consumer.getmany(timeout_ms=200)
            found += [(r.partition, r.value) for many in some.values() for r in many]
    assert len(found) == records
    return set(found)
