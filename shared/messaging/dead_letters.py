"""Dead letters: what no handler could take, kept with the reason, to be shown, replayed or dropped by hand."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaTimeoutError

from shared.contracts import TOPIC_BY_NAME
from shared.contracts.dead_letter import DEAD_LETTERS, MAX_BYTES
from shared.messaging import kafka
from shared.messaging.envelope import BadRecordError, IncomingRecord, raw_headers, text_headers
from shared.messaging.faults import describe

REPLAY_FOR = "dl_replay_for"
READ_WITHIN_S = 60.0


class Limit:
    """At most so many dead letters in any sixty seconds and, if given, so many with no success between."""

    def __init__(self, per_minute: int, in_a_row: int | None = None) -> None:
        self._times: deque[float] = deque(maxlen=per_minute)
        self._in_a_row, self._row = in_a_row, 0
        self.broken = ""

    def succeeded(self) -> None:
        self._row = 0

    def allows(self) -> bool:
        """Count one more, unless that would be too many; `broken` then says which limit it would break."""
        now = time.monotonic()
        if len(self._times) == self._times.maxlen and now - self._times[0] < 60:
            self.broken = f"more than {self._times.maxlen} dead letters a minute"
            return False
        if self._in_a_row is not None and self._row >= self._in_a_row:
            self.broken = f"more than {self._in_a_row} dead letters in a row"
            return False
        self._times.append(now)
        self._row += 1
        return True


def is_for(headers: Mapping[str, str], group: str) -> bool:
    """A replayed record is meant only for the group that gave it up; the others have handled it."""
    return headers.get(REPLAY_FOR, group) == group


@dataclass(frozen=True)
class DeadLetter:
    """A record given up. `id` is group/topic/partition/offset of the failed record.

    Of a topic that carries positions (`private`) neither key nor body is kept: a coordinate must not outlive its topic,
    and a fix that is minutes old is of no use to anybody. Such a letter can be shown and dropped, not replayed.
    """

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
    headers: tuple[tuple[str, bytes], ...]
    private: bool = False


def producer(kafka_url: str, *, client_id: str) -> AIOKafkaProducer:
    """Takes any record that any topic takes, with its description."""
    return kafka.producer(kafka_url, client_id=client_id, max_record_bytes=MAX_BYTES)


def _letter_of(record: IncomingRecord, *, group: str, error: Exception, attempts: int, now: datetime) -> DeadLetter:
    """What is kept of a failed record. A reason is given in our own words where it might repeat what is private."""
    topic = TOPIC_BY_NAME.get(record.topic)
    private = topic is not None and topic.private
    told = not private or isinstance(error, BadRecordError)
    return DeadLetter(
        id=f"{group}/{record.topic}/{record.partition}/{record.offset}",
        group=group,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        reason=describe(error)[:1000] if told else "the reason might repeat what is private",
        error=type(error).__name__,
        attempts=attempts,
        failed_at=now.isoformat(),
        key=None if private else record.key,
        value=None if private else record.value,
        headers=tuple(pair for pair in raw_headers(record) if not pair[0].startswith("dl_")),
        private=private,
    )


async def send(
    producer: AIOKafkaProducer, record: IncomingRecord, *, group: str, error: Exception, attempts: int, now: datetime
) -> None:
    """Write the record to the dead letters and await the broker's acknowledgement."""
    await _write(producer, _letter_of(record, group=group, error=error, attempts=attempts, now=now))


async def _write(producer: AIOKafkaProducer, letter: DeadLetter) -> None:
    described = {
        "dl_group": letter.group,
        "dl_topic": letter.topic,
        "dl_partition": str(letter.partition),
        "dl_offset": str(letter.offset),
        "dl_reason": letter.reason,
        "dl_error": letter.error,
        "dl_attempts": str(letter.attempts),
        "dl_failed_at": letter.failed_at,
        "dl_private": str(int(letter.private)),
        "dl_has_body": str(int(letter.value is not None)),
    }
    headers = [*letter.headers, *((name, text.encode()) for name, text in described.items())]
    if letter.key is not None:
        headers.append(("dl_key", letter.key))
    await producer.send_and_wait(DEAD_LETTERS.name, letter.value or b"", key=letter.id.encode(), headers=headers)


async def read_all(kafka_url: str) -> AsyncIterator[DeadLetter]:
    """Every dead letter that has been neither dropped nor replayed, oldest first."""
    partition = TopicPartition(DEAD_LETTERS.name, 0)
    consumer = kafka.consumer(kafka_url, group=None)
    consumer.assign([partition])
    found: dict[str, DeadLetter] = {}
    ends = time.monotonic() + READ_WITHIN_S
    try:
        await consumer.start()
        end = (await consumer.end_offsets([partition]))[partition]
        await consumer.seek_to_beginning(partition)
        while await consumer.position(partition) < end:
            for record in (await consumer.getmany(partition, timeout_ms=500)).get(partition, []):
                identity = (record.key or b"").decode(errors="replace")
                found.pop(identity, None)
                if record.value is not None:
                    found[identity] = _parse(identity, record)
            if time.monotonic() > ends:
                raise KafkaTimeoutError(f"{DEAD_LETTERS.name} could not be read within {READ_WITHIN_S:.0f} s")
    finally:
        await consumer.stop()
    for letter in found.values():
        yield letter


def _parse(identity: str, record: IncomingRecord) -> DeadLetter:
    headers, raw = text_headers(record), raw_headers(record)
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
        key=next((value for name, value in raw if name == "dl_key"), None),
        value=record.value if headers.get("dl_has_body") == "1" else None,
        headers=tuple(pair for pair in raw if not pair[0].startswith("dl_")),
        private=headers.get("dl_private") == "1",
    )


class NotReplayable(Exception):  # noqa: N818
    """The record was not kept."""


async def replay(producer: AIOKafkaProducer, letter: DeadLetter) -> None:
    """Send the record to its partition again, for its group only, then take it off the dead letters.

    Under a key of its own: on a compacted topic it would otherwise replace what is newer than it.
    """
    if letter.private:
        raise NotReplayable(f"{letter.topic} carries positions; its dead letters keep no body")
    headers = [*letter.headers, (REPLAY_FOR, letter.group.encode())]
    key = f"replay/{letter.id}".encode()
    await producer.send_and_wait(letter.topic, letter.value, key=key, partition=letter.partition, headers=headers)
    await drop(producer, letter)


async def drop(producer: AIOKafkaProducer, letter: DeadLetter) -> None:
    """Take the record off the dead letters for good (a tombstone)."""
    await producer.send_and_wait(DEAD_LETTERS.name, None, key=letter.id.encode())
