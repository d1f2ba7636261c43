"""What a worker must know before it takes a fix: all postings, and of its citizens their watches, what they were told, and
where they are.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from redis.asyncio import Redis

from services.matching.engine import replay
from services.matching.engine.bits import to_ms
from services.matching.engine.engine import Engine
from services.matching.index import store
from services.matching.index.store import StoredFix
from shared import telemetry
from shared.clock import Clock
from shared.contracts import Event, Posting
from shared.contracts.location import LOCATIONS
from shared.contracts.watch import WATCHES
from shared.messaging.envelope import BadRecordError, open_envelope
from shared.messaging.progress import Progress
from shared.redis import FAULTS

log = structlog.get_logger()
TELL_EVERY, SEEN_EVERY = 20_000, 1_000


@contextmanager
def uncollected() -> Iterator[None]:
    """What is being restored stays: looking through ever more of it for garbage finds none."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class Put(Protocol):
    """Takes over an event of a state topic; nobody is looked at yet."""

    def __call__(self, event: Event, partition: int, now: datetime) -> None: ...


class Restoring:
    """Reads topics back into an engine."""

    def __init__(
        self, kafka_url: str, clock: Clock, engine: Engine, redis: Redis, fixes: AIOKafkaConsumer, state: AIOKafkaConsumer,
        put: Put, progress: Progress,
    ) -> None:  # fmt: skip
        self._kafka_url, self._clock, self._engine, self._redis = kafka_url, clock, engine, redis
        self._fixes, self._state, self._put, self._progress = fixes, state, put, progress

    def _counter(self, what: str) -> Callable[..., None]:
        """Counts, and tells how far it is: at once in /readyz and the metrics, every so many in the log."""
        started, count = time.monotonic(), 0

        def told(more: int, done: bool = False) -> None:
            nonlocal count
            before, count = count, count + more
            if count // SEEN_EVERY > before // SEEN_EVERY or done:
                telemetry.RESTORED.labels(what).set(count)
                self._progress.reads_back(None if done else what, count)
            if done or count // TELL_EVERY > before // TELL_EVERY:
                seconds = round(time.monotonic() - started, 2)
                log.info("restored" if done else "restoring", what=what, count=count, seconds=seconds)

        return told

    async def postings(self) -> None:
        """All of them; the consumer of the state topics goes on from there."""
        told, now = self._counter("postings"), self._clock()
        async for record in replay.to_end(self._state, self._state.assignment()):
            if isinstance(event := event_of(record), Posting):
                self._put(event, record.partition, now)
                told(1)
        told(0, done=True)

    async def citizens(self, partitions: set[int]) -> list[int]:
        """Everything known of the citizens of these partitions; the rows of those whose position is known."""
        now, rows = self._clock(), []
        await self._watches({TopicPartition(WATCHES.name, p) for p in partitions}, now)
        told = self._counter("alerts and positions")
        for partition in partitions:
            alerted = await replay.alerted(self._kafka_url, partition)
            self._engine.remember(alerted, partition)
            told(len(alerted))
            positions = await self._positions(partition, now)
            told(len(positions))
            for citizen_id, fix in positions.items():
                row = self._engine.citizens.row(citizen_id, partition)
                if self._engine.restore_position(
                    row, fix.lat, fix.lon, fix.accuracy_m, fix.observed_ms, fix.consent_epoch
                ):
                    rows.append(row)
        told(0, done=True)
        log.info("citizens_restored", partitions=len(partitions), positions=len(rows))
        return rows

    async def _watches(self, watches: set[TopicPartition], now: datetime) -> None:
        """By a consumer of their own: what the session reads meanwhile waits for its turn, and fixes must not overtake."""
        next_offsets: dict[TopicPartition, int] = {}
        told = self._counter("watches")
        async for record in replay.whole(self._kafka_url, watches, next_offsets):
            if (event := event_of(record)) is not None:
                self._put(event, record.partition, now)
                told(1)
        told(0, done=True)
        others = self._state.assignment() - watches
        next_offsets |= {tp: await self._state.position(tp) for tp in others}
        self._state.assign(list(next_offsets))
        for tp, offset in next_offsets.items():  # an assignment forgets every position
            self._state.seek(tp, offset)

    async def _positions(self, partition: int, now: datetime) -> dict[str, StoredFix]:
        """Where citizens last were: the newest of what Redis kept and of what locations.v1 still has up to the offset
        from which the worker goes on. Either alone may have gaps: Redis was away, or the topic was erased (M9).
        """
        where = TopicPartition(LOCATIONS.name, partition)
        found = await replay.fixes_before(self._kafka_url, partition, await self._fixes.committed(where) or 0)
        try:
            kept = await store.fixes_of(self._redis, partition, to_ms(now))
        except FAULTS as error:
            log.warning("redis_away", error=type(error).__name__)
            kept = {}
        for citizen_id, fix in kept.items():
            if citizen_id not in found or found[citizen_id].observed_ms < fix.observed_ms:
                found[citizen_id] = fix
        return found


def event_of(record: ConsumerRecord) -> Event | None:
    """The event of a state topic, or None for a tombstone or a record that is against its contract."""
    if record.value is None:
        return None
    try:
        return open_envelope(record).data
    except BadRecordError:
        return None
