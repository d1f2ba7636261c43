"""Whole record batches of Kafka (message format v2), below the objects that aiokafka makes of each record.

For the two topics whose every record would cost more as an object than it costs to handle. Where a batch is not of the plain kind
(transactions, control records, older formats), aiokafka takes it apart.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import zstandard
from aiokafka import ConsumerRecord, TopicPartition, codec
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.util import calc_crc32c

from shared import telemetry

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


@dataclass(frozen=True)
class ReadyBatch:
    """Encoded records on their way to the broker."""

    records: bytes
    count: int
    timestamp_ms: int
    codec: int

    def whole(self, producer_id: int, producer_epoch: int, base_sequence: int) -> bytes:
        """With the header that says who produced it, and which of theirs in this partition it is."""
        length, stamp = HEADER.size - AFTER_LENGTH + len(self.records), self.timestamp_ms
        head = bytearray(
            HEADER.pack(
                0, length, -1, MAGIC, 0, self.codec, self.count - 1, stamp, stamp, producer_id, producer_epoch, base_sequence,
                self.count,
            )
        )  # fmt: skip
        whole = head + self.records
        struct.pack_into(">I", whole, CRC_AT, calc_crc32c(whole[CRC_FROM:]))
        return bytes(whole)
