"""A Redis Cluster of which a copy takes a master's place: nobody does anything, and nothing is missing afterwards."""
# ruff: noqa: F401, F811 - pytest finds imported fixtures by their names

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from deploy.local.fleet import Fleet
from tests.integration.crowds import STEPS, Crowd, Workers
from tests.integration.test_matching_kills import crowd, desk, inbox, workers
from tests.stacks import Addresses, embedded
from tests.waiting import until

pytestmark = pytest.mark.integration
SERVERS = tuple(f"redis-{number}" for number in range(1, 7))


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[Addresses, Fleet]]:
    with embedded(*SERVERS, cluster=True, copies=True) as running:
        yield running


@pytest.fixture(scope="module")
def stack(stack: Addresses, cluster: tuple[Addresses, Fleet]) -> Addresses:
    return replace(stack, redis_url=cluster[0].redis_url)


async def test_a_copy_takes_the_place_of_its_master_and_nearby_shows_everything(
    crowd: Crowd, workers: Workers, cluster: tuple[Addresses, Fleet]
) -> None:
    await crowd.opens(20, seed=51)
    engine = workers.start("engine")
    await crowd.walk(0, STEPS // 2)

    async def all_shown() -> bool:
        return await crowd.shown() == {offer.id for offer in crowd.offers}

    async def away() -> bool:
        return await crowd.shown() is None

    await until(all_shown, 60, what="the index is written")
    written = engine.said().count("index_rebuilt")
    cluster[1].kill("redis-2")
    await until(away, 30, what="nearby says that it cannot tell")
    await crowd.opens(10, seed=52)
    await crowd.walk(STEPS // 2, STEPS)
    await until(all_shown, 60, what="the copy answers, and has what opened meanwhile")
    await until(lambda: engine.said().count("index_rebuilt") >= 2 * written, 60, what="the copy is given all of it")
    await crowd.hears(crowd.expected(crowd.offers[:20]) | crowd.expected(crowd.offers[20:], since=STEPS // 2 - 1))
