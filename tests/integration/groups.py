"""A consumer group for tests: its effect is a row per event, so that what happened twice is seen twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from aiokafka import TopicPartition
from sqlalchemy import text

from shared.contracts import Event, Fix, Posting
from shared.contracts.base import Topic
from shared.contracts.location import LOCATIONS
from shared.database import Database
from shared.messaging import dead_letters, kafka, topics
from shared.messaging.consumer import Consumer, Handlers, Unit
from shared.messaging.dead_letters import DeadLetter
from shared.messaging.envelope import body_of, headers_of, kafka_headers
from shared.settings import PlatformSettings
from tests.samples import NOW

POISON = "독"
CREATE = "CREATE TABLE IF NOT EXISTS effect (consumer text, posting uuid, version int, nth bigserial)"


async def take_effect(events: Sequence[Any], unit: Unit) -> None:
    """One row per event; a poisonous one is refused after the others of its batch were written."""
    for event in events:
        row = {"id": event.id, "version": event.version, "consumer": event.institution}
        await unit.tx.execute(text("INSERT INTO effect VALUES (:consumer, :id, :version)"), row)
    if any(POISON in event.headline for event in events):
        raise ValueError("this headline cannot be handled")


async def refuse_fixes(events: Sequence[Any], unit: Unit) -> None:
    raise ValueError(f"no room at {events[0].lat}, {events[0].lon}")


HANDLERS: Handlers = {Posting: take_effect, Fix: refuse_fixes}


@dataclass
class Group:
    """One group on a topic of its own, and what it did."""

    settings: PlatformSettings
    database: Database
    topic: str
    name: str = field(default_factory=lambda: f"g-{uuid4().hex[:12]}")

    def consumer(self, **options: Any) -> Consumer:
        return Consumer(
            self.settings, self.database, group=self.name, topics=[self.topic], handlers=HANDLERS, **options
        )

    async def prepare(self) -> None:
        async with self.database.transaction() as tx:
            await tx.execute(text(CREATE))

    async def effects(self) -> list[tuple[UUID, int]]:
        async with self.database.transaction() as tx:
            rows = await tx.execute(text("SELECT posting, version FROM effect ORDER BY nth"))
            return [(posting, version) for posting, version in rows]

    async def did(self, events: Iterable[Posting]) -> bool:
        done = set(await self.effects())
        return all((event.id, event.version) in done for event in events)

    async def once_each(self, events: Iterable[Posting]) -> bool:
        return Counter(await self.effects()) == Counter((event.id, event.version) for event in events)

    async def letters(self) -> list[DeadLetter]:
        return [letter async for letter in dead_letters.read_all(self.settings.kafka_url) if letter.group == self.name]

    async def letters_are(self, count: int) -> list[DeadLetter] | None:
        found = await self.letters()
        return found if len(found) == count else None

    async def committed(self) -> int:
        """Over all partitions."""
        consumer = kafka.consumer(self.settings.kafka_url, group=self.name)
        consumer.assign([TopicPartition(self.topic, 0)])
        await consumer.start()
        try:
            parts = consumer.partitions_for_topic(self.topic) or {0}
            told = [await consumer.committed(TopicPartition(self.topic, part)) for part in parts]
            return sum(offset or 0 for offset in told)
        finally:
            await consumer.stop()

    async def begins_now(self) -> None:
        """On a topic that other tests use too, the group leaves alone what is on it already."""
        consumer = kafka.consumer(self.settings.kafka_url, group=self.name)
        await consumer.start()
        try:
            everywhere = [TopicPartition(self.topic, part) for part in range(LOCATIONS.partitions)]
            consumer.assign(everywhere)
            await consumer.commit(await consumer.end_offsets(everywhere))
        finally:
            await consumer.stop()

    async def publish(self, *events: Event) -> None:
        await self.publish_raw(*(
            (event.topic_key().encode(), body_of(event), kafka_headers(headers_of(event, event_id=uuid4(), source="tests", time=NOW)))
            for event in events
        ))  # fmt: skip

    async def publish_raw(self, *records: tuple[bytes | None, bytes | None, Any]) -> None:
        producer = kafka.producer(self.settings.kafka_url)
        await producer.start()
        try:
            sent = [await producer.send(self.topic, value, key=key, headers=headers) for key, value, headers in records]
            await asyncio.gather(*sent)
        finally:
            await producer.stop()


async def fresh_topic(kafka_url: str, partitions: int = 1) -> str:
    topic = Topic(f"t-{uuid4().hex[:12]}", partitions, "posting id", ("tests",), ("tests",))
    assert await topics.ensure(kafka_url, topics=[topic]) == []
    return topic.name


@asynccontextmanager
async def running(consumer: Consumer, within_s: float = 30) -> AsyncIterator[Consumer]:
    """Runs while the block does, then stops it gracefully."""
    task = asyncio.create_task(consumer.run())
    try:
        yield consumer
        assert not task.done(), task
    finally:
        consumer.stop()
        done, _ = await asyncio.wait([task], timeout=within_s)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert done, "the consumer did not stop"
