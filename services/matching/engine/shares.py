"""This worker's share of the Redis index: the postings and the positions of the partitions it owns, kept and rebuilt.

Writing is last-state-wins: what changed is noted at once and written soon after; an emptied Redis is filled again from
the engine's own state, which came from the compacted topics.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable

import numpy as np
import structlog
from numpy.typing import NDArray
from redis.asyncio import Redis

from services.matching.engine import kernel
from services.matching.engine.engine import Engine, Fixes
from services.matching.index import store
from services.matching.index.domain import IndexedPosting, indexed
from services.matching.index.store import SLOT_MS, StoredFix
from shared import telemetry
from shared.contracts import Posting
from shared.geo import District

log = structlog.get_logger()


class Shares:
    """Postings by partition of postings.v1, which is written by whoever owns the same partition of locations.v1."""

    def __init__(self, redis: Redis, district: District, position_ttl_s: float) -> None:
        self._redis, self._district, self._ttl_s = redis, district, position_ttl_s
        self._postings: dict[int, dict[str, Posting]] = {}
        self._dirty: dict[int, dict[str, Posting]] = {}
        self._written: dict[str, IndexedPosting] = {}
        self._withdrawn: list[tuple[int, str]] = []
        self._wake = asyncio.Event()
        self._looked_at = 0.0

    def posting(self, partition: int, posting: Posting) -> None:
        """Note a posting's newest state."""
        share = self._postings.setdefault(partition, {})
        known = share.get(str(posting.id))
        if known is not None and known.version >= posting.version:
            return
        share[str(posting.id)] = posting
        self._dirty.setdefault(partition, {})[str(posting.id)] = posting
        self._wake.set()

    def withdrawn(self, partition: int, citizen_id: str) -> None:
        """Note that a citizen's positions must go."""
        self._withdrawn.append((partition, citizen_id))
        self._wake.set()

    def forget(self, partition: int) -> None:
        """Another worker writes this share from now on."""
        self._dirty.pop(partition, None)

    async def changed(self, at_most_s: float) -> None:
        """Wait for something to write, but not for longer than the time between two looks at Redis."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), at_most_s)
        self._wake.clear()

    async def write(self, owned: set[int], now_ms: int, engine: Engine) -> None:
        """Write what changed; rebuild the shares that Redis lost."""
        withdrawn, self._withdrawn = self._withdrawn, []
        for partition, citizen_id in withdrawn:
            await store.forget_citizen(self._redis, partition, citizen_id, now_ms)
        for partition in await store.shares_missing(self._redis, owned):
            await self._rebuild(partition, now_ms, engine)
        for partition in owned & self._dirty.keys():
            await self._put(self._dirty.pop(partition).values())

    async def _rebuild(self, partition: int, now_ms: int, engine: Engine) -> None:
        started = time.monotonic()
        self._dirty.pop(partition, None)  # before reading: what changes meanwhile is written after
        postings = list(self._postings.get(partition, {}).values())
        for posting in postings:
            self._written.pop(str(posting.id), None)
        await self._put([p for p in postings if p.status == "open"])
        positions = await self._put_positions(partition, now_ms, engine)
        await store.mark_whole(self._redis, partition)
        telemetry.INDEX_REBUILDS.labels("missing").inc()
        log.info("index_rebuilt", partition=partition, postings=len(postings), positions=positions,
                 seconds=round(time.monotonic() - started, 2))  # fmt: skip

    async def _put(self, postings: Iterable[Posting]) -> None:
        fresh, gone = [], []
        for posting in postings:
            before = self._written.get(str(posting.id))
            if posting.status == "closed":
                cells = before.cells if before is not None else indexed(posting, self._district).cells
                await store.drop_posting(self._redis, str(posting.id), cells)
                self._written.pop(str(posting.id), None)
                continue
            entry = indexed(posting, self._district)
            fresh.append(entry)
            gone += [(entry.id, cell) for cell in set(before.cells) - set(entry.cells)] if before is not None else []
            self._written[entry.id] = IndexedPosting(entry.id, b"", entry.cells)
        await store.put_postings(self._redis, fresh, gone)

    async def _put_positions(self, partition: int, now_ms: int, engine: Engine) -> int:
        """Those that may still match; an older one must not come back."""
        rows = engine.citizens.table.rows[: engine.citizens.table.size]
        young = rows["observed_ms"] >= now_ms - int(self._ttl_s * 1000)
        here = np.flatnonzero((rows["partition"] == partition) & ~np.isnan(rows["lat"]) & young)
        slots: dict[tuple[int, int], dict[str, bytes]] = {}
        for row in here.tolist():
            at = rows[row]
            fix = StoredFix(*(at[name].item() for name in ("lat", "lon", "accuracy_m", "observed_ms", "fix_epoch")))
            slots.setdefault((partition, fix.observed_ms // SLOT_MS), {})[engine.citizens.ids[row]] = fix.pack()
        await store.put_fixes(self._redis, slots, self._ttl_s)
        return len(here)

    async def keep(self, fixes: Fixes, outcome: NDArray[np.int8]) -> None:
        """Write the batch's accepted fixes; a citizen's later fix in the batch overwrites the earlier."""
        slots: dict[tuple[int, int], dict[str, bytes]] = {}
        lat, lon, accuracy = fixes.lat.tolist(), fixes.lon.tolist(), fixes.accuracy_m.tolist()
        observed, epoch, partitions = fixes.observed_ms.tolist(), fixes.consent_epoch.tolist(), fixes.partitions
        for i in np.flatnonzero(outcome == kernel.ACCEPTED).tolist():
            slot = slots.setdefault((partitions[i], observed[i] // SLOT_MS), {})
            slot[fixes.citizen_ids[i]] = store.FIX.pack(lat[i], lon[i], accuracy[i], observed[i], epoch[i])
        if slots:
            await store.put_fixes(self._redis, slots, self._ttl_s)
