"""Whole record batches of Kafka (message format v2), below the objects that aiokafka makes of each record.

For the two topics whose every record would cost more as an object than it costs to handle. Reading stands on the inner parts of
the pinned aiokafka: where a batch is not of the plain kind (transactions, control records, older formats), and wherever
those parts were found otherwise, its own records come out instead.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import zstandard
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition, codec
from aiokafka.consumer.fetcher import FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.util import calc_crc32c

from shared import telemetry
from shared.messaging.fetch_session import remember_fetches

HEADER = struct.Struct(">qiibIhiqqqhii")
AFTER_LENGTH, CRC_AT, CRC_FROM = 12, 17, 21
MAGIC, ZSTD = 2, 4
CODEC_MASK, PLAIN_MASK = 0x07, 0x0F  # of the attributes: the codec and the kind of timestamp; beyond are transactions
LEVEL = 1  # of zstd: a quarter less time than the default, for the same size
# Kept from one batch to the next: making one takes longer than packing a small batch. Not for two threads.
_packing, _unpacking = zstandard.ZstdCompressor(level=LEVEL), zstandard.ZstdDecompressor()


def packed(records: bytes | memoryview) -> bytes:
    """Records for a batch of codec ZSTD."""
    return _packing.compress(records)


def unpacked(section: bytes) -> bytes:
    """Raises CorruptRecordException if that is not one whole frame of zstd."""
    frame = _unpacking.decompressobj()
    try:
        records = frame.decompress(section)
    except zstandard.ZstdError as error:
        raise CorruptRecordException(f"zstd: {error}") from error
    if not frame.eof:
        raise CorruptRecordException("zstd: cut off")
    return records


UNPACK: Mapping[int, Callable[[bytes], bytes]] = {
    0: bytes,
    1: codec.gzip_decode,
    2: codec.snappy_decode,
    3: codec.lz4_decode,
    ZSTD: unpacked,
}


@dataclass(frozen=True)
class RecordBatch:
    """One batch as it was fetched. Records before offset `since` were handled already."""

    partition: TopicPartition
    base_offset: int
    last_offset: int
    since: int
    count: int
    whole: bytes

    def records(self) -> bytes:
        """The section of the records, unpacked. Raises CorruptRecordException if it is not as it was written."""
        _, _, _, _, crc, attributes, *_ = HEADER.unpack_from(self.whole)
        if calc_crc32c(self.whole[CRC_FROM:]) != crc:
            raise CorruptRecordException(f"invalid CRC - {self.partition}")
        return UNPACK[attributes & CODEC_MASK](self.whole[HEADER.size :])

    def opened(self) -> Iterator[ConsumerRecord]:
        """Its records as objects, for the few that must be spoken of one by one."""
        for record in DefaultRecordBatch(self.whole):
            if record.offset >= self.since:
                yield ConsumerRecord(
                    self.partition.topic, self.partition.partition, record.offset, record.timestamp, record.timestamp_type,
                    record.key, record.value, record.checksum, -1, -1, tuple(record.headers),
                )  # fmt: skip


Item: TypeAlias = RecordBatch | ConsumerRecord


def opened(taken: Iterable[Item]) -> Iterator[ConsumerRecord]:
    """Every record by itself."""
    for item in taken:
        if isinstance(item, RecordBatch):
            yield from item.opened()
        else:
            yield item


def to_be_traced(taken: Iterable[Item]) -> list[ConsumerRecord]:
    """Opened only where a trace is kept of them."""
    return list(opened(taken)) if telemetry.traces_are_kept() else []


def next_offset(item: Item) -> int:
    """Where to go on after it."""
    last: int = item.last_offset if isinstance(item, RecordBatch) else item.offset
    return last + 1


class _Batches:
    """Stands where aiokafka keeps the records of a fetch (PartitionRecords) and yields whole batches in their place."""

    def __init__(self, batches: list[RecordBatch], next_fetch_offset: int) -> None:
        self.next_fetch_offset = next_fetch_offset
        self.waiting = batches

    def __iter__(self) -> _Batches:
        return self

    def __next__(self) -> RecordBatch:
        if not self.waiting:
            raise StopIteration
        batch = self.waiting.pop(0)
        self.next_fetch_offset = batch.last_offset + 1
        return batch


def plain_batches(raw: bytes, where: TopicPartition, position: int) -> list[RecordBatch] | None:
    """The batches of a fetched section from `position` on, None if any is of another kind than is read here."""
    found, at = [], 0
    while at + HEADER.size <= len(raw):
        base, length, _, magic, _, attributes, last, *_, count = HEADER.unpack_from(raw, at)
        end = at + AFTER_LENGTH + length
        if magic != MAGIC or attributes & ~PLAIN_MASK or attributes & CODEC_MASK not in UNPACK:
            return None
        if end > len(raw):
            break  # the broker cuts the last one off where the answer is full
        if base + last >= position:
            found.append(RecordBatch(where, base, base + last, position, count, raw[at:end]))
        at = end
    return found


class BatchConsumer:
    """A started consumer's records by batches. Positions, commits and rebalances stay the consumer's own."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self.consumer = consumer
        self._fetched: dict[TopicPartition, tuple[int, bytes]] = {}
        remember_fetches(consumer)
        self._send = consumer._client.send
        consumer._client.send = self._sent

    async def _sent(self, node_id: int, request: Any, **how: Any) -> Any:
        """Keeps what a fetch brought: aiokafka hands on only what it has taken apart."""
        response = await self._send(node_id, request, **how)
        if not isinstance(request, FetchRequest):
            return response
        asked = {(topic, p): offset for topic, parts in request.topics for p, offset, *_ in parts}
        for topic, partitions in response.topics:
            for partition, *_, raw in partitions:
                self._fetched[TopicPartition(topic, partition)] = asked[topic, partition], bytes(raw or b"")
        return response

    async def take(self, most: int, wait_s: float) -> dict[TopicPartition, list[Item]]:
        """What has come, about `most` records of it; waits up to `wait_s` for the first."""
        ends = time.monotonic() + wait_s
        while True:
            batches = self._whole_batches()
            records = sum(batch.count for batch in batches)
            some = max(1, len(batches) * most // records) if records else most
            taken: dict[TopicPartition, list[Item]]
            taken = await self.consumer.getmany(timeout_ms=0, max_records=some)
            left_s = ends - time.monotonic()
            if taken or left_s <= 0:
                return taken
            await self._arrival(left_s)

    async def _arrival(self, at_most_s: float) -> None:
        arrived = self.consumer._fetcher._create_fetch_waiter()
        _, pending = await asyncio.wait([arrived], timeout=at_most_s)
        for waiter in pending:
            waiter.cancel()

    def _whole_batches(self) -> list[RecordBatch]:
        """Puts whole batches in the place of records wherever a fetch has come in; all that wait to be taken."""
        waiting: list[RecordBatch] = []
        for where, result in self.consumer._fetcher._records.items():
            if type(result) is not FetchResult:
                continue
            held = result._partition_records
            if type(held) is PartitionRecords and not held._aborted_transactions and where in self._fetched:
                since, raw = self._fetched.pop(where)
                batches = plain_batches(raw, where, held.next_fetch_offset)
                if batches and since <= held.next_fetch_offset:
                    held._records_iterator.close()  # never begun, it would keep all that was fetched until garbage is collected
                    held = result._partition_records = _Batches(batches, held.next_fetch_offset)
            if type(held) is _Batches:
                waiting += held.waiting
        return waiting


class ReadyBatch:
    """Encoded records as aiokafka's producer takes a batch (BatchBuilder): it sets who produces and asks for the bytes."""

    def __init__(self, records: bytes, count: int, timestamp_ms: int, codec_bits: int) -> None:
        self._records, self._count, self._timestamp_ms, self._codec = records, count, timestamp_ms, codec_bits
        self._producer = (-1, -1, 0)
        self._buffer: bytes | None = None

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._producer = producer_id, producer_epoch, base_sequence

    def _build(self) -> bytes:
        if self._buffer is None:
            length = HEADER.size - AFTER_LENGTH + len(self._records)
            stamp = self._timestamp_ms
            head = bytearray(
                HEADER.pack(
                    0, length, -1, MAGIC, 0, self._codec, self._count - 1, stamp, stamp, *self._producer, self._count
                )
            )
            whole = head + self._records
            struct.pack_into(">I", whole, CRC_AT, calc_crc32c(whole[CRC_FROM:]))
            self._buffer = bytes(whole)
        return self._buffer

    def size(self) -> int:
        return HEADER.size + len(self._records)

    def record_count(self) -> int:
        return self._count

    def closed(self) -> bool:
        """Always: so that it does not linger for more."""
        return True

    def close(self) -> None:
        """It is."""
