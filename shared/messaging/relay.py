"""Carries the outbox to Kafka: one relay at a time per database, in order per aggregate, never losing an event.

A round is one Kafka transaction under the database's transactional id: a relay that lost the lead without knowing it
is fenced off by its successor, so what it still had in flight can never land behind newer events. A crash between the
commit and the delete sends events twice; consumers dedupe by `ce_id`. See docs/architecture/messaging.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Never

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import CorruptRecordException, KafkaError, MessageSizeTooLargeError
from sqlalchemy.engine import make_url

from shared import telemetry
from shared.messaging import kafka, outbox
from shared.messaging.envelope import kafka_headers
from shared.messaging.faults import describe
from shared.messaging.outbox import Row

log = structlog.get_logger()

LOCK_KEY = 0x6F7574626F78  # "outbox"
BATCH = 1_000
BLOCKED_FOR_S = 5.0
MIN_BACKOFF_S = 0.1
MAX_BACKOFF_S = 5.0
STALE_S = 30.0
PUBLISH_WITHIN_S = 12.0
STOP_WITHIN_S = 3.0
MEASURE_EVERY_S = 1.0
FAULTS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, KafkaError, TimeoutError)
REFUSALS = (MessageSizeTooLargeError, CorruptRecordException)


class Relay:
    """Runs until cancelled. Holds a PostgreSQL advisory lock while it relays; a second relay waits for the lock.

    `frozen_after_s`: the database ends the session, and with it the lead, of a relay that was silent for so long.
    """

    def __init__(
        self, dsn: str, kafka_url: str, *, service: str, poll_s: float = 1.0, frozen_after_s: float = 60.0
    ) -> None:
        self._dsn = dsn.replace("+asyncpg", "")
        self._kafka_url = kafka_url
        self._service = service
        self._poll_s = poll_s
        self._frozen_after_s = frozen_after_s
        self._wake = asyncio.Event()
        self._blocked: dict[str, float] = {}
        self._batch = BATCH
        self._backoff_s = MIN_BACKOFF_S
        self._ended = False
        self.oldest_s = 0.0
        self.leading = False
        self.fault: str | None = "starting"

    def problem(self) -> str | None:
        """None when events flow, else one sentence (readiness)."""
        if self._ended:
            return "the relay ended"
        if self.oldest_s > STALE_S or (self.leading and self.fault):
            return f"oldest event waits {self.oldest_s:.0f} s; {self.fault or 'relaying'}"
        return None

    async def flows(self) -> str | None:
        """A readiness check."""
        return self.problem()

    async def run(self) -> None:
        """Connect, take the lock, relay; on a fault of the database or the broker back off and start over.

        Both clients are made anew after a fault: a producer that gave up on a batch has a gap in its sequence.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._measure())
                tasks.create_task(self._relay())
        finally:
            self._ended = True

    async def _relay(self) -> Never:
        while True:
            try:
                async with self._connected() as connection:
                    await self._lead(connection)
                    async with self._producing() as producer:
                        await self._go_round(connection, producer)
            except Exception as error:  # noqa: BLE001 whatever the clients raise, events must flow again after it
                self.fault = type(error).__name__
                log.warning("relay_fault", service=self._service, error=self.fault, detail=describe(error)[:200])
                await asyncio.sleep(self._backoff_s)
                self._backoff_s = min(self._backoff_s * 2, MAX_BACKOFF_S)
            finally:
                self.leading = False

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncpg.Connection]:
        # Keepalives give the lock free soon after this host vanished; the limits do when only this process froze: between
        # two statements, or (PostgreSQL 17) in the middle of one, where a session does not count as idle.
        watched = {
            "application_name": f"{self._service}-relay",
            "tcp_keepalives_idle": "10",
            "tcp_keepalives_interval": "5",
            "tcp_keepalives_count": "3",
            "idle_session_timeout": str(int(self._frozen_after_s * 1000)),
            "transaction_timeout": str(int(self._frozen_after_s * 1000)),
        }
        connection = await asyncpg.connect(self._dsn, timeout=10, command_timeout=30, server_settings=watched)
        try:
            await connection.add_listener(outbox.CHANNEL, lambda *_: self._wake.set())
            yield connection
        finally:
            with contextlib.suppress(*FAULTS):
                await connection.close(timeout=5)

    @contextlib.asynccontextmanager
    async def _producing(self) -> AsyncIterator[AIOKafkaProducer]:
        producer = kafka.producer(
            self._kafka_url,
            linger_ms=1,
            client_id=f"{self._service}-outbox",
            transactional_id=f"outbox-{make_url(self._dsn).database}",
        )
        try:
            async with asyncio.timeout(PUBLISH_WITHIN_S):
                await producer.start()
            yield producer
        finally:
            with contextlib.suppress(*FAULTS):
                async with asyncio.timeout(STOP_WITHIN_S):
                    await producer.stop()

    async def _lead(self, connection: asyncpg.Connection) -> None:
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK_KEY):
            self.fault = None
            await asyncio.sleep(self._poll_s)
        self.leading = True
        log.info("relay_leads", service=self._service)

    async def _go_round(self, connection: asyncpg.Connection, producer: AIOKafkaProducer) -> Never:
        while True:
            self._wake.clear()
            relayed = await self._round(connection, producer)
            self._backoff_s, self.fault = MIN_BACKOFF_S, None
            if not relayed:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._poll_s)

    async def _measure(self) -> None:
        """On a connection of its own and in every relay: a stuck or absent leader is what the age is there to show."""
        while True:
            try:
                async with self._connected() as connection:
                    while True:
                        count, self.oldest_s = await outbox.depth(connection)
                        telemetry.OUTBOX_AGE_S.labels(self._service).set(self.oldest_s)
                        telemetry.OUTBOX_DEPTH.labels(self._service).set(count)
                        await asyncio.sleep(MEASURE_EVERY_S)
            except Exception as error:  # noqa: BLE001 as above: a relay that ended is worse than one that tries again
                log.warning("outbox_unmeasured", service=self._service, error=type(error).__name__)
                await asyncio.sleep(MAX_BACKOFF_S)

    async def _round(self, connection: asyncpg.Connection, producer: AIOKafkaProducer) -> int:
        """Send what waits in one transaction, commit it, then delete it here. Returns how many events that were."""
        now = time.monotonic()
        self._blocked = {aggregate: until for aggregate, until in self._blocked.items() if until > now}
        rows = await outbox.waiting(connection, list(self._blocked), self._batch)
        if not rows:
            return 0
        try:
            sent = await self._publish(producer, rows)
        except REFUSALS:
            # The broker refused a batch of several records: look for the culprit in ever smaller rounds.
            if len(rows) == 1:
                self._block(rows[0])
            self._batch = max(1, len(rows) // 8)
            raise
        await outbox.delete(connection, sent)
        self._batch = min(BATCH, self._batch * 2)
        return len(sent)

    async def _publish(self, producer: AIOKafkaProducer, rows: list[Row]) -> list[int]:
        """All or nothing, in id order. What is too large to send is left out, with all of its aggregate behind it."""
        async with asyncio.timeout(PUBLISH_WITHIN_S):
            await producer.begin_transaction()
            try:
                sending = {row.id: sent for row in rows if (sent := await self._send(producer, row)) is not None}
                await asyncio.gather(*sending.values())
                await producer.commit_transaction()
            except asyncio.CancelledError:
                await _abort(producer)
                raise
            except AssertionError as error:
                raise KafkaError(f"the transaction ended meanwhile: {error}") from error
        return list(sending)

    async def _send(self, producer: AIOKafkaProducer, row: Row) -> asyncio.Future[object] | None:
        if row.aggregate_id in self._blocked:
            return None
        try:
            sent: asyncio.Future[object] = await producer.send(
                row.topic, row.payload, key=row.key.encode(), headers=kafka_headers(row.headers)
            )
        except REFUSALS:
            self._block(row)
            return None
        return sent

    def _block(self, row: Row) -> None:
        """For a while nothing of this aggregate is sent, lest a later event overtake; the others go on."""
        self._blocked[row.aggregate_id] = time.monotonic() + BLOCKED_FOR_S
        telemetry.OUTBOX_FAILURES.labels(self._service).inc()
        log.error("relay_blocked", service=self._service, outbox_id=row.id, topic=row.topic)


async def _abort(producer: AIOKafkaProducer) -> None:
    """Readers of committed records wait at an open transaction, so it is not left to its timeout."""
    with contextlib.suppress(*FAULTS, AssertionError):
        async with asyncio.timeout(STOP_WITHIN_S):
            await producer.abort_transaction()
