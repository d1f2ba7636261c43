"""What Redis takes for 100,000 citizens and for 100,000 postings, as the worker writes them: counted by Redis itself.

./dev bench memory [--citizens 100000] [--postings 100000] [--json OUT]

Citizens have names of 36 letters and keep moving, so that each is in every slot that has not expired. Postings have a place, times,
pay and interests, all different; `wide` ones are for 행정동. The worker's own memory is `./dev bench rebuild`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import numpy as np
from redis.asyncio import Redis, RedisCluster

from deploy.local.stack import running as stack_running
from services.matching.index import store
from services.matching.index.domain import indexed
from services.matching.index.store import CHUNK, SLOT_MS, StoredFix
from shared.contracts import Posting
from shared.geo import district
from shared.messaging.partitions import partition_of
from shared.redis import connect
from tests.bench.workload import Spec, generate

HEADLINES = (
    "경로당 점심 배식 도우미",
    "작은도서관 책 정리",
    "어르신 스마트폰 배움터 보조",
    "공원 화단 물주기",
    "전통시장 짐 나르기",
)
INSTITUTIONS = (
    "수완동 행정복지센터",
    "첨단1동 행정복지센터",
    "광산구립도서관",
    "하남 다누리 복지관",
    "송정역 시장 상인회",
)
INTERESTS = ("care", "library", "cleaning", "market", "teaching", "moving")
PARTITIONS, TTL_S = 8, 600.0
BOUND_BYTES = 64 * 2**20 / 100_000  # of each citizen, and of each posting


def postings(count: int, now: datetime) -> Iterator[Posting]:
    rng = np.random.default_rng(3)
    for nth, (lat, lon) in enumerate(generate(Spec(count, 10, 10)).posting.tolist()):
        starts = now + timedelta(minutes=int(rng.integers(1, 5_000)))
        yield Posting.model_validate({
            "id": uuid5(NAMESPACE_URL, f"urn:gwangsan:memory:{nth}"), "kind": "job", "version": int(rng.integers(1, 9)), "status": "open",
            "where": {"circles": [{"lat": lat, "lon": lon, "radius_m": 700}]}, "link": f"/jobs/{UUID(int=int(rng.integers(1 << 62)))}",
            "headline": f"{HEADLINES[nth % 5]} {int(rng.integers(1, 9))}시간 · {nth}호", "institution": INSTITUTIONS[nth // 5 % 5],
            "audience": {"interests": [INTERESTS[nth % 6], INTERESTS[nth // 6 % 6]], "min_age": 19, "channel": INSTITUTIONS[nth % 5]},
            "starts_at": starts, "ends_at": starts + timedelta(hours=2), "expires_at": starts, "changed_at": now,
            "shows": {"place": f"{INSTITUTIONS[nth % 5]} {nth % 97}층", "pay_krw": 10_320 + 10 * (nth % 50), "pay_per": "hour"},
        })  # fmt: skip


async def taken(redis: Redis) -> int:
    """Bytes that Redis says it holds, all servers of a cluster together."""
    if isinstance(redis, RedisCluster):
        servers: dict[str, Any] = await redis.info("memory", target_nodes=RedisCluster.PRIMARIES)
        return sum(int(told["used_memory"]) for told in servers.values())
    return int((await redis.info("memory"))["used_memory"])


async def of_citizens(redis: Redis, count: int) -> float:
    """Bytes each, when everybody has been about for as long as a position is kept."""
    before, now_ms = await taken(redis), int(datetime.now(UTC).timestamp() * 1000)
    names = [str(uuid5(NAMESPACE_URL, f"urn:gwangsan:citizen:{nth}")) for nth in range(count)]
    by_partition: dict[int, list[str]] = {}
    for name in names:
        by_partition.setdefault(partition_of(name, PARTITIONS), []).append(name)
    # Past ones as they were written at their end; who writes earlier than that is gone earlier.
    for slot in range(now_ms // SLOT_MS - 9, now_ms // SLOT_MS + 1):
        at_ms = min(now_ms, (slot + 1) * SLOT_MS - 1)
        if at_ms + TTL_S * 1000 <= now_ms:
            continue
        packed = StoredFix(35.19, 126.82, 5.0, at_ms, 1).pack()
        for partition, here in by_partition.items():
            for first in range(0, len(here), CHUNK):
                fixes = dict.fromkeys(here[first : first + CHUNK], packed)
                await store.put_fixes(redis, {(partition, slot): fixes}, TTL_S, at_ms)
    return (await taken(redis) - before) / count


async def of_postings(redis: Redis, count: int) -> float:
    """Bytes each, with whatever finds them."""
    before, some = await taken(redis), []
    for posting in postings(count, datetime.now(UTC)):
        some.append(indexed(posting, district()))
        if len(some) == CHUNK:
            await store.put_postings(redis, some)
            some = []
    await store.put_postings(redis, some)
    return (await taken(redis) - before) / count


async def measured(redis_url: str, citizens: int, postings: int) -> dict[str, float]:
    redis = connect(redis_url)
    try:
        each = {"citizen": await of_citizens(redis, citizens), "posting": await of_postings(redis, postings)}
    finally:
        await redis.aclose()
    mib = {f"mib_per_100000_{name}s": round(size * 100_000 / 2**20, 1) for name, size in each.items()}
    return {**{f"bytes_per_{name}": round(size, 1) for name, size in each.items()}, **mib}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev bench memory", description=__doc__)
    parser.add_argument("--citizens", type=int, default=100_000)
    parser.add_argument("--postings", type=int, default=100_000)
    parser.add_argument("--json", metavar="OUT")
    options = parser.parse_args(arguments)
    with stack_running(services=False) as stack:
        result = asyncio.run(measured(stack.redis_url, options.citizens, options.postings))
    whole = {"citizens": options.citizens, "postings": options.postings, **result}
    sys.stdout.write(json.dumps(whole, indent=1) + "\n")
    if options.json:
        Path(options.json).write_text(json.dumps(whole, indent=1) + "\n")
    return 1 if max(result["bytes_per_citizen"], result["bytes_per_posting"]) > BOUND_BYTES else 0
