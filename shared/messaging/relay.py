"""Carries the outbox to Kafka: one relay at a time per database, in order per aggregate, never losing an event.

A crash between produce and delete sends an event twice; consumers dedupe by `ce_id`. See docs/architecture/messaging.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import CorruptRecordException, KafkaError, MessageSizeTooLargeError, TopicAuthorizationFailedError

from shared import telemetry
from shared.messaging import kafka, outbox
from shared.messaging.envelope import kafka_headers
from shared.messaging.outbox import Row

log = structlog.get_logger()

LOCK_KEY = 0x6F7574626F78  # "outbox"
BATCH = 1_000
BLOCKED_FOR_S = 5.0
MAX_BACKOFF_S = 5.0
FAULTS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, KafkaError, TimeoutError)
REFUSALS = (MessageSizeTooLargeError, CorruptRecordException, TopicAuthorizationFailedError)


class Relay:
    """Runs until cancelled. Holds a PostgreSQL advisory lock while it relays; a second relay waits for the lock."""

    def __init__(self, dsn: str, kafka_url: str, *, service: str, poll_s: float = 1.0) -> None:
        self._dsn = dsn.replace("+asyncpg", "")
        self._kafka_url = kafka_url
        self._service = service
        self._poll_s = poll_s
        self._wake = asyncio.Event()
        self._blocked: dict[str, float] = {}
        self._measured_at = 0.0
        self.oldest_s = 0.0
        self.leading = False
        self.fault: str | None = "starting"

    async def run(self) -> None:
        """Connect, take the lock, relay; on a fault of the database or the broker back off and start over.

        Both clients are made anew after a fault: a producer that gave up on a batch may have a gap in its sequence.
        """
        backoff_s = 0.1
        while True:
            try:
                async with self._connected() as connection, self._producing() as producer:
                    await self._lead(connection)
                    async for _ in self._rounds(connection, producer):
                        backoff_s, self.fault = 0.1, None
            except FAULTS as error:
                self.fault = type(error).__name__
                log.warning("relay_fault", service=self._service, error=self.fault, detail=str(error)[:200])
                await asyncio.sleep(backoff_s)
                backoff_s = min(backoff_s * 2, MAX_BACKOFF_S)
            finally:
                self.leading = False

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(self._dsn, timeout=10)
        try:
            await connection.add_listener(outbox.CHANNEL, lambda *_: self._wake.set())
            yield connection
        finally:
            with contextlib.suppress(*FAULTS):
                await connection.close(timeout=5)

    @contextlib.asynccontextmanager
    async def _producing(self) -> AsyncIterator[AIOKafkaProducer]:
        producer = kafka.producer(self._kafka_url, linger_ms=1, client_id=f"{self._service}-outbox")
        try:
            await producer.start()
            yield producer
        finally:
            with contextlib.suppress(*FAULTS):
                await producer.stop()

    async def _lead(self, connection: asyncpg.Connection) -> None:
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK_KEY):
            self.fault = None
            await asyncio.sleep(self._poll_s)
        self.leading = True
        log.info("relay_leads", service=self._service)

    async def _rounds(self, connection: asyncpg.Connection, producer: AIOKafkaProducer) -> AsyncIterator[int]:
        while True:
            self._wake.clear()
            relayed = await self.relay_once(connection, producer)
            await self._measure(connection)
            yield relayed
            if not relayed:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._poll_s)

    async def _measure(self, connection: asyncpg.Connection) -> None:
        if time.monotonic() - self._measured_at < 1.0:
            return
        self._measured_at = time.monotonic()
        count, self.oldest_s = await outbox.depth(connection)
        telemetry.OUTBOX_AGE_S.labels(self._service).set(self.oldest_s)
        telemetry.OUTBOX_DEPTH.labels(self._service).set(count)

    async def relay_once(self, connection: asyncpg.Connection, producer: AIOKafkaProducer) -> int:
        """Send what waits, await every acknowledgement, delete what was acknowledged. Returns how many were."""
        now = time.monotonic()
        self._blocked = {aggregate: until for aggregate, until in self._blocked.items() if until > now}
        relayed = 0
        for wave in outbox.waves(await outbox.waiting(connection, list(self._blocked), BATCH)):
            sendable = [row for row in wave if row.aggregate_id not in self._blocked]
            outcomes = await asyncio.gather(*(self._send(producer, row) for row in sendable), return_exceptions=True)
            done = [row.id for row, outcome in zip(sendable, outcomes, strict=True) if outcome is True]
            await outbox.delete(connection, done)
            relayed += len(done)
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome
        return relayed

    async def _send(self, producer: AIOKafkaProducer, row: Row) -> bool:
        """True once acknowledged. What the broker will never take blocks this aggregate for a while, and no other."""
        headers = kafka_headers(row.headers)
        try:
            await (await producer.send(row.topic, row.payload, key=row.key.encode(), headers=headers))
        except REFUSALS as error:
            self._blocked[row.aggregate_id] = time.monotonic() + BLOCKED_FOR_S
            telemetry.OUTBOX_FAILURES.labels(self._service).inc()
            log.error("relay_blocked", service=self._service, outbox_id=row.id, error=type(error).__name__)
            return False
        return True
