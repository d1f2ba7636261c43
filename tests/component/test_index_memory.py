"""What a citizen and a posting take in Redis is bounded: 64 MiB for 100,000 of each. The gate is bytes, not time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from services.matching.index import store
from services.matching.index.domain import asked_about, indexed
from services.matching.index.store import SLOT_MS, StoredFix, deflated, inflated
from shared.contracts import Posting
from shared.geo import district
from shared.redis import connect, runs
from tests.bench.memory import BOUND_BYTES, of_citizens, of_postings, postings
from tests.engines import PLACE, place
from tests.samples import NOW, posting
from tests.stacks import Addresses

pytestmark = [pytest.mark.component, pytest.mark.bench]


@pytest_asyncio.fixture
async def redis(stack: Addresses) -> AsyncIterator[Redis]:
    client = connect(stack.redis_url)
    yield client
    await client.aclose()


async def test_a_citizen_takes_no_more_than_the_bound(redis: Redis) -> None:
    assert 50 < await of_citizens(redis, 8_000) <= BOUND_BYTES


async def test_a_posting_takes_no_more_than_the_bound(redis: Redis) -> None:
    """Of a cluster on each server: every slot has a table of its own there, which few postings do not make up for."""
    servers = len(await runs(redis))
    assert 150 < await of_postings(redis, 5_000 if servers == 1 else 40_000) / servers <= BOUND_BYTES


async def test_a_slot_goes_when_no_fix_of_it_may_match_any_more(redis: Redis) -> None:
    fix, slot = StoredFix(*PLACE, 5.0, 7 * SLOT_MS, 1), 7
    for now_ms, most_s in ((7 * SLOT_MS, 900), (8 * SLOT_MS - 1_000, 601), (9 * SLOT_MS, 600)):
        await store.put_fixes(redis, {(3, slot): {"citizen:memory": fix.pack()}}, 600, now_ms)
        assert most_s - 5 <= await redis.ttl(store.slot_key(3, slot)) <= most_s
    await redis.delete(store.slot_key(3, slot))


@pytest.mark.parametrize(
    "made", [posting(), posting(kind="notice", where={"dongs": ["1233051500"]}), *postings(20, NOW)]
)
def test_what_the_index_keeps_of_a_posting_is_all_of_it(made: Posting) -> None:
    kept = deflated(indexed(made, district()).document)
    assert Posting.model_validate_json(inflated(kept)) == made
    assert len(kept) < 400


def test_a_posting_is_found_wherever_one_asks_within_the_radius() -> None:
    for metres in range(-690, 700, 30):
        offer = indexed(posting(where=place(700, metres)), district())
        assert set(offer.cells) & set(asked_about(*PLACE, 700, district()))


def test_a_posting_for_a_dong_is_found_by_whoever_is_in_it_by_either_code() -> None:
    here = district().dong_at(*PLACE)
    assert here is not None
    for code in (here.code, here.old_code):
        offer = indexed(posting(where={"dongs": [code]}, expires_at=NOW + timedelta(days=2)), district())
        assert offer.cells == (here.code,)
        assert here.code in asked_about(*PLACE, 50, district())
