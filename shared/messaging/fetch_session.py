"""What is asked of one broker from one fetch to the next (incremental fetch sessions, KIP-227; Fetch v11).

A fetch names the partitions that changed, the answer those that have something new. Without, a client that waits for one fix
spells out all partitions and reads as many answers, each time. aiokafka has no sessions.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from aiokafka import TopicPartition

from shared.messaging.requests import SIZE, number_at, text, text_at

FETCH = (1, 11)
WHOLE = struct.Struct(">iiiibii")  # replica, wait, least, most, isolation, session, epoch
ONE = struct.Struct(">iiqqi")  # partition, leader's epoch, offset, log start, most
ANSWER = struct.Struct(">ihi")  # throttled, error, session
ANSWER_OF_ONE = struct.Struct(">ihqqq")  # partition, error, high watermark, last stable offset, log start
ABORTED = struct.Struct(">qq")
NOBODY, ANY = -1, -1  # a client is no replica, and asks whatever epoch the leader is in
NONE, FIRST, LAST = 0, 0, (1 << 31) - 1


class Limits(NamedTuple):
    """Of every fetch: how long the broker may wait for how much, and how much it may send, altogether and of one partition."""

    wait_ms: int
    least_bytes: int
    most_bytes: int
    most_of_one_bytes: int
    isolation: int


class Fetched(NamedTuple):
    """What an answer says of a partition."""

    where: TopicPartition
    error_code: int
    high_watermark: int
    last_stable_offset: int
    aborted: list[tuple[int, int]]
    raw: bytes


class FetchSession:
    """With one broker, one fetch at a time. After a fault, and where the broker keeps no session, everything is asked for."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.forget()

    def forget(self) -> None:
        """The next fetch begins a session anew."""
        self._id, self._epoch = NONE, FIRST
        self._known: dict[TopicPartition, int] = {}
        self._wanted: dict[TopicPartition, int] = {}

    @property
    def begins(self) -> bool:
        return self._epoch == FIRST

    def request(self, wanted: Mapping[TopicPartition, int]) -> bytes:
        """The body of a fetch of these partitions from these offsets on."""
        self._wanted, most = dict(wanted), self._limits
        changed = [where for where, offset in wanted.items() if self._known.get(where) != offset]
        gone = self._known.keys() - wanted.keys()
        each = ((tp, ONE.pack(tp.partition, ANY, wanted[tp], ANY, most.most_of_one_bytes)) for tp in changed)
        head = WHOLE.pack(
            NOBODY, most.wait_ms, most.least_bytes, most.most_bytes, most.isolation, self._id, self._epoch
        )
        return head + _by_topic(each) + _by_topic((tp, SIZE.pack(tp.partition)) for tp in gone) + text("")

    def answered(self, answer: memoryview) -> tuple[int, Collection[Fetched]]:
        """An error code of the whole fetch, after which the session begins anew, or 0; and what the broker has."""
        _, error_code, session_id = ANSWER.unpack_from(answer)
        if error_code:
            self.forget()
            return error_code, ()
        if session_id == NONE:
            self.forget()
        else:
            self._id, self._known, self._epoch = session_id, self._wanted, self._epoch % LAST + 1
        return 0, list(_fetched(answer))


def _by_topic(each: Iterable[tuple[TopicPartition, bytes]]) -> bytes:
    topics: dict[str, list[bytes]] = {}
    for where, packed in each:
        topics.setdefault(where.topic, []).append(packed)
    parts = [SIZE.pack(len(topics))]
    for topic, some in topics.items():
        parts += (text(topic), SIZE.pack(len(some)), *some)
    return b"".join(parts)


def _fetched(answer: memoryview) -> Iterator[Fetched]:
    topics, at = number_at(answer, ANSWER.size)
    for _ in range(topics):
        topic, at = text_at(answer, at)
        partitions, at = number_at(answer, at)
        for _ in range(partitions):
            partition, error_code, high, stable, _ = ANSWER_OF_ONE.unpack_from(answer, at)
            transactions, at = number_at(answer, at + ANSWER_OF_ONE.size)
            ends = at + max(0, transactions) * ABORTED.size
            aborted = [ABORTED.unpack_from(answer, one) for one in range(at, ends, ABORTED.size)]
            size, at = number_at(answer, ends + SIZE.size)  # between them, which replica it would rather have asked
            raw = bytes(answer[at : at + max(0, size)])
            at += max(0, size)
            yield Fetched(TopicPartition(topic, partition), error_code, high, stable, aborted, raw)
