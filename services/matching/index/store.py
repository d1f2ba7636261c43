"""The Redis index: which postings are in a geohash cell or a 행정동, what each posting shows, and where citizens last were.

Every key is made from PostgreSQL- or Kafka-kept state and may be lost at any time (M11).

    cell:{<geohash6>}          set     ids of the postings with a place in the cell, 16 bytes each
    cell:{<code of a 행정동>}    set     ids of the postings for it
    posting:<id>               string  the posting as JSON without what is default, deflated
    at:{<partition>}:<slot>    hash    citizen → packed fix; a slot is five minutes of event time and expires by itself
    whole:{<tag>}:<partition>  string  the server's run in which that partition's share of the index was written whole; one on each
"""
# Commands queued on a pipeline return nothing to await, though their types say so.
# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from redis.asyncio import Redis

from services.matching.index.domain import IndexedPosting

SLOT_MS = 300_000
SLOTS_KEPT = 3
FIX = struct.Struct("<dddqi")
FIX_FIELDS = (("lat", "<f8"), ("lon", "<f8"), ("accuracy_m", "<f8"), ("observed_ms", "<i8"), ("consent_epoch", "<i4"))
CHUNK = 500
_COUNT = """
local counted = redis.call('INCR', KEYS[1])
if counted == 1 then
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return {counted, redis.call('PTTL', KEYS[1])}
"""
WORDS = (
    b'"widens":{"steps_m":[700,1000,1500],"every_s":300,"began_at":"subject":"urgency_epoch":"emergency":true,"urgent":true,'
    b'"audience":{"interests":["min_age":19,"windows":[{"channel":"followers":true"not_for":["dongs":["12330'
    b'"price_krw":"price_per":"month"},{"id":"kind":"notice","kind":"space","kind":"job","version":1,"status":"open",'
    b'"where":{"circles":[{"lat":35.1"lon":126.8"radius_m":700}]},"headline":"institution":"starts_at":"2026-ends_at":"2026-'
    b'T00:00:00Z","expires_at":"2026-"shows":{"place":"pay_krw":"pay_per":"hour"},"link":"/jobs/"changed_at":"2026-'
)


def cell_key(geohash: str) -> str:
    return f"cell:{{{geohash}}}"


def posting_key(posting_id: UUID | str) -> str:
    return f"posting:{posting_id}"


def slot_key(partition: int, slot: int) -> str:
    return f"at:{{{partition}}}:{slot}"


def whole_key(tag: str, partition: int) -> str:
    return f"whole:{{{tag}}}:{partition}"


async def put_postings(
    redis: Redis, postings: Sequence[IndexedPosting], gone: Sequence[tuple[str, str]] = (), closed: Sequence[str] = ()
) -> None:
    """Write postings, and under what they are found; take away `closed` ones and (posting id, cell) entries `gone`."""
    pipe = redis.pipeline(transaction=False)
    for posting in postings:
        pipe.set(posting_key(posting.id), deflated(posting.document))
        for cell in posting.cells:
            pipe.sadd(cell_key(cell), UUID(posting.id).bytes)
    for posting_id, cell in gone:
        pipe.srem(cell_key(cell), UUID(posting_id).bytes)
    for posting_id in closed:
        pipe.delete(posting_key(posting_id))
    await pipe.execute()


async def postings_touching(redis: Redis, cells: Sequence[str]) -> list[bytes]:
    """The documents of all postings found under these: two round trips, however many."""
    pipe = redis.pipeline(transaction=False)
    for cell in cells:
        pipe.smembers(cell_key(cell))
    ids = {id_ for members in await pipe.execute() for id_ in members}
    if not ids:
        return []
    pipe = redis.pipeline(transaction=False)
    for id_ in sorted(ids):
        pipe.get(posting_key(UUID(bytes=id_)))
    return [inflated(document) for document in await pipe.execute() if document is not None]


def deflated(document: bytes) -> bytes:
    """By a dictionary of what every posting says (DEFLATE, RFC 1951): most of one is the names of its fields."""
    packing = zlib.compressobj(zdict=WORDS, wbits=-zlib.MAX_WBITS)
    return packing.compress(document) + packing.flush()


