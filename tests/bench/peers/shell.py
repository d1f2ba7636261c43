"""What all peers share: Kafka in, Kafka out, on aiokafka with batches built by hand, under uvloop.

A peer prints `ready` once it holds the postings, begins at the line `go`, prints `done` when it has taken `fixes` of them, and
goes on until its input ends.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.contracts.alert import ALERTS
from shared.contracts.location import LOCATIONS
from shared.contracts.posting import POSTINGS
from shared.messaging import kafka
from shared.messaging.partitions import partition_of

BATCH = 4_000  # as the engine takes them


class Place(msgspec.Struct, gc=False):
    citizen_id: str
    lat: float
    lon: float


class Circle(msgspec.Struct, gc=False):
    lat: float
    lon: float
    radius_m: float


class Where(msgspec.Struct, gc=False):
    circles: list[Circle]


class Open(msgspec.Struct, gc=False):
    id: str
    where: Where

    @property
    def at(self) -> Circle:
        return self.where.circles[0]


class Pair(NamedTuple):
    citizen: str
    posting: str
    metres: float


class Told(msgspec.Struct, gc=False):
    """The alert of a peer."""

    citizen_id: str
    posting_id: str
    distance_m: float


_places, _opens = msgspec.json.Decoder(list[Place]).decode, msgspec.json.Decoder(list[Open]).decode
_encode = msgspec.json.Encoder().encode


class Peer(ABC):
    """Override; `options` are those of the command line."""

    batch = BATCH

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    async def open(self) -> None:  # noqa: B027 - not every peer has something to open
        """Connect."""

    @abstractmethod
    async def postings(self, opened: Sequence[Open]) -> Sequence[Pair]: ...
    @abstractmethod
    async def places(self, places: Sequence[Place]) -> Sequence[Pair]: ...


class Shell:
    """Unlike the engine it commits no offsets and writes no headers."""

    def __init__(self, peer: Peer) -> None:
        self._peer, self._config = peer, peer.config
        url = self._config["kafka_url"]
        self._fixes = kafka.consumer(url, group=None, max_records=peer.batch)
        self._opens = kafka.consumer(url, group=None, max_records=5_000)
        self._producer = kafka.producer(url, linger_ms=1)
        self._partition: dict[str, int] = {}
        self._one_at_a_time = asyncio.Lock()

    async def run(self) -> None:
        await asyncio.gather(self._producer.start(), self._peer.open())
        await self._producer.partitions_for(ALERTS.name)
        await _from_the_start(self._opens, POSTINGS.name, POSTINGS.partitions)
        held = 0
        while held < self._config["postings"]:
            held += await self._take_postings()
        gc.collect()
        gc.freeze()  # what a peer holds stays
        _say("ready")
        await _line("go")
        await _from_the_start(self._fixes, LOCATIONS.name, LOCATIONS.partitions)
        tasks = [asyncio.create_task(work) for work in (self._take_places(), self._follow_postings(), _line(""))]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()

    async def _follow_postings(self) -> None:
        while True:
            await self._take_postings()

    async def _take_postings(self) -> int:
        records = [r for some in (await self._opens.getmany(timeout_ms=20)).values() for r in some]
        if records:
            async with self._one_at_a_time:
                opened = _opens(b"[" + b",".join(record.value for record in records) + b"]")
                await self.send(await self._peer.postings(opened))
        return len(records)

    async def _take_places(self) -> None:
        taken, wanted = 0, self._config["fixes"]
        while True:
            some = await self._take_some()
            if taken < wanted <= taken + some:
                _say("done")
            taken += some

    async def _take_some(self) -> int:
        """What has come; how many fixes that were."""
        batch = await self._fixes.getmany(timeout_ms=20)
        bodies = [record.value for records in batch.values() for record in records]
        if bodies:
            async with self._one_at_a_time:
                await self.send(await self._peer.places(_places(b"[" + b",".join(bodies) + b"]")))
        return len(bodies)

    async def send(self, pairs: Sequence[Pair]) -> None:
        by_partition: dict[int, list[tuple[bytes, bytes]]] = {}
        for citizen, posting, metres in pairs:
            partition = self._partition.get(citizen)
            if partition is None:
                partition = self._partition[citizen] = partition_of(citizen, ALERTS.partitions)
            by_partition.setdefault(partition, []).append((citizen.encode(), _encode(Told(citizen, posting, metres))))
        await asyncio.gather(*(self._send_to(partition, items) for partition, items in by_partition.items()))

    async def _send_to(self, partition: int, items: list[tuple[bytes, bytes]]) -> None:
        sent, at = [], 0
        while at < len(items):
            batch = self._producer.create_batch()
            while at < len(items) and batch.append(key=items[at][0], value=items[at][1], timestamp=None) is not None:
                at += 1
            batch.close()
            sent.append(await self._producer.send_batch(batch, ALERTS.name, partition=partition))
        await asyncio.gather(*sent)


async def _from_the_start(consumer: AIOKafkaConsumer, topic: str, partitions: int) -> None:
    consumer.assign([TopicPartition(topic, p) for p in range(partitions)])
    await consumer.start()


def _say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


async def _line(word: str) -> None:
    """Waits for a line; the end of the input is one too."""
    told = await asyncio.to_thread(sys.stdin.readline)
    if told.strip() != word:
        raise SystemExit(0)


def config() -> dict[str, Any]:
    told: dict[str, Any] = json.loads(sys.argv[1])
    return told


def main(peer: type[Peer], shell: type[Shell] = Shell) -> None:
    made = peer(config())

    async def serve() -> None:
        await shell(made).run()

    uvloop.run(serve())
