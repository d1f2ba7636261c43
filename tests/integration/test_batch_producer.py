"""Batches to a real broker, each once and in order, whatever happens to the connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from shared.messaging import kafka
from shared.messaging.batch_producer import MOST_WAITING, BatchProducer
from shared.messaging.record_batches import HEADER, ReadyBatch
from tests.integration.groups import fresh_topic
from tests.stacks import Addresses
from tests.waiting import until

pytestmark = pytest.mark.integration

PARTITIONS = 3


def batch(*bodies: bytes) -> ReadyBatch:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1 << 22)
    for nth, body in enumerate(bodies):
        builder.append(nth, 1_000, b"k", body, [])
    return ReadyBatch(bytes(builder.build())[HEADER.size :], len(bodies), 1_000, 0)


@asynccontextmanager
async def sending(stack: Addresses) -> AsyncIterator[tuple[BatchProducer, AIOKafkaProducer, str]]:
    topic, producer = await fresh_topic(stack.kafka_url, partitions=PARTITIONS), kafka.producer(stack.kafka_url)
    await producer.start()
    await producer.partitions_for(topic)
    try:
        yield BatchProducer(producer, topic), producer, topic
    finally:
        await producer.stop()


async def written(stack: Addresses, topic: str, partition: int, count: int) -> Sequence[bytes]:
    """All that the partition holds, which is so many."""
    consumer, where, read = kafka.consumer(stack.kafka_url, group=None), TopicPartition(topic, partition), list[bytes]()
    consumer.assign([where])
    await consumer.start()
    try:

        async def enough() -> bool:
            read.extend(record.value for record in (await consumer.getmany(timeout_ms=100)).get(where, []))
            return len(read) >= count

        await until(enough, 30)
        assert await consumer.end_offsets([where]) == {where: count}
    finally:
        await consumer.stop()
    return read


async def test_batches_are_kept_in_the_order_in_which_they_were_sent(stack: Addresses) -> None:
    async with sending(stack) as (batches, _, topic):
        sent = [
            one for nth in range(30) for one in batches.send([(p, batch(b"%d" % nth, b"-")) for p in range(PARTITIONS)])
        ]
        await asyncio.gather(*sent)
        for p in range(PARTITIONS):
            assert await written(stack, topic, p, 60) == [x for nth in range(30) for x in (b"%d" % nth, b"-")]


async def test_a_connection_that_breaks_while_batches_are_under_way_costs_none_and_doubles_none(
    stack: Addresses,
) -> None:
    async with sending(stack) as (batches, producer, topic):
        sent: list[asyncio.Future[None]] = []
        for nth in range(40):
            sent += batches.send([(0, batch(b"%d" % nth))])
            if nth % 8 == 3:
                await sent[nth // 2]
                for connection in [*producer.client._conns.values()]:
                    connection.close()
        await asyncio.gather(*sent)
        assert await written(stack, topic, 0, 40) == [b"%d" % nth for nth in range(40)]


async def test_an_acknowledgement_that_is_lost_does_not_write_its_batch_twice(stack: Addresses) -> None:
    async with sending(stack) as (batches, producer, topic):
        (first,) = batches.send([(0, batch(b"first"))])
        await first
        reader = kafka.consumer(stack.kafka_url, group=None)
        await reader.start()
        where = TopicPartition(topic, 0)
        for connection in producer.client._conns.values():
            connection._reader._transport.pause_reading()  # the broker writes it, and we do not hear of it
        (second,) = batches.send([(0, batch(b"second"))])

        async def there() -> bool:
            return bool((await reader.end_offsets([where]))[where] == 2)

        await until(there, 10, what="the broker has written the second")
        await reader.stop()
        assert not second.done()
        for connection in [*producer.client._conns.values()]:
            connection.close()
        await second
        assert await written(stack, topic, 0, 2) == [b"first", b"second"]


async def test_there_is_room_again_when_the_broker_has_taken_some(stack: Addresses) -> None:
    async with sending(stack) as (batches, _, topic):
        sent = batches.send([(0, batch(b"%d" % nth)) for nth in range(2 * MOST_WAITING)])
        await batches.room()
        assert sum(one.done() for one in sent) >= MOST_WAITING
        await asyncio.gather(*sent)
        await batches.room()
        assert len(await written(stack, topic, 0, 2 * MOST_WAITING)) == 2 * MOST_WAITING


async def test_what_the_broker_refuses_for_good_is_raised_to_who_waits_for_it(stack: Addresses) -> None:
    async with sending(stack) as (batches, _, topic):
        large, small = batches.send([(0, batch(b"x" * 2_000_000)), (1, batch(b"small"))])
        with pytest.raises(MessageSizeTooLargeError):
            await large
        await small
        assert await written(stack, topic, 1, 1) == [b"small"]


async def test_who_does_not_wait_any_more_stops_nobody(stack: Addresses) -> None:
    async with sending(stack) as (batches, _, topic):
        first, second = batches.send([(0, batch(b"first")), (0, batch(b"second"))])
        first.cancel()
        await second
        assert await written(stack, topic, 0, 2) == [b"first", b"second"]
