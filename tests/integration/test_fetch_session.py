"""Incremental fetches from a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError, KafkaError, for_code
from aiokafka.protocol.fetch import FetchRequest_v11

from shared.messaging import kafka
from shared.messaging.fetch_session import FETCH, FetchSession, Limits
from shared.messaging.requests import ask, connection_to
from tests.integration.groups import fresh_topic
from tests.stacks import Addresses

pytestmark = pytest.mark.integration

LIMITS = Limits(wait_ms=100, least_bytes=1, most_bytes=1 << 20, most_of_one_bytes=1 << 20, isolation=0)


class Fetching:
    """A topic of three partitions with one record in each, and a session that reads it."""

    within_s = 10.0

    def __init__(self, client: AIOKafkaClient, producer: AIOKafkaProducer, topic: str) -> None:
        self._client, self._producer, self._topic = client, producer, topic
        self.session = FetchSession(LIMITS)
        self.requests: list[FetchRequest_v11] = []

    async def produce(self, partition: int) -> None:
        await self._producer.send_and_wait(self._topic, b"v", partition=partition)

    async def fetch(self, offsets: dict[int, int]) -> dict[int, bytes]:
        """What the answer says of each partition that it names."""
        error_code, fetched = self.session.answered(await self.answer(offsets))
        if error_code:
            raise for_code(error_code)
        assert {one.where.topic for one in fetched} <= {self._topic}
        assert all(one.error_code == 0 for one in fetched)
        return {one.where.partition: one.raw for one in fetched}

    async def answer(self, offsets: dict[int, int]) -> memoryview:
        node = self._client.cluster.leader_for_partition(TopicPartition(self._topic, 0))
        assert await self._client.ready(node)
        connection = connection_to(self._client, node)
        assert connection is not None
        body = self.session.request({TopicPartition(self._topic, p): offset for p, offset in offsets.items()})
        self.requests.append(FetchRequest_v11.decode(body))
        answer: asyncio.Future[memoryview | KafkaError] = asyncio.get_running_loop().create_future()
        ask(connection, FETCH, body, self.within_s, answer.set_result)
        told = await answer
        if isinstance(told, KafkaError):
            raise told
        return told

    def named(self) -> list[int]:
        """The partitions that the last request spelled out."""
        return [p for _, parts in self.requests[-1].topics for p, *_ in parts]

    async def drop(self) -> None:
        """The connection to the broker, while a fetch is under way."""
        fetch = asyncio.create_task(self.answer({0: 1, 1: 1, 2: 1}))
        sent = len(self.requests)
        while len(self.requests) == sent:
            await asyncio.sleep(0)
        for connection in [*self._client._conns.values()]:
            connection.close()
        await fetch


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


async def test_a_session_that_the_broker_does_not_know_is_begun_anew_by_the_next_fetch(fetching: Fetching) -> None:
    first = await fetching.fetch({0: 0, 1: 0, 2: 0})
    fetching.session._id += 1
    with pytest.raises(KafkaError):
        await fetching.fetch({0: 0, 1: 0, 2: 0})
    assert await fetching.fetch({0: 0, 1: 0, 2: 0}) == first
    assert [request.session_epoch for request in fetching.requests] == [0, 1, 0]


async def test_after_a_fetch_whose_answer_never_came_everything_is_asked_for(fetching: Fetching) -> None:
    first = await fetching.fetch({0: 0, 1: 0, 2: 0})
    with pytest.raises(KafkaConnectionError):
        await fetching.drop()
    fetching.session.forget()
    assert await fetching.fetch({0: 0, 1: 0, 2: 0}) == first
    assert set(fetching.named()) == {0, 1, 2}


async def test_an_answer_that_takes_too_long_ends_the_connection_and_who_waits_is_told(fetching: Fetching) -> None:
    await fetching.fetch({0: 0, 1: 0, 2: 0})
    fetching.within_s = 0.001  # the broker waits a hundred times as long for something new
    with pytest.raises(KafkaConnectionError):
        await fetching.fetch({0: 1, 1: 1, 2: 1})
