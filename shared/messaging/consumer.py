"""The consumer boundary: each event takes effect once, a bad one goes to the dead letters, the stream goes on.

What a poll brought is one transaction: mark the events as seen, run the handlers, commit, then commit the offsets. If
anything in it fails it is taken apart: by partition, and in the partition at fault record by record, with bounded backoff,
then dead-lettered. A fault of the infrastructure is nobody's bad event: the work is repeated until it passes.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from sqlalchemy.ext.asyncio import AsyncConnection

from shared import telemetry
from shared.clock import Clock, utc_now
from shared.contracts import Event
from shared.database import Database
from shared.messaging import dead_letters, kafka, processed
from shared.messaging.envelope import BadRecordError, Envelope, is_tombstone, open_envelope, text_headers
from shared.messaging.faults import describe, is_infrastructure
from shared.messaging.progress import Progress
from shared.messaging.tracing import consuming
from shared.settings import PlatformSettings

log = structlog.get_logger()

MIN_BACKOFF_S = 0.2
MAX_BACKOFF_S = 5.0
POLL_MS = 200
STOP_WITHIN_S = 8.0
MUCH = 1_000  # records in one poll: a whole district was told at once, or somebody has fallen behind


@dataclass(frozen=True)
class Unit:
    """What a handler works with: the transaction (never commit it) and the time."""

    tx: AsyncConnection
    now: datetime


Handler = Callable[[Sequence[Any], Unit], Awaitable[None]]
Handlers = Mapping[type[Event], Handler]
_Batches = Mapping[TopicPartition, list[ConsumerRecord]]


class Halted(Exception):  # noqa: N818
    """Too many dead letters: the fault is probably ours, so nothing more is given up until somebody has looked."""


class Interrupted(Exception):  # noqa: N818
    """Told to stop, or the partition went to another member: what is not committed will be read again."""


@dataclass(frozen=True)
class _Clients:
    consumer: AIOKafkaConsumer
    producer: AIOKafkaProducer


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
        gather_s: float = 0.0,
        remembers: bool = True,
    ) -> None:
        """`gather_s` lets records gather between two polls where nobody waits; `remembers` is False where the handlers' own
        keys recognise what comes again."""
        self._settings, self._database, self._group, self._clock = settings, database, group, clock
        self._gather_s, self._remembers = gather_s, remembers
        self._topics, self._handlers, self._max_records = list(topics), handlers, max_records
        self._stopping, self._busy = asyncio.Event(), asyncio.Lock()
        self._limit = dead_letters.Limit(settings.dead_letters_per_minute, settings.dead_letters_in_a_row)
        self.progress = Progress(group, stale_after_s=settings.stale_after_s)

    def stop(self) -> None:
        """Finish the transaction in hand, commit, leave the group."""
        self._stopping.set()

    async def run(self) -> None:
        """Consume until stopped. On a broker fault reconnect with backoff; when halted, stay up, unready, for a look."""
        backoff_s = MIN_BACKOFF_S
        while not self._stopping.is_set():
            try:
                await self._session()
                backoff_s = MIN_BACKOFF_S
            except Halted as halted:
                self.progress.halt(str(halted))
                log.error("consumer_halted", group=self._group, reason=str(halted))
                await self._stopping.wait()
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning(
                    "consumer_fault", group=self._group, error=type(error).__name__, detail=describe(error)[:200]
                )
                backoff_s = await self._pause(backoff_s)

    async def _session(self) -> None:
        clients = _Clients(
            kafka.consumer(self._settings.kafka_url, group=self._group, max_records=self._max_records),
            dead_letters.producer(self._settings.kafka_url, client_id=f"{self._group}-dead-letters"),
        )
        clients.consumer.subscribe(self._topics, listener=_LetTheBatchEnd(self._busy))
        try:
            await clients.consumer.start()
            await clients.producer.start()
            while not self._stopping.is_set():
                batches = await self._poll(clients.consumer)
                if batches:
                    async with self._busy:
                        await self._all_of(clients, batches)
                self.progress.seen(clients.consumer)
                if self._gather_s and 0 < sum(map(len, batches.values())) < self._max_records:
                    await self._pause(self._gather_s)
        except Interrupted:
            return
        finally:
            await _close(clients)

    async def _poll(self, consumer: AIOKafkaConsumer) -> _Batches:
        """What is there; if one partition alone fills a poll, as much of each of the others too, so that none waits for it."""
        batches: dict[TopicPartition, list[ConsumerRecord]] = await consumer.getmany(timeout_ms=POLL_MS)
        if sum(map(len, batches.values())) >= self._max_records:
            for partition in consumer.assignment() - batches.keys():
                batches |= await consumer.getmany(partition, timeout_ms=0)
        return batches

    async def _all_of(self, clients: _Clients, batches: _Batches) -> None:
        """One wait for the disk and one for the broker, however many partitions; each keeps its order within.

        With much to do each partition has a transaction of its own: while the database works on one, the next is read.
        """
        if len(batches) > 1 and sum(map(len, batches.values())) >= MUCH:
            apart = (self._all_of(clients, {partition: records}) for partition, records in batches.items())
            for outcome in await asyncio.gather(*apart, return_exceptions=True):
                if isinstance(outcome, BaseException):
                    raise outcome
            return
        if not await self._took(clients, batches):
            for partition, records in batches.items():
                if not await self._took(clients, {partition: records}):
                    await self._one_by_one(clients, partition, records)
        await self._commit(clients.consumer, {p: records[-1].offset + 1 for p, records in batches.items()})

    async def _took(self, clients: _Clients, batches: _Batches) -> bool:
        """Whether all of it took effect in one transaction (a topic). Else some record of it is bad, and none of it did."""
        try:
            for topic, records in _by_topic(batches).items():
                opened = [envelope for record in records if (envelope := self._open(record)) is not None]
                await self._patiently(clients, batches, partial(self._effect, opened, topic))
        except (Interrupted, Halted):
            raise
        except Exception as error:
            if is_infrastructure(error):
                raise
            return False
        self._limit.succeeded()
        return True

    async def _one_by_one(self, clients: _Clients, partition: TopicPartition, records: list[ConsumerRecord]) -> None:
        for record in records:
            await self._settle(clients, partition, record)
            self.progress.settled()

    async def _settle(self, clients: _Clients, partition: TopicPartition, record: ConsumerRecord) -> None:
        """Handle one record, or give it up after the last try; then what was settled stays settled."""
        wait_s = self._settings.retry_backoff_s
        for attempt in itertools.count(1):
            try:
                envelope = self._open(record)
                await self._patiently(
                    clients, {partition}, partial(self._effect, [envelope] if envelope else [], record.topic)
                )
                self._limit.succeeded()
                return
            except (Interrupted, Halted):
                raise
            except Exception as error:
                if is_infrastructure(error):
                    raise
                if attempt >= self._settings.retry_attempts or isinstance(error, BadRecordError):
                    await self._give_up(clients, partition, record, error, attempts=attempt)
                    await self._commit(clients.consumer, {partition: record.offset + 1})
                    return
            wait_s = await self._pause(wait_s)

    def _open(self, record: ConsumerRecord) -> Envelope | None:
        """None for what is not to be handled: a tombstone, or a replay for another group."""
        headers = text_headers(record)
        if is_tombstone(record) or not dead_letters.is_for(headers, self._group):
            return None
        return open_envelope(record, headers)

    async def _patiently(
        self, clients: _Clients, partitions: Iterable[TopicPartition], work: Callable[[], Awaitable[None]]
    ) -> None:
        """Repeat over faults of the infrastructure, however long they last, while the partitions are ours."""
        backoff_s = MIN_BACKOFF_S
        while not self._stopping.is_set() and clients.consumer.assignment().issuperset(partitions):
            try:
                return await work()
            except Exception as error:
                if not is_infrastructure(error):
                    raise
                log.warning("batch_waits", group=self._group, error=type(error).__name__, detail=describe(error)[:200])
                self.progress.waiting()
            backoff_s = await self._pause(backoff_s)
        raise Interrupted

    async def _effect(self, envelopes: Sequence[Envelope], topic: str) -> None:
        """One transaction: what this group has not seen yet takes effect, in order, runs of one type together."""
        if not envelopes:
            return
        with consuming(topic, self._group, envelopes):
            async with self._database.transaction() as tx:
                ids = {envelope.id for envelope in envelopes}
                fresh = await processed.unseen(tx, self._group, [*ids]) if self._remembers else ids
                unit = Unit(tx, self._clock())
                chosen = [e.data for e in {e.id: e for e in reversed(envelopes)}.values() if e.id in fresh][::-1]
                for model, events in itertools.groupby(chosen, key=type):
                    handler = self._handlers.get(model)
                    if handler is not None:
                        await handler(list(events), unit)
        telemetry.CONSUMED.labels(self._group, topic, "handled").inc(len(envelopes))

    async def _give_up(
        self, clients: _Clients, partition: TopicPartition, record: ConsumerRecord, error: Exception, *, attempts: int
    ) -> None:
        place = f"{record.topic}/{record.partition}/{record.offset}"
        if not self._limit.allows():
            raise Halted(f"{self._limit.broken}; last at {place}: {type(error).__name__}")
        told: dict[str, Any] = {"group": self._group, "error": error, "attempts": attempts, "now": self._clock()}
        await self._patiently(clients, {partition}, partial(dead_letters.send, clients.producer, record, **told))
        telemetry.DEAD_LETTERED.labels(self._group, record.topic).inc()
        log.error("dead_letter", group=self._group, at=place, error=type(error).__name__)

    async def _commit(self, consumer: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int]) -> None:
        """A partition lost meanwhile is its new owner's; what it repeats is recognised by event id."""
        try:
            await consumer.commit(dict(offsets))
        except (CommitFailedError, IllegalStateError) as error:
            log.warning("commit_refused", group=self._group, topics=self._topics, error=type(error).__name__)
        self.progress.settled()

    async def _pause(self, seconds: float) -> float:
        """Wait, unless told to stop meanwhile; returns how long to wait the next time."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        return min(seconds * 2, MAX_BACKOFF_S)


def _by_topic(batches: _Batches) -> dict[str, list[ConsumerRecord]]:
    found: dict[str, list[ConsumerRecord]] = {}
    for partition, records in batches.items():
        found.setdefault(partition.topic, []).extend(records)
    return found


async def _close(clients: _Clients) -> None:
    """Leave the group. A broker that is gone cannot be told, and is not waited for."""
    try:
        async with asyncio.timeout(STOP_WITHIN_S):
            await clients.producer.stop()
            await clients.consumer.stop()
    except (KafkaError, TimeoutError) as error:
        log.warning("consumer_left_untold", error=type(error).__name__)


class _LetTheBatchEnd(ConsumerRebalanceListener):  # type: ignore[misc]
    """A rebalance waits for the batch in hand, so that its offsets are committed by the member that handled it."""

    def __init__(self, busy: asyncio.Lock) -> None:
        self._busy = busy

    async def on_partitions_revoked(self, revoked: object) -> None:
        async with self._busy:
            return

    async def on_partitions_assigned(self, assigned: object) -> None:
        return
