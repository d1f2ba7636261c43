"""The consumer boundary: each event takes effect once, a bad one goes to the dead letters, the stream goes on.

A batch is one transaction: mark the events as seen, run the handlers, commit, then commit the offsets. If a handler
fails, the batch is taken apart and its records are tried one by one, with bounded backoff, then dead-lettered. A fault
of the infrastructure is nobody's bad event: the batch is read again until it passes.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from shared import telemetry
from shared.clock import Clock, utc_now
from shared.contracts import Event
from shared.database import Database
from shared.messaging import dead_letters, kafka, processed
from shared.messaging.envelope import BadRecordError, Envelope, open_envelope, text_headers
from shared.messaging.progress import Progress
from shared.settings import PlatformSettings

log = structlog.get_logger()

MAX_BACKOFF_S = 5.0
POLL_MS = 200


@dataclass(frozen=True)
class Unit:
    """What a handler works with: the transaction (never commit it) and the time."""

    tx: AsyncConnection
    now: datetime


Handler = Callable[[Sequence[Any], Unit], Awaitable[None]]
Handlers = Mapping[type[Event], Handler]


@dataclass(frozen=True)
class Received:
    """A record with its opened envelope."""

    record: ConsumerRecord
    envelope: Envelope


class Halted(Exception):  # noqa: N818
    """Too many dead letters: the fault is probably ours, so nothing more is given up until somebody has looked."""


def is_infrastructure(error: BaseException) -> bool:
    """A fault of the database's or broker's availability, which waiting mends; not one of the record."""
    if isinstance(error, DBAPIError):
        lost = isinstance(error.orig, OSError | asyncpg.PostgresConnectionError) or error.connection_invalidated
        return lost or isinstance(error, InterfaceError | OperationalError)
    return isinstance(
        error, KafkaError | OSError | TimeoutError | asyncpg.PostgresConnectionError | asyncpg.InterfaceError
    )


class Consumer:
    """One consumer group on one or more topics, with handlers by event type. `run` until `stop`."""

    def __init__(
        self,
        settings: PlatformSettings,
        database: Database,
        *,
        group: str,
        topics: Sequence[str],
        handlers: Handlers,
        clock: Clock = utc_now,
        max_records: int = 500,
    ) -> None:
        self._settings, self._database, self._group, self._clock = settings, database, group, clock
        self._topics, self._handlers, self._max_records = list(topics), handlers, max_records
        self._stopping = asyncio.Event()
        self._busy = asyncio.Lock()
        self._limit = dead_letters.Limit(settings.dead_letters_per_minute)
        self.progress = Progress(group, stale_after_s=settings.stale_after_s)

    def stop(self) -> None:
        """Finish the batch in hand, commit, leave the group."""
        self._stopping.set()

    async def run(self) -> None:
        """Consume until stopped. On a broker fault reconnect with backoff; when halted, stay up, unready, for a look."""
        backoff_s = 0.2
        while not self._stopping.is_set():
            try:
                await self._session()
                backoff_s = 0.2
            except Halted as halted:
                self.progress.halt(str(halted))
                log.error("consumer_halted", group=self._group, reason=str(halted))
                await self._stopping.wait()
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("consumer_fault", group=self._group, error=type(error).__name__, detail=str(error)[:200])
                await self._pause(backoff_s)
                backoff_s = min(backoff_s * 2, MAX_BACKOFF_S)

    async def _session(self) -> None:
        consumer = kafka.consumer(self._settings.kafka_url, group=self._group, max_records=self._max_records)
        producer = kafka.producer(self._settings.kafka_url, client_id=f"{self._group}-dead-letters")
        consumer.subscribe(self._topics, listener=_LetTheBatchEnd(self._busy))
        try:
            await consumer.start()
            await producer.start()
            while not self._stopping.is_set():
                batch = await consumer.getmany(timeout_ms=POLL_MS)
                async with self._busy:
                    for partition, records in batch.items():
                        await self._partition(consumer, producer, partition, records)
                self.progress.seen(consumer)
        finally:
            await producer.stop()
            await consumer.stop()

    async def _partition(
        self,
        consumer: AIOKafkaConsumer,
        producer: AIOKafkaProducer,
        partition: TopicPartition,
        records: list[ConsumerRecord],
    ) -> None:
        backoff_s = 0.2
        while not self._stopping.is_set():
            try:
                await self._handle(producer, records)
            except Exception as error:
                if not is_infrastructure(error):
                    raise
                log.warning("batch_waits", group=self._group, error=type(error).__name__, detail=str(error)[:200])
                self.progress.waiting()
                await self._pause(backoff_s)
                backoff_s = min(backoff_s * 2, MAX_BACKOFF_S)
                continue
            await self._commit(consumer, partition, records[-1].offset + 1)
            self.progress.handled(partition, records[-1].offset + 1)
            return

    async def _handle(self, producer: AIOKafkaProducer, records: list[ConsumerRecord]) -> None:
        received: list[Received] = []
        for record in records:
            if not dead_letters.is_for(text_headers(record), self._group):
                continue
            try:
                received.append(Received(record, open_envelope(record)))
            except BadRecordError as bad:
                await self._give_up(producer, record, bad, attempts=1)
        try:
            await self._effect(received)
        except Exception as error:
            if is_infrastructure(error):
                raise
            for one in received:
                await self._one_by_one(producer, one)

    async def _one_by_one(self, producer: AIOKafkaProducer, one: Received) -> None:
        wait_s = self._settings.retry_backoff_s
        for attempt in itertools.count(1):
            try:
                await self._effect([one])
            except Exception as error:
                if is_infrastructure(error):
                    raise
                if attempt >= self._settings.retry_attempts:
                    await self._give_up(producer, one.record, error, attempts=attempt)
                    return
                await self._pause(wait_s)
                wait_s = min(wait_s * 2, MAX_BACKOFF_S)
            else:
                return

    async def _effect(self, received: Sequence[Received]) -> None:
        """One transaction: what this group has not seen yet takes effect, in order, runs of one type together."""
        if not received:
            return
        async with self._database.transaction() as tx:
            fresh = await processed.unseen(tx, self._group, [one.envelope.id for one in received])
            unit = Unit(tx, self._clock())
            chosen: list[Event] = []
            for one in received:
                if one.envelope.id in fresh:
                    fresh.discard(one.envelope.id)
                    chosen.append(one.envelope.data)
            for model, events in itertools.groupby(chosen, key=type):
                handler = self._handlers.get(model)
                if handler is not None:
                    await handler(list(events), unit)
        telemetry.CONSUMED.labels(self._group, received[0].record.topic, "handled").inc(len(received))

    async def _give_up(
        self, producer: AIOKafkaProducer, record: ConsumerRecord, error: Exception, *, attempts: int
    ) -> None:
        if not self._limit.allows():
            raise Halted(
                f"more than {self._settings.dead_letters_per_minute} dead letters a minute; last: {error}"[:500]
            )
        await dead_letters.send(producer, record, group=self._group, error=error, attempts=attempts, now=self._clock())
        telemetry.DEAD_LETTERED.labels(self._group, record.topic).inc()
        log.error("dead_letter", group=self._group, topic=record.topic, partition=record.partition, offset=record.offset,
                  error=type(error).__name__)  # fmt: skip

    async def _commit(self, consumer: AIOKafkaConsumer, partition: TopicPartition, offset: int) -> None:
        """A partition lost meanwhile is its new owner's; what it repeats is recognised by event id."""
        try:
            await consumer.commit({partition: offset})
        except (CommitFailedError, IllegalStateError) as error:
            log.warning("commit_refused", group=self._group, topic=partition.topic, error=type(error).__name__)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return


class _LetTheBatchEnd(ConsumerRebalanceListener):  # type: ignore[misc]
    """A rebalance waits for the batch in hand, so that its offsets are committed by the member that handled it."""

    def __init__(self, busy: asyncio.Lock) -> None:
        self._busy = busy

    async def on_partitions_revoked(self, revoked: object) -> None:
        async with self._busy:
            return

    async def on_partitions_assigned(self, assigned: object) -> None:
        return
