"""One life of the engine on Kafka: fixes by consumer group, postings and watches as state, alerts out, offsets last.

The group shares out the partitions of locations.v1. For each partition it is given, the worker restores the citizens
before it takes a fix: watches from their compacted topic, what was alerted from alerts.v1 itself, positions from Redis.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

import numpy as np
import structlog
from aiokafka import TopicPartition
from aiokafka.abc import ConsumerRebalanceListener

from services.matching.alerts.publisher import AlertPublisher
from services.matching.engine import kernel
from services.matching.engine.bits import to_ms
from services.matching.engine.changes import Changes
from services.matching.engine.engine import Engine, Rules
from services.matching.engine.erasure import Erasure
from services.matching.engine.restoring import Restoring, uncollected
from services.matching.engine.shares import Shares
from services.matching.engine.underway import OnItsWay, Underway
from services.matching.positions.wire import decode
from services.matching.settings import Settings
from shared import telemetry
from shared.clock import Clock
from shared.contracts.alert import ALERTS
from shared.contracts.location import LOCATIONS
from shared.contracts.posting import POSTINGS
from shared.geo import District
from shared.messaging import dead_letters, kafka, tracing
from shared.messaging.batch_consumer import BatchConsumer
from shared.messaging.batch_producer import BatchProducer
from shared.messaging.consumer import Halted
from shared.messaging.envelope import BadRecordError
from shared.messaging.partitions import partition_of
from shared.messaging.progress import Progress
from shared.messaging.record_batches import Item, next_offset, opened, to_be_traced
from shared.redis import connect

log = structlog.get_logger()

GROUP = "matching-engine"
POLL_MS = 20
MOST_CHANGES = 5_000
LOOK_EVERY_S = 0.2  # at what waits, and for offsets to be committed
OUTCOMES = [telemetry.FIXES.labels(name) for name in kernel.OUTCOMES]


class Session(ConsumerRebalanceListener):  # type: ignore[misc]
    """One life of the engine: from joining the group to a stop or a fault."""

    def __init__(
        self, settings: Settings, clock: Clock, where: District, progress: Progress, stopping: asyncio.Event
    ) -> None:
        self._settings, self._clock, self._progress, self._stopping = settings, clock, progress, stopping
        rules = Rules(settings.max_accuracy_m, settings.max_speed_m_s, settings.position_ttl_s)
        self._engine = Engine(where, rules)
        self._redis = connect(settings.redis_url)
        self._district = where
        self._shares = Shares(self._redis, where, settings.position_ttl_s, settings.index_check_s)
        self._busy = asyncio.Lock()
        self._owned: set[int] = set()
        self._arriving: set[int] = set()
        self._limit = dead_letters.Limit(settings.dead_letters_per_minute)

    async def run(self) -> None:
        """Postings first, whole; then join the group, and take what comes."""
        self._fixes = kafka.consumer(self._settings.kafka_url, group=GROUP, max_records=self._settings.batch_fixes)
        self._state = kafka.consumer(self._settings.kafka_url, group=None, max_records=MOST_CHANGES)
        self._producer = kafka.producer(self._settings.kafka_url, linger_ms=1, client_id=GROUP)
        self._alerts = AlertPublisher(
            self._engine, BatchProducer(self._producer, ALERTS.name), self._district, self._clock
        )
        self._underway = Underway(self._shares.moved, self._fixes, self._progress)
        self._erasure = Erasure(self._settings.kafka_url, self._fixes)
        self._changes = Changes(self._engine, self._shares, self._erasure, self._alerts, self._clock)
        self._restoring = Restoring(
            self._settings.kafka_url, self._clock, self._engine, self._redis, self._fixes, self._state, self._changes.restore,
            self._progress,
        )  # fmt: skip
        try:
            await self._producer.start()
            # Or the first alert would wait for what the broker says of its topic.
            await self._producer.partitions_for(ALERTS.name)
            self._state.assign([TopicPartition(POSTINGS.name, p) for p in range(POSTINGS.partitions)])
            await self._state.start()
            with uncollected():
                await self._restoring.postings()
            self._engine.postings.cells.pack()
            self._alerts.prepare()
            self._fixes.subscribe([LOCATIONS.name], listener=self)
            await self._fixes.start()
            loops = [
                asyncio.create_task(loop())
                for loop in (self._take_fixes, self._take_state, self._keep_time, self._keep_index)
            ]
            await _first_to_end(loops)
            await self._underway.settle()
            await self._underway.commit()
        finally:
            self._alerts.report()
            await self._underway.abandon()
            for client in (self._fixes, self._state, self._producer):
                await client.stop()
            await self._redis.aclose()

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """The batch in hand is finished and committed before another worker takes over."""
        async with self._settled():
            await self._underway.commit()
            for partition in {p.partition for p in revoked}:
                self._owned.discard(partition)
                self._arriving.discard(partition)
                self._engine.citizens.forget_partition(partition)
                self._shares.forget(partition)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._arriving |= {p.partition for p in assigned}

    async def _welcome(self, arriving: set[int]) -> None:
        """Citizens of newly given partitions: all that is known of them, then whatever they missed meanwhile is told."""
        with uncollected():
            rows = await self._restoring.citizens(arriving)
        gc.collect()
        gc.freeze()  # what was restored stays; only what comes after is worth a collector's look
        self._owned |= arriving
        self._shares.arrived(arriving)
        await self._alerts.publish(self._engine.look_again(rows, self._clock(), "caught_up"))
        await self._alerts.publish_each(self._engine.residents_caught_up(arriving, self._clock()))

    async def _take_fixes(self) -> None:
        looked_at = time.monotonic()
        batches = BatchConsumer(self._fixes)
        while not self._stopping.is_set():
            taken = await batches.take(self._settings.batch_fixes, POLL_MS / 1000)
            async with self._busy:
                if self._arriving:
                    arriving, self._arriving = self._arriving, set()
                    await self._welcome(arriving)
                owned = {tp: items for tp, items in taken.items() if tp.partition in self._owned}
                if owned:
                    items = [item for items in owned.values() for item in items]
                    with tracing.consuming_records(LOCATIONS.name, GROUP, to_be_traced(items)):
                        await self._apply(items, {tp: next_offset(items[-1]) for tp, items in owned.items()})
                else:
                    await self._underway.settle()
            if time.monotonic() - looked_at > LOOK_EVERY_S:
                looked_at = time.monotonic()
                self._underway.commit_soon()
                self._progress.seen(self._fixes)

    async def _apply(self, taken: list[Item], offsets: dict[TopicPartition, int]) -> None:
        """One batch. Its alerts are on their way while the next ones are taken."""
        decoded = decode(taken)
        await self._give_up(taken, decoded.bad)
        matches, outcome = self._engine.take(decoded.fixes, self._clock())
        for code, count in enumerate(np.bincount(outcome).tolist()):
            if count:
                OUTCOMES[code].inc(count)
            if count and code == kernel.REFUSED:
                self._erasure.refused(decoded.fixes, outcome)
        sent = await self._alerts.begin(matches, decoded.fixes.rows["received_us"])
        await self._underway.add(OnItsWay(sent, decoded.fixes, outcome, offsets))

    @asynccontextmanager
    async def _settled(self) -> AsyncIterator[None]:
        """Nothing is changed meanwhile, and nothing that was changed is still to be told."""
        async with self._busy:
            await self._underway.settle()
            yield

    async def _take_state(self) -> None:
        changes = BatchConsumer(self._state)
        while not self._stopping.is_set():
            taken = await changes.take(MOST_CHANGES, LOOK_EVERY_S)
            records = [record for some in taken.values() for record in opened(some)]
            if not records:
                continue
            async with self._settled():  # of who withdraws now no position may be noted later
                with tracing.consuming_records(records[0].topic, GROUP, records):
                    await self._alerts.publish_each(self._changes.apply(records))

    async def _keep_time(self) -> None:
        """Windows that begin, circles that grow and postings that expire by themselves."""
        while not self._stopping.is_set():
            await asyncio.sleep(0.1)
            async with self._busy:
                now = self._clock()
                for posting in self._engine.postings.expired(now):
                    self._shares.expired(partition_of(str(posting.id), POSTINGS.partitions), posting)
                await self._alerts.publish(self._engine.tick(now))
                self._alerts.report()

    async def _keep_index(self) -> None:
        """Write what changed to Redis at once; look every so often whether it is all still there."""
        while not self._stopping.is_set():
            covered = await self._erasure.covered(self._owned)
            await self._shares.write(
                self._owned, to_ms(self._clock()), self._engine, self._settled, hurry=bool(covered)
            )
            await self._erasure.erase(covered)
            telemetry.INDEX_SIZE.labels("postings").set(self._engine.postings.table.size)
            telemetry.INDEX_SIZE.labels("cells").set(self._engine.postings.cells.size)
            telemetry.INDEX_SIZE.labels("citizens").set(self._engine.citizens.table.size)
            telemetry.INDEX_SIZE.labels("pairs").set(self._engine.pairs.used)
            await self._shares.changed()

    async def _give_up(self, taken: list[Item], bad: Sequence[tuple[int, int, str]]) -> None:
        reasons = {(partition, offset): reason for partition, offset, reason in bad}
        for record in opened(taken) if bad else ():
            reason = reasons.get((record.partition, record.offset))
            if reason is None:
                continue
            if not self._limit.allows():
                raise Halted(f"too many bad fixes; last: {reason}")
            error = BadRecordError(reason)
            await dead_letters.send(self._producer, record, group=GROUP, error=error, attempts=1, now=self._clock())
            telemetry.DEAD_LETTERED.labels(GROUP, record.topic).inc()


async def _first_to_end(tasks: list[asyncio.Task[None]]) -> None:
    """All stop together: when told to, or when one of them fails."""
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        task.result()