def inflated(packed: bytes) -> bytes:
    return zlib.decompressobj(wbits=-zlib.MAX_WBITS, zdict=WORDS).decompress(packed)


@dataclass(frozen=True)
class StoredFix:
    """Where a citizen was."""

    lat: float
    lon: float
    accuracy_m: float
    observed_ms: int
    consent_epoch: int

    def pack(self) -> bytes:
        return FIX.pack(self.lat, self.lon, self.accuracy_m, self.observed_ms, self.consent_epoch)


async def put_fixes(
    redis: Redis, fixes: Mapping[tuple[int, int], Mapping[Any, bytes]], ttl_s: float, now_ms: int | None = None
) -> None:
    """Packed fixes by (partition, slot) and citizen. A slot lasts while fixes of it may match, and no longer; without `now_ms` as
    one that has just begun.
    """
    pipe = redis.pipeline(transaction=False)
    for (partition, slot), packed in fixes.items():
        pipe.hset(slot_key(partition, slot), items=[part for pair in packed.items() for part in pair])
        to_come_ms = SLOT_MS if now_ms is None else min(SLOT_MS, max(0, (slot + 1) * SLOT_MS - now_ms))
        pipe.expire(slot_key(partition, slot), math.ceil(ttl_s + to_come_ms / 1000))
    await pipe.execute()


async def fixes_of(redis: Redis, partition: int, now_ms: int) -> dict[str, StoredFix]:
    """The newest fix of every citizen of a partition that may still match."""
    newest = now_ms // SLOT_MS + 1
    found: dict[str, StoredFix] = {}
    for slot in range(newest - SLOTS_KEPT - 1, newest + 1):
        kept: dict[bytes, bytes] = await redis.hgetall(slot_key(partition, slot))  # type: ignore[assignment]
        for citizen, packed in kept.items():
            found[citizen.decode()] = StoredFix(*FIX.unpack(packed))
    return found


async def forget_citizen(redis: Redis, partition: int, citizen_id: str, now_ms: int) -> int:
    """Erase a citizen's fixes from every slot that may hold one; returns how many there were."""
    pipe = redis.pipeline(transaction=False)
    for key in _slot_keys(partition, now_ms):
        pipe.hdel(key, citizen_id)
    return sum(await pipe.execute())


def _slot_keys(partition: int, now_ms: int) -> list[str]:
    newest = now_ms // SLOT_MS + 1
    return [slot_key(partition, slot) for slot in range(newest - SLOTS_KEPT - 3, newest + 1)]


async def keep_only(redis: Redis, partition: int, citizens: Collection[bytes], now_ms: int) -> int:
    """Erase the fixes of everybody else from every slot of the partition that may hold one; returns how many there were."""
    gone = 0
    for key in _slot_keys(partition, now_ms):
        others = [citizen for citizen in await redis.hkeys(key) if citizen not in citizens]
        gone += await redis.hdel(key, *others) if others else 0
    return gone


async def shares_missing(redis: Redis, partitions: Iterable[int], runs: Mapping[str, str]) -> list[int]:
    """Partitions whose share of the index is not known to be whole: Redis, or a server of it, was emptied, or never filled, or runs
    anew since. `runs` as of `shared.redis.runs`.
    """
    wanted = [(partition, tag) for partition in sorted(partitions) for tag in runs]
    pipe = redis.pipeline(transaction=False)
    for partition, tag in wanted:
        pipe.get(whole_key(tag, partition))
    marks = await pipe.execute()
    return sorted({p for (p, tag), mark in zip(wanted, marks, strict=True) if mark != runs[tag].encode()})


async def mark_whole(redis: Redis, partition: int, runs: Mapping[str, str]) -> None:
    """With the runs as they were before the share was written: what is another one by now has not seen all of it."""
    for tag, run in runs.items():
        await redis.set(whole_key(tag, partition), run)


async def admit(redis: Redis, key: str, most: int, window_s: float) -> int:
    """Count one more use of something within a window: 0 if it may be, else the seconds to wait."""
    counted, left_ms = await redis.eval(_COUNT, 1, key, int(window_s * 1000))
    return 0 if counted <= most else max(1, -(-left_ms // 1000))
