"""Whole record batches from a real broker."""

from __future__ import annotations

import gc

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import PartitionRecords

from shared.messaging import kafka
from shared.messaging.record_batches import BatchConsumer, next_offset, opened
from tests.integration.groups import fresh_topic
from tests.stacks import Addresses

pytestmark = pytest.mark.integration


async def test_what_was_fetched_goes_with_its_last_use_and_not_with_the_garbage(stack: Addresses) -> None:
    """Otherwise it gathers for seconds and is collected at once, which held up a thousand fixes a second for 15 to 30 ms."""
    where = TopicPartition(await fresh_topic(stack.kafka_url), 0)
    producer, consumer = kafka.producer(stack.kafka_url, linger_ms=0), kafka.consumer(stack.kafka_url, group=None)
    consumer.assign([where])
    await producer.start()
    await consumer.start()
    batches, read, ends = BatchConsumer(consumer), list[bytes](), 0
    gc.collect()
    gc.disable()
    try:
        for nth in range(20):
            await producer.send_and_wait(where.topic, b"%d" % nth, partition=0)
            while ends <= nth:
                for items in (await batches.take(100, 5)).values():
                    read += [record.value for record in opened(items)]
                    ends = next_offset(items[-1])
        left = [one for one in gc.get_objects() if isinstance(one, PartitionRecords) and one._tp == where]
    finally:
        gc.enable()
        await consumer.stop()
        await producer.stop()
    assert read == [b"%d" % nth for nth in range(20)]
    assert left == []
