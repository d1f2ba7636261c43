"""Reading topics back: compacted state to its present end, and the alerts already made, which are their own memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from uuid import UUID

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from shared.contracts.alert import ALERTS
from shared.messaging import kafka

POLL_MS = 500
CHUNK = 5_000


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
        for records in batch.values():
            for record in records:
                yield record
        behind = {tp for tp in behind if await consumer.position(tp) < ends[tp]}


async def alerted(kafka_url: str, partition: int) -> list[tuple[str, UUID, int]]:
    """(citizen, posting, urgency epoch) of every alert of a partition that the topic still keeps."""
    where = TopicPartition(ALERTS.name, partition)
    consumer = kafka.consumer(kafka_url, group=None, max_records=CHUNK)
    consumer.assign([where])
    await consumer.start()
    found = []
    try:
        async for record in to_end(consumer, [where]):
            try:
                head = _decode(record.value or b"")
            except msgspec.MsgspecError:
                continue
            found.append((head.citizen_id, head.posting_id, head.urgency_epoch))
    finally:
        await consumer.stop()
    return found
