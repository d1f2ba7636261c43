"""Alerts to Kafka, many at a time: batches built by hand, one round of acknowledgements, metrics once a batch."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import numpy as np
from aiokafka import AIOKafkaProducer

from services.matching.alerts import columns
from services.matching.alerts.wire import AlertWriter
from services.matching.engine.bits import KIND_BITS, to_ms, to_us
from services.matching.engine.engine import Engine
from services.matching.engine.matches import CAUSES
from services.matching.engine.tables import I64, Rows
from shared import telemetry
from shared.clock import Clock
from shared.contracts.alert import ALERTS
from shared.geo import District
from shared.messaging import tracing
from shared.messaging.record_batches import ZSTD, ReadyBatch, packed

AT_ONCE = (
    4_000  # a batch for each partition: they leave in one request, and the next are made while the broker takes them
)
HANDED_ON, MUCH = (
    4,
    200,
)  # turns of the event loop until the client has written a request; what few take the next can wait for
COUNTERS = {bit: [telemetry.ALERTS.labels(kind, cause) for cause in CAUSES] for kind, bit in KIND_BITS.items()}
TALLIED = (max(COUNTERS) + 1) * len(CAUSES)
Acknowledged = asyncio.Future[Any]
NO_FIXES: I64 = np.zeros(0, np.int64)


class AlertPublisher:
    """Turns an engine's matches into acknowledged alerts. Not for two callers at a time."""

    def __init__(self, engine: Engine, producer: AIOKafkaProducer, where: District, clock: Clock) -> None:
        self._engine, self._producer, self._clock = engine, producer, clock
        self._writer = AlertWriter(engine, where)
        self._prepared = 0
        self._sent: I64 = np.zeros(TALLIED, np.int64)

    async def publish(self, matches: Rows, received_us: I64 = NO_FIXES) -> None:
        """Await every acknowledgement: an alert that Kafka took is thereby remembered (engine.replay.alerted).

        `received_us` says when each fix of the batch came in, for those matches that name one.
        """
        await self.publish_each([matches], received_us)
        self._acknowledged(matches, received_us)

    async def publish_each(self, pieces: Iterable[Rows], received_us: I64 = NO_FIXES) -> None:
        """The same for what is found piece by piece: the first leave while the others are being found."""
        waiting: list[Acknowledged] = []
        for piece in pieces:
            for first in range(0, len(piece), AT_ONCE):
                some = piece[first : first + AT_ONCE]
                waiting += await self._send(some, received_us)
                for _ in range(HANDED_ON if len(some) >= MUCH else 0):
                    await asyncio.sleep(0)
        await asyncio.gather(*waiting)

    async def begin(self, matches: Rows, received_us: I64) -> Acknowledged:
        """As `publish`; done when every alert is acknowledged. Few are with the client when this returns: a task of their own
        would cost them more than their way there.
        """
        if len(matches) >= MUCH:
            return asyncio.ensure_future(self.publish(matches, received_us))
        waiting = await self._send(matches, received_us) if len(matches) else []
        every = waiting[0] if len(waiting) == 1 else asyncio.gather(*waiting)
        every.add_done_callback(lambda done: None if _failed(done) else self._acknowledged(matches, received_us))
        return every

    def prepare(self, at_least: int = 1) -> None:
        """Encode what postings tell before the first alert of each is waited for, once there are so many new ones."""
        size = self._engine.postings.table.size
        if size - self._prepared >= at_least:
            self._writer.prepare(np.arange(self._prepared, size), self._clock())
            self._prepared = size

    def forget(self, posting_id: UUID) -> None:
        """A posting that closed is not told of any more."""
        self._writer.forget(self._engine.postings.row(posting_id))

    def report(self) -> None:
        """What was sent since the last call, to the counters."""
        for code in np.flatnonzero(self._sent).tolist():
            bit, cause = divmod(code, len(CAUSES))
            COUNTERS[bit][cause].inc(int(self._sent[code]))
        self._sent[:] = 0

    async def _send(self, matches: Rows, received_us: I64) -> list[Acknowledged]:
        """On their way, to be awaited. A partition has at most one batch waiting and one at the broker, which sets the pace.

        alerts.v1 has as many partitions as locations.v1 and the same key, so an alert goes where its citizen is.
        """
        by_partition: dict[int, deque[ReadyBatch]] = {}
        for partition, records, alerts in self._writer.write(
            matches, received_us, now := self._clock(), tracing.current_headers()
        ):
            ready = ReadyBatch(packed(records), alerts, to_ms(now), ZSTD)
            by_partition.setdefault(partition, deque()).append(ready)
        columns.tally(matches, self._engine.postings.table.rows, self._sent)
        sent: list[Acknowledged] = []
        while (
            by_partition
        ):  # of each partition one, then of each the next: a second one waits until the first is at the broker
            for partition, batches in by_partition.items():
                sent.append(await self._producer.send_batch(batches.popleft(), ALERTS.name, partition=partition))
            by_partition = {partition: batches for partition, batches in by_partition.items() if batches}
        return sent

    def _acknowledged(self, matches: Rows, received_us: I64) -> None:
        if len(matches) and len(received_us):
            telemetry.FIX_TO_ALERT_S.observe((to_us(self._clock()) - min(received_us.tolist())) / 1e6)


def _failed(done: Acknowledged) -> bool:
    return done.cancelled() or done.exception() is not None
