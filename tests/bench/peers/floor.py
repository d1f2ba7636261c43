"""The floor: decode every fix and produce as many alerts as there are to be told, with no matching.

`reads`: `records`, as the peers do, record by record, each alert encoded as theirs are; by the engine's own client and decoder and
with the engine's alerts `written`, as the engine writes them, of whom is drawn and not found; or `batches`: such alerts that were
written beforehand, so that they are only compressed and sent.
"""

from __future__ import annotations

import asyncio
import gc
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from services.matching.alerts.publisher import AlertPublisher
from services.matching.alerts.wire import AlertWriter
from services.matching.engine.engine import Engine, Rules
from services.matching.engine.matches import MATCH
from services.matching.engine.tables import Rows
from services.matching.positions.wire import decode
from shared.contracts.alert import ALERTS
from shared.geo import District, district
from shared.messaging.batch_consumer import BatchConsumer
from shared.messaging.batch_producer import BatchProducer
from shared.messaging.partitions import partition_of
from shared.messaging.record_batches import ZSTD, ReadyBatch, packed
from tests.bench import loading
from tests.bench.loading import posting_id
from tests.bench.peers.shell import Open, Pair, Peer, Place, Shell, config, main
from tests.bench.workload import Spec, generate

POSTING = "00000000-0000-0000-0000-000000000000"
LONGEST, STAMP_MS = 600, 1  # some 512 KB, as the engine makes them


class Floor(Peer):
    """Where latency is measured, the alerts are those that are to be told, looked up in `firsts`: of each citizen's n-th fix
    the postings.
    """

    owed = 0.0

    async def open(self) -> None:
        self._turns: dict[str, int] = {}
        self._firsts: dict[tuple[str, int], list[str]] = {}
        for citizen, turn, posting in np.load(self.config["firsts"]).tolist() if "firsts" in self.config else ():
            self._firsts.setdefault((f"c{citizen}", turn), []).append(str(posting_id(posting)))
        gc.freeze()

    async def postings(self, opened: Sequence[Open]) -> Sequence[Pair]:
        return []

    async def places(self, places: Sequence[Place]) -> Sequence[Pair]:
        if self._firsts:
            return [Pair(p.citizen_id, posting, 350.0) for p in places for posting in self._next_of(p.citizen_id)]
        told: list[Pair] = []
        for place in places:
            self.owed += self.config["alerts_per_fix"]
            while self.owed >= 1:
                self.owed -= 1
                told.append(Pair(place.citizen_id, POSTING, 350.0))
        return told

    def _next_of(self, citizen: str) -> Sequence[str]:
        self._turns[citizen] = turn = self._turns.get(citizen, -1) + 1
        return self._firsts.get((citizen, turn), ())


class ByTheEnginesClient(Shell, ABC):
    """Whole batches in, and as many alerts out as there would be, `alerts_per_fix` times the fixes."""

    def __init__(self, peer: Peer) -> None:
        super().__init__(peer)
        self._batches: BatchConsumer | None = None

    async def _take_some(self) -> int:
        self._batches = self._batches or BatchConsumer(self._fixes)
        taken = await self._batches.take(self._peer.batch, 0.02)
        if not taken:
            return 0
        rows = decode([item for items in taken.values() for item in items]).fixes.rows
        await self._tell(rows, np.bincount(rows["partition"], minlength=ALERTS.partitions))
        return len(rows)

    @abstractmethod
    async def _tell(self, fixes: Rows, by_partition: np.ndarray[Any, Any]) -> None: ...


class WholeBatches(ByTheEnginesClient):
    """Alerts lie ready and go to partitions in proportion to the fixes that came from each."""

    def __init__(self, peer: Peer) -> None:
        super().__init__(peer)
        self._owed, self._sent = np.zeros(ALERTS.partitions), list[Any]()
        self._out: BatchProducer | None = None
        self._records, self._ends = _ready(self._config["postings"])

    async def _tell(self, fixes: Rows, by_partition: np.ndarray[Any, Any]) -> None:
        self._owed += by_partition * self._config["alerts_per_fix"]
        self._out = self._out or BatchProducer(self._producer, ALERTS.name)
        sent: list[Any] = []
        for partition, alerts in enumerate(self._owed.astype(int).tolist()):
            self._owed[partition] -= alerts
            for first in range(0, alerts, LONGEST):
                count = min(LONGEST, alerts - first)
                section = packed(self._records[: self._ends[count - 1]])
                sent += self._out.send([(partition, ReadyBatch(section, count, STAMP_MS, ZSTD))])
                await self._out.room()
        before, self._sent = self._sent, sent
        for one in before:
            await one


class Written(ByTheEnginesClient):
    """Alerts of citizens and postings that are drawn, a batch on its way while the next is taken, as in the engine."""

    def __init__(self, peer: Peer) -> None:
        super().__init__(peer)
        self._owed, self._rng, self._sent = 0.0, np.random.default_rng(7), list[asyncio.Future[None]]()
        engine, where = _holding(self._config["postings"])
        self._publisher = AlertPublisher(
            engine, BatchProducer(self._producer, ALERTS.name), where, lambda: datetime.now(UTC)
        )
        self._publisher.prepare()

    async def _tell(self, fixes: Rows, by_partition: np.ndarray[Any, Any]) -> None:
        self._owed += len(fixes) * self._config["alerts_per_fix"]
        matches = _drawn(self._rng, int(self._owed), self._config["postings"], len(fixes))
        self._owed -= len(matches)
        self._sent.append(asyncio.ensure_future(self._publisher.publish(matches, fixes["received_us"])))
        if len(self._sent) > 1:
            await self._sent.pop(0)


def _holding(postings: int) -> tuple[Engine, District]:
    """An engine that holds postings, and citizens to be told of them."""
    now, where = datetime.now(UTC), district()
    engine = Engine(where, Rules())
    for posting in loading.postings(generate(Spec(postings, LONGEST, LONGEST)), now):
        engine.put_posting(posting, now, look=False)
    for watch in loading.watches(LONGEST, now):
        engine.put_watch(watch, partition_of(watch.citizen_id, ALERTS.partitions), now, look=False)
    return engine, where


def _drawn(rng: np.random.Generator, count: int, postings: int, fixes: int) -> Rows:
    matches = np.zeros(count, MATCH)
    matches["citizen"], matches["posting"] = rng.integers(0, LONGEST, count), rng.integers(0, postings, count)
    matches["metres"], matches["fix"] = rng.uniform(0, 700, count), rng.integers(0, fixes, count)
    return matches


def _ready(postings: int) -> tuple[bytes, list[int]]:
    """The records of a batch of LONGEST alerts, and where each ends: so many of them are a batch too."""
    engine, where = _holding(postings)
    matches, ends = _drawn(np.random.default_rng(7), LONGEST, postings, 1), [0]
    engine.citizens.table.rows["partition"] = 0
    writer, received = AlertWriter(engine, where), np.full(1, 1_800_000_000_000_000)
    records = b"".join(bytes(batch.records) for batch in writer.write(matches, received, datetime.now(UTC)))
    for _ in range(LONGEST):
        ends.append(_after(records, ends[-1]))
    return records, ends[1:]


def _after(records: bytes, at: int) -> int:
    """Where the record ends that begins there: its length comes first, a zigzag varint."""
    length = shift = 0
    while True:
        byte, at = records[at], at + 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return at + (length >> 1)


SHELLS: dict[str, type[Shell]] = {"records": Shell, "batches": WholeBatches, "written": Written}

if __name__ == "__main__":
    main(Floor, SHELLS[config().get("reads", "records")])
