"""Dead letters: what no handler could take, kept with the reason, to be shown, replayed or dropped by hand."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from aiokafka import AIOKafkaProducer, TopicPartition

from shared.contracts.dead_letter import DEAD_LETTERS
from shared.messaging import kafka
from shared.messaging.envelope import IncomingRecord, text_headers

REPLAY_FOR = "dl_replay_for"


class Limit:
    """At most so many dead letters in any sixty seconds."""

    def __init__(self, per_minute: int) -> None:
        self._times: deque[float] = deque(maxlen=per_minute)

    def allows(self) -> bool:
        """Count one more, unless that would be too many."""
        now = time.monotonic()
        if len(self._times) == self._times.maxlen and now - self._times[0] < 60:
            return False
        self._times.append(now)
        return True


def is_for(headers: dict[str, str], group: str) -> bool:
    """A replayed record is meant only for the group that gave it up; the others have handled it."""
    return headers.get(REPLAY_FOR, group) == group


@dataclass(frozen=True)
class DeadLetter:
    """A record given up. `id` is group/topic/partition/offset of the failed record."""

    id: str
    group: str
    topic: str
    partition: int
    offset: int
    reason: str
    error: str
    attempts: int
    failed_at: str
    key: bytes | None
    value: bytes | None
    headers: dict[str, str]


def _own(name: str) -> bool:
    return name.startswith("dl_")


async def send(
    producer: AIOKafkaProducer, record: IncomingRecord, *, group: str, error: Exception, attempts: int, now: datetime
) -> None:
    """Write the record to the dead letters and await the broker's acknowledgement."""
    identity = f"{group}/{record.topic}/{record.partition}/{record.offset}"
    original = [(name, value) for name, value in record.headers if not _own(name)]
    described = {
        "dl_group": group,
        "dl_topic": record.topic,
        "dl_partition": str(record.partition),
        "dl_offset": str(record.offset),
        "dl_reason": str(error)[:1000],
        "dl_error": type(error).__name__,
        "dl_attempts": str(attempts),
        "dl_failed_at": now.isoformat(),
        "dl_key": "" if record.key is None else record.key.decode(errors="replace"),
    }
    headers = original + [(name, value.encode()) for name, value in described.items()]
    await producer.send_and_wait(DEAD_LETTERS.name, record.value or b"", key=identity.encode(), headers=headers)


async def read_all(kafka_url: str) -> AsyncIterator[DeadLetter]:
    """Every dead letter that has been neither dropped nor replayed, oldest first."""
    partition = TopicPartition(DEAD_LETTERS.name, 0)
    consumer = kafka.consumer(kafka_url, group=None)
    consumer.assign([partition])
    await consumer.start()
    found: dict[str, DeadLetter] = {}
    try:
        end = (await consumer.end_offsets([partition]))[partition]
        await consumer.seek_to_beginning(partition)
        while await consumer.position(partition) < end:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    identity = (record.key or b"").decode()
                    found.pop(identity, None)
                    if record.value is not None:
                        found[identity] = _parse(identity, record)
    finally:
        await consumer.stop()
    for letter in found.values():
        yield letter


def _parse(identity: str, record: IncomingRecord) -> DeadLetter:
    headers = text_headers(record)
    return DeadLetter(
        id=identity,
        group=headers.get("dl_group", ""),
        topic=headers.get("dl_topic", ""),
        partition=int(headers.get("dl_partition", -1)),
        offset=int(headers.get("dl_offset", -1)),
        reason=headers.get("dl_reason", ""),
        error=headers.get("dl_error", ""),
        attempts=int(headers.get("dl_attempts", 0)),
        failed_at=headers.get("dl_failed_at", ""),
        key=headers.get("dl_key", "").encode() or None,
        value=record.value,
        headers={name: value for name, value in headers.items() if not _own(name)},
    )


async def replay(producer: AIOKafkaProducer, letter: DeadLetter) -> None:
    """Send the record to its topic again, for its group only, then take it off the dead letters."""
    headers = [(name, value.encode()) for name, value in letter.headers.items()]
    headers.append((REPLAY_FOR, letter.group.encode()))
    await producer.send_and_wait(letter.topic, letter.value or None, key=letter.key, headers=headers)
    await drop(producer, letter)


async def drop(producer: AIOKafkaProducer, letter: DeadLetter) -> None:
    """Take the record off the dead letters for good (a tombstone)."""
    await producer.send_and_wait(DEAD_LETTERS.name, None, key=letter.id.encode())
