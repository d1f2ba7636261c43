"""Alerts to Kafka, many at a time: batches built by hand, one round of acknowledgements, metrics once a batch."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeAlias
from uuid import UUID

import numpy as np

from services.matching.alerts import columns
from services.matching.alerts.wire import AlertWriter
from services.matching.engine.bits import KIND_BITS, to_ms, to_us
from services.matching.engine.engine import Engine
from services.matching.engine.matches import CAUSES
from services.matching.engine.tables import I64, Rows
from shared import telemetry
from shared.clock import Clock
from shared.geo import District
from shared.messaging import tracing
from shared.messaging.record_batches import ZSTD, ReadyBatch, packed

AT_ONCE = 4_000  # a batch or two for each partition
COUNTERS = {bit: [telemetry.ALERTS.labels(kind, cause) for cause in CAUSES] for kind, bit in KIND_BITS.items()}
TALLIED = (max(COUNTERS) + 1) * len(CAUSES)
Acknowledged: TypeAlias = asyncio.Future[Any]
NO_FIXES: I64 = np.zeros(0, np.int64)


class Sending(Protocol):
    """As BatchProducer does."""

    def send(self, batches: Sequence[tuple[int, ReadyBatch]]) -> Sequence[Acknowledged]: ...
    async def room(self) -> None: ...


class AlertPublisher:
    """Turns an engine's matches into acknowledged alerts. Not for two callers at a time."""

    def __init__(self, engine: Engine, broker: Sending, where: District, clock: Clock) -> None:
        self._engine, self._broker, self._clock = engine, broker, clock
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
            waiting += await self._send(piece, received_us)
        await asyncio.gather(*waiting)

    async def begin(self, matches: Rows, received_us: I64) -> Acknowledged:
        """As `publish`, but it returns when all are on their way; what it returns is done when every alert is acknowledged."""
        waiting = await self._send(matches, received_us)
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
        """On their way, to be awaited. The broker sets the pace.

        alerts.v1 has as many partitions as locations.v1 and the same key, so an alert goes where its citizen is.
        """
        sent: list[Acknowledged] = []
        for first in range(0, len(matches), AT_ONCE):
            piece, now = matches[first : first + AT_ONCE], self._clock()
            written = self._writer.write(piece, received_us, now, tracing.current_headers())
            sent += self._broker.send(
                [
                    (partition, ReadyBatch(packed(records), alerts, to_ms(now), ZSTD))
                    for partition, records, alerts in written
                ]
            )
            columns.tally(piece, self._engine.postings.table.rows, self._sent)
            await self._broker.room()
        return sent

    def _acknowledged(self, matches: Rows, received_us: I64) -> None:
        if len(matches) and len(received_us):
            telemetry.FIX_TO_ALERT_S.observe((to_us(self._clock()) - min(received_us.tolist())) / 1e6)


def _failed(done: Acknowledged) -> bool:
    return done.cancelled() or done.exception() is not None
