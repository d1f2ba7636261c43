"""Where systems are measured: topics filled once, alerts emptied before each run, CPU of every process by the moment."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import psutil
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError
from redis.asyncio import Redis

from deploy.local.stack import Stack
from services.matching.engine import replay
from services.matching.engine.session import GROUP
from shared.contracts import TOPICS
from shared.contracts.alert import ALERTS
from shared.contracts.location import LOCATIONS
from shared.contracts.posting import POSTINGS
from shared.contracts.watch import WATCHES
from shared.messaging import kafka
from tests.bench import loading
from tests.bench.loading import posting_id
from tests.bench.workload import Ints, Workload

SAMPLE_S = 0.05
FILLS = 3
PARTITIONS = [TopicPartition(ALERTS.name, p) for p in range(ALERTS.partitions)]


class Cpu:
    """CPU seconds of processes and their children, sampled by the clock, so that any span can be asked for afterwards.

    Who belongs to whom is asked once: looking through all processes of a machine twenty times a second would take a third of
    a core from those that are measured, and hold up whoever paces them.
    """

    def __init__(self, pids: dict[str, int]) -> None:
        self.names, self._processes = list(pids), [psutil.Process(pid) for pid in pids.values()]
        self._families = [[process, *process.children(recursive=True)] for process in self._processes]
        self.at: list[float] = []
        self.spent: list[list[float]] = []
        self.most_mib = dict.fromkeys(pids, 0.0)
        self._over = threading.Event()

    @contextmanager
    def sampled(self) -> Iterator[Cpu]:
        sampler = threading.Thread(target=self._sample, daemon=True)
        sampler.start()
        try:
            yield self
        finally:
            self._over.set()
            sampler.join()

    def _sample(self) -> None:
        while not self._over.wait(SAMPLE_S):
            now, spent = time.time(), [self._cpu_s(family) for family in self._families]
            self.spent.append(spent)
            self.at.append(now)

    def _cpu_s(self, family: list[psutil.Process]) -> float:
        total = 0.0
        for nth, one in enumerate(family):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = one.cpu_times()
                total += times.user + times.system
                if nth == 0:  # of those that came and went meanwhile
                    total += times.children_user + times.children_system
        return total

    def between(self, began: float, ended: float) -> dict[str, float]:
        """CPU seconds of each process, straight lines between samples."""
        at = np.array(self.at)
        table = np.array(self.spent[: len(at)])
        return {
            name: float(np.interp(ended, at, table[:, i]) - np.interp(began, at, table[:, i]))
            for i, name in enumerate(self.names)
        }

    def at_rest(self, seconds: float, share: float) -> bool:
        """Whether all of them together took less than that share of a core for that long."""
        if not self.at or self.at[-1] - self.at[0] < seconds:
            return False
        return sum(self.between(self.at[-1] - seconds, self.at[-1]).values()) < share * seconds

    def memory_mib(self) -> dict[str, float]:
        return {n: round(p.memory_info().rss / 2**20) for n, p in zip(self.names, self._processes, strict=True)}


class Told(msgspec.Struct, gc=False):
    """An alert of ours, of a peer's, or of Tile38's own."""

    citizen_id: str = ""
    posting_id: str = ""
    hook: str = ""
    id: str = ""


@dataclass(frozen=True)
class Alerts:
    """Pairs as citizen << 32 | posting, and when the broker appended each (seconds)."""

    pairs: Ints
    at: np.ndarray[tuple[int], np.dtype[np.float64]]


class Arena:
    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    async def fill(self, work: Workload, *, fixes: bool = True) -> None:
        """The topics of one workload, all else gone. What was acknowledged and is not there is sent again."""
        spec = work.spec
        wanted = {POSTINGS.name: spec.postings, WATCHES.name: spec.citizens, LOCATIONS.name: spec.fixes if fixes else 0}
        for _ in range(FILLS):
            await self._anew([topic.name for topic in TOPICS])
            await self._send(work, fixes=fixes)
            kept = await self._kept(wanted)
            if kept == wanted:
                return
        raise RuntimeError(f"the topics hold {kept}, not {wanted}")

    async def _send(self, work: Workload, *, fixes: bool) -> None:
        now = datetime.now(UTC)
        producer = kafka.producer(self.stack.kafka_url, linger_ms=20)
        await producer.start()
        try:
            await loading.send_events(producer, loading.postings(work, now), now)
            await loading.send_events(producer, loading.watches(work.spec.citizens, now), now)
        finally:
            await producer.stop()
        if fixes:
            await self.send_fixes(work)

    async def send_fixes(self, work: Workload) -> None:
        """Of citizens whose last one is of just now."""
        producer = kafka.producer(self.stack.kafka_url, linger_ms=20)
        await producer.start()
        try:
            begins = datetime.now(UTC) - timedelta(milliseconds=int(work.observed_ms.max()))
            await loading.send_fixes(producer, work, begins)
        finally:
            await producer.stop()

    async def _kept(self, names: Iterable[str]) -> dict[str, int]:
        """How many records of each topic there are."""
        partitions = [TopicPartition(t.name, p) for t in TOPICS if t.name in names for p in range(t.partitions)]
        consumer = kafka.consumer(self.stack.kafka_url, group=None)
        await consumer.start()
        try:
            ends = await consumer.end_offsets(partitions)
        finally:
            await consumer.stop()
        return {name: sum(end for at, end in ends.items() if at.topic == name) for name in names}

    async def empty(self, *, fixes: bool = False, postings: bool = False) -> None:
        """No alerts, nothing in Redis, and the engine's group at the beginning; with `fixes`, `postings` none of those either."""
        names = [ALERTS.name, *([LOCATIONS.name] if fixes else []), *([POSTINGS.name] if postings else [])]
        await self._anew(names)
        redis = Redis.from_url(self.stack.redis_url)
        await redis.flushall()
        await redis.aclose()
        await self._begin_anew()

    async def _begin_anew(self) -> None:
        """The engine's group at the beginning: only once its last member has left, or was missed for long enough."""
        group = kafka.consumer(self.stack.kafka_url, group=GROUP)
        group.assign([TopicPartition(LOCATIONS.name, p) for p in range(LOCATIONS.partitions)])
        await group.start()
        ends = time.monotonic() + 30
        try:
            while True:
                try:
                    await group.commit(dict.fromkeys(group.assignment(), 0))
                except KafkaError:
                    if time.monotonic() > ends:
                        raise
                    await asyncio.sleep(0.5)
                else:
                    return
        finally:
            await group.stop()

    async def _anew(self, names: list[str]) -> None:
        """Deleted and created; alerts with the broker's own time. A topic is gone only a while after it was deleted."""
        async with self._admin() as admin:
            ends = time.monotonic() + 30
            with contextlib.suppress(KafkaError):
                await admin.delete_topics(names)
            while self._logs(names) and time.monotonic() < ends:
                await asyncio.sleep(0.05)
            wanted = [topic for topic in TOPICS if topic.name in names]
            told = {ALERTS.name: {"message.timestamp.type": "LogAppendTime"}, LOCATIONS.name: {"retention.ms": "-1"}}
            made = [
                NewTopic(t.name, t.partitions, 1, topic_configs={**t.config(), **told.get(t.name, {})}) for t in wanted
            ]
            while made and time.monotonic() < ends:
                answer = await admin.create_topics(made)
                left = {name for name, code, *_ in answer.topic_errors if code != 0}
                made = [topic for topic in made if topic.name in left]
                await asyncio.sleep(0.2)
            while await self._without_leader(admin, names) and time.monotonic() < ends:
                await asyncio.sleep(0.1)

    def _logs(self, names: list[str]) -> list[Path]:
        """Of these topics, what the broker still keeps. It knows of a new topic before it has let go of the old one of that name,
        and what is produced between the two is acknowledged and goes with the old one.
        """
        return [log for name in names for log in (self.stack.home / "kafka" / "data").glob(f"{name}-[0-9]")]

    async def _without_leader(self, admin: AIOKafkaAdminClient, names: list[str]) -> bool:
        """Whether a client that came now might find a partition without a broker, and look again only much later."""
        found = await admin.describe_topics(names)
        return any(topic["error_code"] or any(p["leader"] < 0 for p in topic["partitions"]) for topic in found)

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = kafka.admin(self.stack.kafka_url)
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()

    async def finished(self, done: Callable[[], bool], expected: int, quiet_s: float, limit_s: float) -> bool:
        """Wait until no alert has come for a while and all input was taken; False if that was cut off."""
        consumer = kafka.consumer(self.stack.kafka_url, group=None)
        await consumer.start()
        began = since = time.monotonic()
        last = -1
        try:
            while time.monotonic() - began < limit_s:
                count = sum((await consumer.end_offsets(PARTITIONS)).values())
                if count != last:
                    last, since = count, time.monotonic()
                still_s = time.monotonic() - since
                if count and still_s > (quiet_s if count >= expected else quiet_s + 3) and done():
                    return True
                await asyncio.sleep(0.2)
        finally:
            await consumer.stop()
        return False

    async def alerts(self, work: Workload) -> Alerts:
        number = {str(posting_id(i)): i for i in range(len(work.posting))}
        consumer = kafka.consumer(self.stack.kafka_url, group=None, max_records=5_000)
        consumer.assign(PARTITIONS)
        await consumer.start()
        decode, pairs, at = msgspec.json.Decoder(Told).decode, [], []
        try:
            async for record in replay.to_end(consumer, PARTITIONS):
                told = decode(record.value)
                posting = told.posting_id or told.hook[2:]
                pairs.append(int((told.citizen_id or told.id)[1:]) << 32 | number.get(posting, len(number)))
                at.append(record.timestamp / 1000)
        finally:
            await consumer.stop()
        return Alerts(np.array(pairs, np.int64), np.array(at, np.float64))
