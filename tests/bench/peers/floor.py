"""The floor: decode every fix and produce as many alerts as there are to be told, with no matching.

`reads`: `records`, as the peers do, record by record; or `batches`, by the engine's own client and decoder, whole batches in and
whole batches out, whose alerts are as long as the engine's and lie ready.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any

import numpy as np
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from cramjam import zstd

from services.matching.alerts.publisher import LEVEL
from services.matching.positions.wire import decode
from shared.contracts.alert import ALERTS
from shared.messaging.record_batches import HEADER, ZSTD, BatchConsumer, ReadyBatch
from tests.bench.loading import posting_id
from tests.bench.peers.shell import Open, Pair, Peer, Place, Shell, config, main

POSTING = "00000000-0000-0000-0000-000000000000"
BODY = b'{"citizen_id":"c0","posting_id":"%b","as_long_as_ours":"%b"}' % (POSTING.encode(), b"x" * 750)
LONGEST, KEY, STAMP_MS = 4_096, b"c00000", 1


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


class WholeBatches(Shell):
    """Alerts go to partitions in proportion to the fixes that came from each."""

    def __init__(self, peer: Peer) -> None:
        super().__init__(peer)
        self._batches: BatchConsumer | None = None
        self._owed = np.zeros(ALERTS.partitions)
        self._records, self._ends = _ready()

    async def _take_some(self) -> int:
        self._batches = self._batches or BatchConsumer(self._fixes)
        taken = await self._batches.take(self._peer.batch, 0.02)
        if not taken:
            return 0
        rows = decode([item for items in taken.values() for item in items]).fixes.rows
        self._owed += np.bincount(rows["partition"], minlength=ALERTS.partitions) * self._config["alerts_per_fix"]
        sent: list[Any] = []
        for partition, alerts in enumerate(self._owed.astype(int).tolist()):
            self._owed[partition] -= alerts
            for first in range(0, alerts, LONGEST):
                count = min(LONGEST, alerts - first)
                packed = bytes(zstd.compress(self._records[: self._ends[count - 1]], LEVEL))
                ready = ReadyBatch(packed, count, STAMP_MS, ZSTD)
                sent.append(await self._producer.send_batch(ready, ALERTS.name, partition=partition))
        for one in sent:
            await one
        return len(rows)


def _ready() -> tuple[bytes, list[int]]:
    """The records of a batch of LONGEST alerts, and where each ends: so many of them are a batch too."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, LONGEST * (len(BODY) + 100))
    sizes = [builder.append(nth, STAMP_MS, KEY, BODY, []).size for nth in range(LONGEST)]
    return bytes(builder.build())[HEADER.size :], np.cumsum(sizes).tolist()


if __name__ == "__main__":
    main(Floor, WholeBatches if config().get("reads") == "batches" else Shell)
