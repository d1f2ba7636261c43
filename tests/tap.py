"""Listening to a topic in tests: what is committed, from the moment the tap was opened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from shared.messaging import kafka
from shared.messaging.envelope import text_headers
from tests.waiting import until


class Tap:
    """Records in the order they were read; within a partition that is the order of the log."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self.records: list[ConsumerRecord] = []

    async def read(self) -> list[ConsumerRecord]:
        for records in (await self._consumer.getmany(timeout_ms=50)).values():
            self.records.extend(records)
        return self.records

    async def wait_for(self, enough: Callable[[list[ConsumerRecord]], bool], deadline_s: float = 20.0) -> None:
        async def looked() -> bool:
            return enough(await self.read())

        await until(looked, deadline_s, what=f"{len(self.records)} records are not enough")

    def of(self, key: str) -> list[ConsumerRecord]:
        return [record for record in self.records if record.key == key.encode()]

    def among(self, keys: Iterable[str]) -> list[ConsumerRecord]:
        wanted = {key.encode() for key in keys}
        return [record for record in self.records if record.key in wanted]


@asynccontextmanager
async def tapping(kafka_url: str, topic: str) -> AsyncIterator[Tap]:
    consumer = kafka.consumer(kafka_url, group=None)
    await consumer.start()
    try:
        partitions = [
            TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic) or await _known(consumer, topic)
        ]
        consumer.assign(partitions)
        await consumer.seek_to_end(*partitions)
        for partition in partitions:
            await consumer.position(partition)
        yield Tap(consumer)
    finally:
        await consumer.stop()


async def _known(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    # The client learns of a topic that it was never asked about by asking.
    consumer.subscribe([topic])
    found: set[int] = await until(lambda: consumer.partitions_for_topic(topic))
    consumer.unsubscribe()
    return found


def event_id(record: ConsumerRecord) -> str:
    return text_headers(record)["ce_id"]


def first_of_each(records: Iterable[ConsumerRecord]) -> list[ConsumerRecord]:
    """As a consumer that dedupes by event id sees them."""
    return list({event_id(record): record for record in reversed(list(records))}.values())[::-1]
