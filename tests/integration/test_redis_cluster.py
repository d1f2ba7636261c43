"""The same promises on a Redis Cluster of three masters; with `--redis=cluster` all tests on the shared stack run on one.

The last tests are those of other modules: here the stack that their fixtures ask for has the cluster.
"""
# ruff: noqa: F401, F811 - pytest finds imported tests and fixtures by their names

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import NamedTuple

import httpx
import pytest
import pytest_asyncio
from redis import Redis as Plain
from redis.asyncio import Redis

from deploy.local.fleet import Fleet
from services.matching.audit.places import of_redis
from services.matching.index import store as index
from services.matching.index.domain import indexed
from services.matching.index.store import StoredFix
from services.matching.settings import Settings
from shared.geo import district
from shared.redis import FAULTS, answers, connect, runs, servers
from shared.web.limits import MINUTE_S
from tests.component.test_matching_api import citizen, test_withdrawal_erases_every_kept_position
from tests.component.test_matching_nearby import test_the_nearest_comes_first_and_the_rim_is_inside
from tests.conftest import SettingsFor
from tests.engines import north_of
from tests.integration.crowds import STEPS, Crowd, Workers
from tests.integration.test_matching_kills import (
    crowd,
    desk,
    inbox,
    test_an_emptied_redis_fills_by_itself_and_nobody_is_told_twice,
    test_an_engine_killed_amid_the_stream_loses_nothing,
    workers,
)
from tests.samples import posting
from tests.stacks import Addresses, embedded
from tests.waiting import until

pytestmark = pytest.mark.integration
MASTERS = ("redis-1", "redis-2", "redis-3")


class Cluster(NamedTuple):
    url: str
    fleet: Fleet

    def sizes(self) -> list[int]:
        """How many keys each master holds."""
        word = self.url.partition("://:")[2].partition("@")[0]
        return [int(Plain(host, port, password=word).dbsize()) for host, port in servers(self.url)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with embedded(*MASTERS, cluster=True) as (addresses, fleet):
        yield Cluster(addresses.redis_url, fleet)


@pytest.fixture(scope="module")
def stack(stack: Addresses, cluster: Cluster) -> Addresses:
    return replace(stack, redis_url=cluster.url)


@pytest_asyncio.fixture
async def redis(cluster: Cluster) -> AsyncIterator[Redis]:
    client = connect(cluster.url)
    yield client
    await client.aclose()


async def test_each_master_holds_a_share_and_every_question_is_answered_from_all(
    cluster: Cluster, redis: Redis
) -> None:
    offers = [posting(where={"circles": [{"lat": 35.1 + n / 500, "lon": 126.8, "radius_m": 300}]}) for n in range(60)]
    entries = [indexed(offer, district()) for offer in offers]
    await index.put_postings(redis, entries)
    assert min(cluster.sizes()) > 20
    cells = sorted({cell for entry in entries for cell in entry.cells})
    assert sorted(await index.postings_touching(redis, cells)) == sorted(entry.document for entry in entries)
    gone = [(entry.id, cell) for entry in entries for cell in entry.cells]
    await index.put_postings(redis, [], gone, [entry.id for entry in entries])
    assert await index.postings_touching(redis, cells) == []


async def test_positions_are_kept_found_and_erased_on_whichever_master(redis: Redis) -> None:
    fix = StoredFix(35.1, 126.8, 5.0, 300_000, 1)
    await index.put_fixes(redis, {(p, 1): {b"citizen:1": fix.pack()} for p in range(8)}, 600)
    assert [await index.fixes_of(redis, p, 300_000) for p in range(8)] == [{"citizen:1": fix}] * 8
    assert [await index.forget_citizen(redis, p, "citizen:1", 300_000) for p in range(8)] == [1] * 8
    assert [await index.fixes_of(redis, p, 300_000) for p in range(8)] == [{}] * 8


async def test_uses_are_counted_and_the_audit_sees_every_key(
    cluster: Cluster, redis: Redis, settings_for: SettingsFor
) -> None:
    officers = [f"officer:{n}" for n in range(20)]
    for officer in officers:
        assert [await index.admit(redis, f"previews:{officer}", 2, MINUTE_S) for _ in range(3)][:2] == [0, 0]
        assert await index.admit(redis, f"previews:{officer}", 2, MINUTE_S) > 0
    seen = {key async for key, _ in of_redis(settings_for(Settings))}
    assert {f"previews:{officer}" for officer in officers} <= seen


async def test_a_share_is_whole_only_while_each_master_has_its_mark(cluster: Cluster, redis: Redis) -> None:
    now = await runs(redis)
    marks = [index.whole_key(tag, 99) for tag in now]
    assert len({redis.get_node_from_key(mark).port for mark in marks}) == len(MASTERS)  # type: ignore[attr-defined]
    assert len(set(now.values())) == len(MASTERS)
    await index.mark_whole(redis, 99, now)
    assert await index.shares_missing(redis, [99], now) == []
    for mark in marks:
        await redis.delete(mark)
        assert await index.shares_missing(redis, [98, 99], now) == [98, 99]
        await index.mark_whole(redis, 99, now)


async def test_a_master_that_died_with_what_it_held_is_filled_again_and_nobody_is_told_twice(
    crowd: Crowd, workers: Workers, cluster: Cluster, redis: Redis
) -> None:
    """While it is away `nearby` says so, and alerts go on."""
    offers = await crowd.opens(20, seed=21)
    workers.start("engine")
    await crowd.walk(0, STEPS // 2)
    asking = next(iter(crowd.walks))

    async def nearby(metres: float) -> httpx.Response:
        lat, lon = north_of(metres)
        return await crowd.desk.get("/nearby", asking, lat=lat, lon=lon, radius_m=2_000)

    async def all_found() -> bool:
        told = [await nearby(metres) for metres in (-2_500, 0, 2_500)]
        found = {
            item["posting"]["id"] for answer in told if answer.status_code == 200 for item in answer.json()["items"]
        }
        return {str(offer.id) for offer in offers} <= found

    await until(all_found, 60, what="the index is written")
    cluster.fleet.kill("redis-2")

    async def away() -> bool:
        return any([(await nearby(metres)).status_code == 503 for metres in (-2_500, 0, 2_500)])

    await until(away, 30, what="nearby says that it cannot tell")
    await crowd.walk(STEPS // 2, STEPS)
    await crowd.hears(crowd.expected(offers))
    cluster.fleet.start("redis-2")

    async def healthy() -> bool:
        try:
            return await answers(redis) is None
        except FAULTS:
            return False

    await until(healthy, 30, what="the cluster serves all slots")
    await until(all_found, 60, what="what the master lost is written again")
    late = await crowd.opens(10, seed=22)
    await crowd.hears(crowd.expected(offers) | crowd.expected(late, since=STEPS - 1))
