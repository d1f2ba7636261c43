"""Alerts to Kafka, many at a time: batches built by hand, one round of acknowledgements, metrics once a batch."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from aiokafka import AIOKafkaProducer

from services.matching.alerts.wire import AlertWriter, Record
from services.matching.engine.engine import Engine, Match
from services.matching.index.domain import dong_name
from shared import telemetry
from shared.clock import Clock
from shared.contracts import Posting, Watch
from shared.contracts.alert import ALERTS, Cause
from shared.geo import District
from shared.messaging import tracing

AT_ONCE = 10_000


class AlertPublisher:
    """Turns an engine's matches into acknowledged alerts. Not for two callers at a time."""

    def __init__(self, engine: Engine, producer: AIOKafkaProducer, where: District, clock: Clock) -> None:
        self._engine, self._producer, self._where, self._clock = engine, producer, where, clock
        self._writer = AlertWriter()
        self._dongs: dict[int, tuple[int, str | None]] = {}

    async def publish(self, matches: Sequence[Match], received_at: Sequence[datetime] = ()) -> None:
        """Await every acknowledgement: an alert that Kafka took is thereby remembered (engine.replay.alerted).

        `received_at` says when each fix of the batch came in, for those matches that name one. A posting may concern every
        resident, so that no more than `AT_ONCE` alerts are held as bytes at a time.
        """
        for first in range(0, len(matches), AT_ONCE):
            await self._publish(matches[first : first + AT_ONCE], received_at)

    async def _publish(self, matches: Sequence[Match], received_at: Sequence[datetime]) -> None:
        now = self._clock()
        by_partition: dict[int, list[Record]] = {}
        counted: Counter[tuple[str, Cause]] = Counter()
        partitions = self._engine.citizens.table.rows["partition"]
        stamps = _Stamps(now)
        for match in matches:
            watch, posting = self._engine.citizens.watches[match.citizen], self._engine.postings.current[match.posting]
            if watch is None or posting is None:
                continue
            caused = received_at[match.fix] if match.fix >= 0 else _caused(match.cause, posting, watch, now)
            dong = self._dong(match.posting, posting)
            record = self._writer.record(
                match, posting, watch, dong=dong, caused_at=stamps.of(caused), now=now, made_at=stamps.now
            )
            by_partition.setdefault(int(partitions[match.citizen]), []).append(record)
            counted[posting.kind, match.cause] += 1
        await asyncio.gather(*(self._send(partition, records) for partition, records in by_partition.items()))
        for (kind, cause), count in counted.items():
            telemetry.ALERTS.labels(kind, cause).inc(count)
        if received_at:
            telemetry.FIX_TO_ALERT_S.observe((self._clock() - min(received_at)).total_seconds())

    def forget(self, posting_id: UUID) -> None:
        """A posting that closed is not told of any more."""
        self._writer.forget(posting_id)

    async def _send(self, partition: int, records: list[Record]) -> None:
        """alerts.v1 has as many partitions as locations.v1 and the same key, so an alert goes where its citizen is."""
        trace = tracing.current_headers()
        acknowledged = []
        batch = self._producer.create_batch()
        for key, value, headers in records:
            headers = [*headers, *trace] if trace else headers
            if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
                acknowledged.append(await self._producer.send_batch(batch, ALERTS.name, partition=partition))
                batch = self._producer.create_batch()
                batch.append(key=key, value=value, timestamp=None, headers=headers)
        acknowledged.append(await self._producer.send_batch(batch, ALERTS.name, partition=partition))
        await asyncio.gather(*acknowledged)

    def _dong(self, row: int, posting: Posting) -> str | None:
        """The 동 of the posting's place (never the citizen's), found once per version."""
        known = self._dongs.get(row)
        if known is None or known[0] != posting.version:
            known = self._dongs[row] = posting.version, dong_name(posting, self._where)
        return known[1]


class _Stamps:
    """Times as JSON, written once each: a batch has thousands of alerts and few distinct times."""

    def __init__(self, now: datetime) -> None:
        self.now = b'"%s"' % now.isoformat().encode()
        self._known: dict[datetime, bytes] = {}

    def of(self, at: datetime) -> bytes:
        text = self._known.get(at)
        if text is None:
            text = self._known[at] = b'"%s"' % at.isoformat().encode()
        return text


def _caused(cause: Cause, posting: Posting, watch: Watch, now: datetime) -> datetime:
    return {"posting_changed": posting.changed_at, "watch_changed": watch.changed_at}.get(cause, now)
