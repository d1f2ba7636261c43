"""Changes of postings and of watches, as the state topics bring them: taken over by the engine, the index and the erasure alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from uuid import UUID

import structlog
from aiokafka import ConsumerRecord

from services.matching.alerts.publisher import AlertPublisher
from services.matching.engine.engine import Engine
from services.matching.engine.erasure import Erasure
from services.matching.engine.restoring import event_of
from services.matching.engine.shares import Shares
from services.matching.engine.tables import Rows
from shared.clock import Clock
from shared.contracts import Event, Posting, Watch

log = structlog.get_logger()

TOGETHER = 25  # the alerts of these leave before the next are looked at
PREPARED_AT_ONCE = 2_000  # as long as the engine has them as objects still


class Changes:
    """One caller at a time, as for the engine."""

    def __init__(self, engine: Engine, shares: Shares, erasure: Erasure, alerts: AlertPublisher, clock: Clock) -> None:
        self._engine, self._shares, self._erasure, self._alerts, self._clock = engine, shares, erasure, alerts, clock

    def restore(self, event: Event, partition: int, now: datetime) -> None:
        """Taken over; nobody is looked at yet."""
        if isinstance(event, Posting):
            self._note(event, partition)
            self._engine.put_posting(event, now, look=False)
            self._alerts.prepare(PREPARED_AT_ONCE)
        elif isinstance(event, Watch):
            self._watch(event, partition, now)
            self._engine.put_watch(event, partition, now, look=False)

    def apply(self, records: Iterable[ConsumerRecord]) -> Iterator[Rows]:
        """In the order of the log, what is to be told, in pieces. Different postings in a row are looked at together."""
        opened: dict[UUID, Posting] = {}
        for record in records:
            event = event_of(record)
            if event is None:
                log.error("state_ignored", topic=record.topic, partition=record.partition, offset=record.offset)
                continue
            more = isinstance(event, Posting) and event.id not in opened and len(opened) < TOGETHER
            if opened and not more:
                yield from self._engine.put_postings(list(opened.values()), self._clock())
                opened.clear()
            if isinstance(event, Posting):
                self._note(event, record.partition)
                opened[event.id] = event
            elif isinstance(event, Watch):
                now = self._clock()
                self._watch(event, record.partition, now)
                yield self._engine.put_watch(event, record.partition, now)
        yield from self._engine.put_postings(list(opened.values()), self._clock())

    def _note(self, posting: Posting, partition: int) -> None:
        self._shares.posting(partition, posting)
        if posting.status == "closed":
            self._alerts.forget(posting.id)

    def _watch(self, watch: Watch, partition: int, now: datetime) -> None:
        if not watch.located and watch.consent_epoch > 0:  # who never consented has nothing to be forgotten
            self._shares.withdrawn(partition, watch.citizen_id)
            self._erasure.withdrawn(watch, partition, now)
