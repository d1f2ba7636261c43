"""This worker's share of the Redis index: the postings and the positions of the partitions it owns, kept and rebuilt.

Writing is last-state-wins: what changed is noted at once and written soon after; an emptied Redis is filled again from
the engine's own state, which came from the compacted topics.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from uuid import UUID

import numpy as np
import structlog
from numpy.typing import NDArray
from redis.asyncio import Redis

from services.matching.engine import kernel
from services.matching.engine.engine import Engine
from services.matching.engine.fixes import FIX, Fixes
from services.matching.engine.names import Names
from services.matching.engine.tables import Rows
from services.matching.index import store
from services.matching.index.domain import IndexedPosting, indexed
from services.matching.index.store import SLOT_MS
from shared import telemetry
from shared.contracts import Posting
from shared.geo import District
from shared.redis import FAULTS, runs

log = structlog.get_logger()

GATHER_S = 0.03
POSITIONS_SOON_S = 0.2
POSITIONS_EVERY_MS = 3_000
FEW, ROUND = 1_000, 64  # positions
AT_ONCE = 100  # postings written at a time: meanwhile nothing else is done
Settled = Callable[[], AbstractAsyncContextManager[None]]
KEPT = ["citizen", "lat", "lon", "accuracy_m", "observed_ms", "partition", "epoch"]


class Shares:
    """Postings by partition of postings.v1, which is written by whoever owns the same partition of locations.v1.

    Nothing here waits for Redis while an event is handled, and a Redis that is away stops nobody: what could not be
    written is written when it is back, from the engine's own state.
    """

    def __init__(self, redis: Redis, district: District, position_ttl_s: float, look_every_s: float) -> None:
        self._redis, self._district, self._ttl_s = redis, district, position_ttl_s
        self._look_every_s, self._looked_s = look_every_s, -math.inf
        self._open: dict[int, dict[str, int]] = {}
        self._over: dict[int, set[str]] = {}
        self._dirty: dict[int, dict[str, int]] = {}
        self._noted = 0
        self._written: dict[str, tuple[str, ...]] = {}
        self._moved: list[Rows] = []
        self._moved_ms = 0
        self._withdrawn: list[tuple[int, str]] = []
        self._doubtful: set[int] = set()
        self._arrived: set[int] = set()
        self._wake = asyncio.Event()

    def posting(self, partition: int, posting: Posting) -> None:
        """Note that a posting has a new state; what it is the engine knows when it is written."""
        share, id_ = self._open.setdefault(partition, {}), str(posting.id)
        if share.get(id_, 0) >= posting.version:
            return
        if posting.status == "open":
            share[id_] = posting.version
            self._over.get(partition, set()).discard(id_)
            self._note(partition, id_)
        else:
            self.expired(partition, posting)

    def expired(self, partition: int, posting: Posting) -> None:
        """Note that a posting's time is over; the index drops it as if it were closed."""
        self._open.get(partition, {}).pop(str(posting.id), None)
        self._over.setdefault(partition, set()).add(str(posting.id))
        self._note(partition, str(posting.id))

    def _note(self, partition: int, id_: str) -> None:
        self._noted += 1
        self._dirty.setdefault(partition, {})[id_] = self._noted
        self._wake.set()

    def moved(self, fixes: Fixes, outcome: NDArray[np.int8]) -> None:
        """Note the batch's accepted fixes. They are not hurried: until they are written, the log of fixes has them."""
        if not self._moved:
            asyncio.get_running_loop().call_later(POSITIONS_SOON_S, self._wake.set)
        self._moved.append(fixes.rows[KEPT][outcome == kernel.ACCEPTED])

    def withdrawn(self, partition: int, citizen_id: str) -> None:
        """Note that a citizen's positions must go."""
        self._withdrawn.append((partition, citizen_id))
        self._wake.set()

    def arrived(self, partitions: set[int]) -> None:
        """Note that positions of these were restored, maybe from the log of fixes alone: Redis shall have them too."""
        self._arrived |= partitions
        self._looked_s = -math.inf
        self._wake.set()

    def forget(self, partition: int) -> None:
        """Another worker writes this share from now on."""
        self._arrived.discard(partition)
        self._dirty.pop(partition, None)
        self._doubtful.discard(partition)
        self._moved = [rows[rows["partition"] != partition] for rows in self._moved]

    async def changed(self) -> None:
        """Wait for something to write, but not for longer than the time between two looks at Redis."""
        await asyncio.sleep(GATHER_S)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), self._look_every_s)
        self._wake.clear()

    async def write(
        self, owned: set[int], now_ms: int, engine: Engine, settled: Settled, *, hurry: bool = False
    ) -> None:
        """Write what changed; rebuild the shares that Redis lost, or may have missed something of.

        Within `settled` no position is seen whose alerts are still on their way. Many positions wait for one another, unless
        there is `hurry`: fixes are about to be erased from their log, or somebody withdrew.
        """
        withdrawn, self._withdrawn = self._withdrawn, []
        moved: list[Rows] = []
        few = sum(map(len, self._moved)) <= FEW
        if few or hurry or withdrawn or now_ms - self._moved_ms >= POSITIONS_EVERY_MS:
            moved, self._moved, self._moved_ms = self._moved, [], now_ms
        arrived, self._arrived = self._arrived, set()
        for partition in arrived:
            async with settled():
                moved.append(self._positions(partition, now_ms, engine))
        try:
            await self._put_moved(moved, engine.citizens.ids, now_ms)
            while withdrawn:
                await store.forget_citizen(self._redis, *withdrawn[-1], now_ms)
                withdrawn.pop()
            await self._look(owned, now_ms, engine, settled)
            for partition in owned & self._dirty.keys():
                await self._put(partition, engine)
        except FAULTS as error:
            self._withdrawn += withdrawn
            if not self._doubtful:
                log.warning("redis_away", error=type(error).__name__)
            self._doubtful |= owned

    async def _look(self, owned: set[int], now_ms: int, engine: Engine, settled: Settled) -> None:
        """Whether Redis still has all of these, from time to time and after every fault."""
        if not self._doubtful and time.monotonic() < self._looked_s + self._look_every_s:
            return
        self._looked_s, servers = time.monotonic(), await runs(self._redis)
        missing = await store.shares_missing(self._redis, owned, servers)
        for partition in self._doubtful.intersection(owned).union(missing):
            citizens = await self._rebuild(partition, now_ms, engine, settled)
            if partition in owned:
                await store.keep_only(self._redis, partition, citizens, now_ms)
                await store.mark_whole(self._redis, partition, servers)
            self._doubtful.discard(partition)

    async def _rebuild(self, partition: int, now_ms: int, engine: Engine, settled: Settled) -> set[bytes]:
        """Write all of it. What is there may be of any time, so what is over is taken away again too. Returns whose positions it has."""
        started = time.monotonic()
        postings = self._open.get(partition, {})
        for id_ in (*postings, *self._over.get(partition, ())):
            self._note(partition, id_)
        await self._put(partition, engine)
        async with settled():
            positions = self._positions(partition, now_ms, engine)
        await self._put_moved([positions], engine.citizens.ids, now_ms)
        telemetry.INDEX_REBUILDS.labels("missing").inc()
        log.info("index_rebuilt", partition=partition, postings=len(postings), positions=len(positions),
                 seconds=round(time.monotonic() - started, 2))  # fmt: skip
        return {engine.citizens.ids.raw(row) for row in positions["citizen"].tolist()}

    async def _put(self, partition: int, engine: Engine) -> None:
        """Write what was noted, in pieces; what changes meanwhile stays noted."""
        dirty, open_ = self._dirty.get(partition, {}), self._open.get(partition, {})
        while dirty:
            piece = list(itertools.islice(dirty.items(), AT_ONCE))
            fresh, gone, over = list[IndexedPosting](), list[tuple[str, str]](), list[str]()
            for id_, _ in piece:
                posting = engine.postings.of(UUID(id_))
                if posting is None:
                    continue
                entry, before = indexed(posting, self._district), self._written.get(id_)
                stays = set(entry.cells) if id_ in open_ else set()
                gone += [(id_, cell) for cell in set(before if before is not None else entry.cells) - stays]
                if id_ in open_:
                    fresh.append(entry)
                else:
                    over.append(id_)
            await store.put_postings(self._redis, fresh, gone, over)
            for id_, noted in piece:
                if dirty.get(id_) == noted:
                    del dirty[id_]
            self._written |= {entry.id: entry.cells for entry in fresh}
            for id_ in over:
                self._written.pop(id_, None)

    def _positions(self, partition: int, now_ms: int, engine: Engine) -> Rows:
        """Those that may still match; an older one must not come back."""
        rows = engine.citizens.table.rows[: engine.citizens.table.size]
        young = rows["observed_ms"] >= now_ms - int(self._ttl_s * 1000)
        here = np.flatnonzero((rows["partition"] == partition) & ~np.isnan(rows["lat"]) & young)
        kept = np.zeros(len(here), FIX)[KEPT]
        kept["citizen"], kept["epoch"] = here, rows["fix_epoch"][here]
        for name in ("lat", "lon", "accuracy_m", "observed_ms", "partition"):
            kept[name] = rows[name][here]
        return kept

    async def _put_moved(self, moved: Sequence[Rows], names: Names, now_ms: int) -> None:
        """Of each citizen the last fix, in the slot of its time, in rounds so small that no fix waits long for one to be put
        together; a round for each slot would cost more.
        """
        rows = np.concatenate(moved) if moved else np.zeros(0, FIX)[KEPT]
        _, last = np.unique(rows["citizen"][::-1], return_index=True)
        rows = rows[len(rows) - 1 - last]
        slots = rows["observed_ms"] // SLOT_MS
        round_: dict[tuple[int, int], dict[bytes, bytes]] = {}
        for partition, slot in {*zip(rows["partition"].tolist(), slots.tolist(), strict=True)}:
            some = rows[(rows["partition"] == partition) & (slots == slot)]
            fixes = dict(zip([names.raw(row) for row in some["citizen"].tolist()], _packed(some), strict=True))
            round_[partition, slot] = fixes
            if sum(map(len, round_.values())) >= ROUND:
                await store.put_fixes(self._redis, round_, self._ttl_s, now_ms)
                round_ = {}
        if round_:
            await store.put_fixes(self._redis, round_, self._ttl_s, now_ms)


def _packed(rows: Rows) -> list[bytes]:
    """Each as StoredFix.pack would have it."""
    packed = np.zeros(len(rows), list(store.FIX_FIELDS))
    for name in ("lat", "lon", "accuracy_m", "observed_ms"):
        packed[name] = rows[name]
    packed["consent_epoch"] = rows["epoch"]
    whole, size = packed.tobytes(), packed.itemsize
    return [whole[at : at + size] for at in range(0, len(whole), size)]
