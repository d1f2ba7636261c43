"""Whole batches to one topic, sent within the turn of the event loop that made them (Produce v7).

They go out under the identity of an idempotent aiokafka producer, over its connections. aiokafka's own way there is a task that is
woken, drains what waits and makes a task for each request: for few alerts that takes longer than to make them.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition, errors

from shared.messaging.record_batches import ReadyBatch
from shared.messaging.requests import SIZE, ask, connection_to, number_at, text, text_at

log = structlog.get_logger()

PRODUCE = (0, 7)
ALL = -1
HEAD = struct.Struct(">hhi")  # no transaction, whose acknowledgement, within
ANSWER_OF_ONE = struct.Struct(">ihqqq")  # partition, error, offset, when appended, log start
MOST_WAITING = 4  # of a partition: one at the broker, and others that are ready when it answers


class _Sending:
    """A batch with its place in the order of its partition, which it keeps however often it is sent."""

    def __init__(self, batch: ReadyBatch) -> None:
        self.batch = batch
        self.acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.whole: bytes | None = None


class BatchProducer:
    """Of a producer that has started and knows the topic's partitions; nobody else may send to this topic by it.

    Each partition has one batch at the broker at a time. What fails and may be tried again is, with the same sequence number,
    until it is acknowledged: the broker keeps one of it.
    """

    def __init__(self, producer: AIOKafkaProducer, topic: str) -> None:
        self._producer, self._client, self._topic = producer, producer.client, topic
        self._queues: dict[int, deque[_Sending]] = {}
        self._muted: set[int] = set()
        self._waiters: list[asyncio.Future[None]] = []
        self._trying: set[asyncio.Task[None]] = set()

    def send(self, batches: Iterable[tuple[int, ReadyBatch]]) -> list[asyncio.Future[None]]:
        """Batches for partitions, of each partition in order; each future is done when its batch is acknowledged."""
        acknowledged = []
        for partition, batch in batches:
            sending = _Sending(batch)
            self._queues.setdefault(partition, deque()).append(sending)
            acknowledged.append(sending.acknowledged)
        if acknowledged:
            self._leave()
        return acknowledged

    async def room(self) -> None:
        """Until no partition has more batches than can be under way."""
        while any(len(queue) > MOST_WAITING for queue in self._queues.values()):
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    def _leave(self) -> None:
        """The first batch of every partition that has none at the broker, in one request for each broker."""
        leaders: dict[int, list[int]] = {}
        for partition, queue in self._queues.items():
            if queue and partition not in self._muted:
                leader = self._client.cluster.leader_for_partition(TopicPartition(self._topic, partition))
                leaders.setdefault(-1 if leader is None else leader, []).append(partition)
        for node_id, partitions in leaders.items():
            self._muted.update(partitions)
            connection = connection_to(self._client, node_id)
            if connection is None:
                self._try_again(node_id, partitions)
                continue
            within_s = self._producer._request_timeout_ms / 1000
            ask(connection, PRODUCE, self._request(partitions), within_s, partial(self._answered, node_id, partitions))

    def _request(self, partitions: Collection[int]) -> bytes:
        parts = [HEAD.pack(-1, ALL, self._producer._request_timeout_ms), SIZE.pack(1), text(self._topic)]
        parts.append(SIZE.pack(len(partitions)))
        for partition in partitions:
            whole = self._numbered(partition)
            parts += (SIZE.pack(partition), SIZE.pack(len(whole)), whole)
        return b"".join(parts)

    def _numbered(self, partition: int) -> bytes:
        sending, identity = self._queues[partition][0], self._producer._txn_manager
        if sending.whole is None:
            where = TopicPartition(self._topic, partition)
            number = identity.sequence_number(where)
            sending.whole = sending.batch.whole(identity.producer_id, identity.producer_epoch, number)
            identity.increment_sequence_number(where, sending.batch.count)
        return sending.whole

    def _answered(self, node_id: int, partitions: Collection[int], answer: memoryview | errors.KafkaError) -> None:
        if isinstance(answer, errors.KafkaError):
            self._try_again(node_id, partitions, answer)
            return
        refused = self._settled(dict(_acknowledged(answer)))
        if refused:
            self._client.force_metadata_update()
            self._try_again(node_id, refused.keys(), next(iter(refused.values())))
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._leave()

    def _settled(self, told: Mapping[int, int]) -> dict[int, errors.KafkaError]:
        """By partition an error code, or 0: who waits is told. Returns what is to be tried again."""
        refused = {}
        for partition, code in told.items():
            error = errors.for_code(code)
            if error not in (errors.NoError, errors.DuplicateSequenceNumber) and error.retriable:
                refused[partition] = error()
                continue
            self._muted.discard(partition)
            acknowledged = self._queues[partition].popleft().acknowledged
            if acknowledged.done():  # who waited was cancelled
                continue
            if error in (errors.NoError, errors.DuplicateSequenceNumber):
                acknowledged.set_result(None)
            else:
                acknowledged.set_exception(error(f"{self._topic}/{partition}"))
        return refused

    def _try_again(self, node_id: int, partitions: Collection[int], why: errors.KafkaError | None = None) -> None:
        if why is not None and not self._producer._closed:
            log.warning("produce_failed", topic=self._topic, node=node_id, error=type(why).__name__)
        task = asyncio.create_task(self._ready_again(node_id, partitions, why is not None))
        self._trying.add(task)
        task.add_done_callback(self._trying.discard)

    async def _ready_again(self, node_id: int, partitions: Collection[int], failed: bool) -> None:
        if failed:
            await asyncio.sleep(self._client._retry_backoff)
        if self._producer._closed:
            return
        if not await self._client.ready(node_id):
            await asyncio.sleep(self._client._retry_backoff)
        self._muted.difference_update(partitions)
        if not self._producer._closed:
            self._leave()


def _acknowledged(answer: memoryview) -> Iterator[tuple[int, int]]:
    """Of each partition the error code."""
    topics, at = number_at(answer, 0)
    for _ in range(topics):
        _, at = text_at(answer, at)
        partitions, at = number_at(answer, at)
        for _ in range(partitions):
            partition, code, *_ = ANSWER_OF_ONE.unpack_from(answer, at)
            at += ANSWER_OF_ONE.size
            yield partition, code
