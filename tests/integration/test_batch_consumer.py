"""Whole batches of a real broker's, by a consumer that fetches for itself."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete

from shared.messaging import kafka
from shared.messaging.batch_consumer import BatchConsumer
from shared.messaging.progress import Progress
from shared.messaging.record_batches import Item, RecordBatch, next_offset, opened
from tests.integration.groups import fresh_topic
from tests.stacks import Addresses
from tests.waiting import until

pytestmark = pytest.mark.integration

PARTITIONS = 3
Read = list[tuple[int, bytes]]


@pytest_asyncio.fixture
async def topic(stack: Addresses) -> str:
    return await fresh_topic(stack.kafka_url, partitions=PARTITIONS)


@pytest_asyncio.fixture
async def producer(stack: Addresses) -> AsyncIterator[AIOKafkaProducer]:
    made = kafka.producer(stack.kafka_url, linger_ms=0)
    await made.start()
    yield made
    await made.stop()


@asynccontextmanager
async def reading(stack: Addresses, topic: str, group: str | None = None) -> AsyncIterator[BatchConsumer]:
    consumer = kafka.consumer(stack.kafka_url, group=group)
    if group is None:
        consumer.assign(partitions(topic))
    else:
        consumer.subscribe([topic])
    await consumer.start()
    try:
        yield BatchConsumer(consumer)
    finally:
        await consumer.stop()


def partitions(topic: str) -> list[TopicPartition]:
    return [TopicPartition(topic, p) for p in range(PARTITIONS)]


async def taken(batches: BatchConsumer, records: int, most: int = 1_000) -> Read:
    """The next so many, as (partition, value), and no more of them."""
    read: Read = []

    async def enough() -> bool:
        read.extend(values(await batches.take(most, 0.2)))
        return len(read) >= records

    await until(enough, 30, what=f"{records} records come")
    assert len(read) == records
    return sorted(read)


def values(items: dict[TopicPartition, list[Item]]) -> Iterable[tuple[int, bytes]]:
    return ((record.partition, record.value) for some in items.values() for record in opened(some))


async def test_each_record_comes_once_and_again_where_it_is_sought(
    stack: Addresses, topic: str, producer: AIOKafkaProducer
) -> None:
    there = partitions(topic)
    async with reading(stack, topic) as batches:
        for said in (b"first", b"second"):
            for tp in there:
                await producer.send_and_wait(topic, said, partition=tp.partition)
            assert await taken(batches, 3) == [(p, said) for p in range(PARTITIONS)]
        batches.consumer.seek(there[1], 0)
        assert await taken(batches, 2) == [(1, b"first"), (1, b"second")]


async def test_another_assignment_begins_where_it_says(
    stack: Addresses, topic: str, producer: AIOKafkaProducer
) -> None:
    there = partitions(topic)
    for said in (b"first", b"second"):
        for tp in there:
            await producer.send_and_wait(topic, said, partition=tp.partition)
    async with reading(stack, topic) as batches:
        assert len(await taken(batches, 6)) == 6
        batches.consumer.assign(there[:2])
        batches.consumer.seek(there[0], 1)
        batches.consumer.seek(there[1], 2)
        assert await taken(batches, 1) == [(0, b"second")]


async def test_of_much_that_waits_some_is_taken_and_the_rest_next(
    stack: Addresses, topic: str, producer: AIOKafkaProducer
) -> None:
    for nth in range(12):
        await producer.send_and_wait(topic, b"%d" % nth, partition=nth % PARTITIONS)
    async with reading(stack, topic) as batches:
        read: Read = []
        while len(read) < 12:
            some = [*values(await batches.take(PARTITIONS, 5))]
            assert 1 <= len(some) <= PARTITIONS
            read += some
    assert sorted(read) == sorted((nth % PARTITIONS, b"%d" % nth) for nth in range(12))
    for p in range(PARTITIONS):  # in the order of the log
        assert [value for where, value in read if where == p] == [b"%d" % nth for nth in range(p, 12, PARTITIONS)]


async def test_who_seeks_while_some_is_left_to_be_taken_reads_from_there(
    stack: Addresses, topic: str, producer: AIOKafkaProducer
) -> None:
    for nth in range(3):
        await producer.send_and_wait(topic, b"%d" % nth, partition=0)
    async with reading(stack, topic) as batches:
        assert await taken(batches, 1, most=1) == [(0, b"0")]
        batches.consumer.seek(TopicPartition(topic, 0), 0)
        assert await taken(batches, 3) == [(0, b"0"), (0, b"1"), (0, b"2")]


async def test_what_a_partition_that_is_paused_has_comes_when_it_is_resumed(
    stack: Addresses, topic: str, producer: AIOKafkaProducer
) -> None:
    there = partitions(topic)
    async with reading(stack, topic) as batches:
        batches.consumer.pause(there[0])
        for tp in there:
            await producer.send_and_wait(topic, b"v", partition=tp.partition)
        assert await taken(batches, 2) == [(1, b"v"), (2, b"v")]
        batches.consumer.resume(there[0])
        assert await taken(batches, 1) == [(0, b"v")]


async def test_what_a_transaction_commits_is_read_and_what_it_aborts_is_not(stack: Addresses, topic: str) -> None:
    relay = kafka.producer(stack.kafka_url, linger_ms=0, transactional_id=f"t-{uuid4().hex}")
    await relay.start()
    try:
        async with reading(stack, topic) as batches:
            for commit in (True, False, True):
                await relay.begin_transaction()
                await relay.send_and_wait(topic, b"kept" if commit else b"dropped", partition=1)
                await (relay.commit_transaction() if commit else relay.abort_transaction())
            assert await taken(batches, 2) == [(1, b"kept"), (1, b"kept")]

            async def at_the_end() -> bool:
                assert not await batches.take(10, 0.1)
                return bool(await batches.consumer.position(TopicPartition(topic, 1)) == 6)

            await until(at_the_end, 10, what="the marker that ends a transaction is passed")
    finally:
        await relay.stop()


async def test_a_member_goes_on_from_what_was_committed(
    stack: Addresses, topic: str, producer: AIOKafkaProducer
) -> None:
    group = f"g-{uuid4().hex}"
    for nth in range(2):
        await producer.send_and_wait(topic, b"%d" % nth, partition=0)
    async with reading(stack, topic, group) as batches:
        await taken(batches, 2)
        await batches.consumer.commit({TopicPartition(topic, 0): 1})
    async with reading(stack, topic, group) as batches:
        assert await taken(batches, 1) == [(0, b"1")]


async def test_members_share_the_partitions_and_each_reads_its_own(
    stack: Addresses, topic: str, producer: AIOKafkaProducer
) -> None:
    group = f"g-{uuid4().hex}"
    async with reading(stack, topic, group) as first:

        async def has(batches: BatchConsumer, least: int, most: int) -> bool:
            await batches.take(10, 0.05)
            return least <= len(batches.consumer.assignment()) <= most

        await until(lambda: has(first, PARTITIONS, PARTITIONS), 30)
        async with reading(stack, topic, group) as second:

            async def shared() -> bool:
                return await has(first, 1, 2) and await has(second, 1, 2)

            await until(shared, 30)
            for tp in partitions(topic):
                await producer.send_and_wait(topic, b"v", partition=tp.partition)
            read: list[Read] = [[], []]

            async def enough() -> bool:
                for nth, batches in enumerate((first, second)):
                    read[nth] += values(await batches.take(10, 0.05))
                return sum(map(len, read)) >= PARTITIONS

            await until(enough, 30)
            assert sorted(read[0] + read[1]) == [(p, b"v") for p in range(PARTITIONS)]
            for nth, batches in enumerate((first, second)):
                assert {p for p, _ in read[nth]} == {tp.partition for tp in batches.consumer.assignment()}


async def test_a_member_that_has_nothing_to_read_stays_one_and_knows_that_nothing_waits(
    stack: Addresses, topic: str, producer: AIOKafkaProducer
) -> None:
    """A fetch session says nothing of partitions that have nothing new: not to be taken for a broker that is away."""
    where, group = TopicPartition(topic, 0), f"g-{uuid4().hex}"
    await producer.send_and_wait(topic, b"v", partition=0)
    async with reading(stack, topic, group) as batches:
        await taken(batches, 1)
        state = batches.consumer._subscription.subscription.assignment.state_value(where)
        told_ms = state.timestamp

        async def told_again() -> bool:
            await batches.take(10, 0.05)
            return bool(state.timestamp > told_ms + 300)

        await until(told_again, 10, what="the broker says again that nothing waits")
        progress = Progress(group, stale_after_s=0.05)
        progress.seen(batches.consumer)
        assert (progress.lag, progress.problem()) == (0, None)
        assert batches.consumer._subscription.fetcher_idle_time < 1


async def test_who_begins_below_what_was_deleted_goes_on_from_the_first_that_is_left(
    stack: Addresses, topic: str, producer: AIOKafkaProducer
) -> None:
    where = TopicPartition(topic, 0)
    for nth in range(3):
        await producer.send_and_wait(topic, b"%d" % nth, partition=0)
    async with reading(stack, topic) as batches:
        await taken(batches, 3)
        admin = kafka.admin(stack.kafka_url)
        await admin.start()
        await admin.delete_records({where: RecordsToDelete(2)})
        await admin.close()
        batches.consumer.seek(where, 0)
        assert await taken(batches, 1) == [(0, b"2")]


async def test_a_connection_that_breaks_is_made_again_and_nothing_is_left_out(
    stack: Addresses, topic: str, producer: AIOKafkaProducer
) -> None:
    async with reading(stack, topic) as batches:
        for nth in range(4):
            await producer.send_and_wait(topic, b"%d" % nth, partition=0)
            for connection in [*batches.consumer._client._conns.values()]:
                connection.close()
            assert await taken(batches, 1) == [(0, b"%d" % nth)]


async def test_what_was_fetched_goes_with_its_last_use_and_not_with_the_garbage(
    stack: Addresses, topic: str, producer: AIOKafkaProducer
) -> None:
    """Otherwise it gathers for seconds and is collected at once, which held up a thousand fixes a second for 15 to 30 ms."""
    read, ends = list[bytes](), 0
    async with reading(stack, topic) as batches:
        gc.collect()
        gc.disable()
        try:
            for nth in range(20):
                await producer.send_and_wait(topic, b"%d" % nth, partition=0)
                while ends <= nth:
                    for items in (await batches.take(100, 5)).values():
                        read += [record.value for record in opened(items)]
                        ends = next_offset(items[-1])
            del items
            left = [one for one in gc.get_objects() if isinstance(one, RecordBatch) and one.partition.topic == topic]
        finally:
            gc.enable()
    assert read == [b"%d" % nth for nth in range(20)]
    assert left == []
