"""Reading topics back: compacted state to its present end, and the alerts already made, which are their own memory."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable
from uuid import UUID

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from services.matching.index.store import StoredFix
from services.matching.positions.wire import decode
from shared.contracts.alert import ALERTS
from shared.contracts.location import LOCATIONS
from shared.messaging import kafka

log = structlog.get_logger()

POLL_MS = 500
CHUNK = 5_000
LET_OTHERS_EVERY = 200


class AlertHead(msgspec.Struct, gc=False):
    """Of an alert, what says that it was made."""

    citizen_id: str
    posting_id: UUID
    urgency_epoch: int


_decode = msgspec.json.Decoder(AlertHead).decode


async def to_end(consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition]) -> AsyncIterator[ConsumerRecord]:
    """Every record of the partitions from their beginning to the end they have now; the consumer goes on from there."""
    wanted = list(partitions)
    ends = await consumer.end_offsets(wanted)
    await consumer.seek_to_beginning(*wanted)
    behind = {tp for tp in wanted if ends[tp] > 0}
    while behind:
        batch = await consumer.getmany(*behind, timeout_ms=POLL_MS, max_records=CHUNK)
        for nth, record in enumerate(itertools.chain.from_iterable(batch.values())):
            yield record
            if nth % LET_OTHERS_EVERY == 0:  # what was fetched ahead is read without waiting for anything
                await asyncio.sleep(0)
        behind = {tp for tp in behind if await consumer.position(tp) < ends[tp]}


async def alerted(kafka_url: str, partition: int) -> list[tuple[str, UUID, int]]:
    """(citizen, posting, urgency epoch) of every alert of a partition that the topic still keeps."""
    found = []
    async for record in whole(kafka_url, [TopicPartition(ALERTS.name, partition)]):
        try:
            head = _decode(record.value or b"")
        except msgspec.MsgspecError as error:
            log.error("alert_unreadable", partition=partition, offset=record.offset, error=type(error).__name__)
            continue
        found.append((head.citizen_id, head.posting_id, head.urgency_epoch))
    return found


async def fixes_before(kafka_url: str, partition: int, offset: int) -> dict[str, StoredFix]:
    """Each citizen's newest fix that was taken before `offset`; bad records were answered when they were taken."""
    found: dict[str, StoredFix] = {}
    piece: list[ConsumerRecord] = []
    async for record in whole(kafka_url, [TopicPartition(LOCATIONS.name, partition)]):
        if record.offset < offset:
            piece.append(record)
        if len(piece) == CHUNK:
            _keep_newest(found, piece)
            piece.clear()
    _keep_newest(found, piece)
    return found


def _keep_newest(found: dict[str, StoredFix], records: list[ConsumerRecord]) -> None:
    fixes = decode(records).fixes
    names = ("lat", "lon", "accuracy_m", "observed_ms", "epoch")
    for citizen_id, *numbers in zip(fixes.citizen_ids, *(fixes.rows[name].tolist() for name in names), strict=True):
        fix = StoredFix(*numbers)
        if citizen_id not in found or found[citizen_id].observed_ms < fix.observed_ms:
            found[citizen_id] = fix


async def whole(
    kafka_url: str, where: Iterable[TopicPartition], next_offsets: dict[TopicPartition, int] | None = None
) -> AsyncIterator[ConsumerRecord]:
    """As to_end, by a consumer of its own; `next_offsets` is told from where to go on."""
    consumer, wanted = kafka.consumer(kafka_url, group=None, max_records=CHUNK), list(where)
    consumer.assign(wanted)
    await consumer.start()
    try:
        async for record in to_end(consumer, wanted):
            yield record
        if next_offsets is not None:
            next_offsets |= {tp: await consumer.position(tp) for tp in wanted}
    finally:
        await consumer.stop()
