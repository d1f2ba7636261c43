"""What the state topics bring, read many at a time, tells what it would tell one by one, and in the same order."""

from __future__ import annotations

from uuid import uuid4

import pytest
from aiokafka import ConsumerRecord

from services.matching.alerts.publisher import AlertPublisher
from services.matching.engine.changes import TOGETHER, Changes
from services.matching.engine.erasure import Erasure
from services.matching.engine.shares import Shares
from shared.contracts import Event, Posting
from shared.contracts.alert import ALERTS
from shared.geo import district
from shared.messaging import kafka
from shared.messaging.batch_producer import BatchProducer
from shared.messaging.envelope import body_of, headers_of, kafka_headers
from shared.redis import connect
from tests.engines import Told, World, next_of, place, watch
from tests.samples import NOW, posting

NOBODY_LISTENS = "127.0.0.1:9"


def record(event: Event, nth: int, body: bytes | None = None) -> ConsumerRecord:
    headers = kafka_headers(headers_of(event, event_id=uuid4(), source="/test", time=NOW))
    key, value = event.topic_key().encode(), body or body_of(event)
    return ConsumerRecord(event.TOPIC, 0, nth, 0, 0, key, value, None, -1, -1, tuple(headers))


def changes(world: World) -> Changes:
    """Over clients that never connect."""
    shares = Shares(connect(f"redis://{NOBODY_LISTENS}/0"), district(), 600, 1)
    erasure = Erasure(NOBODY_LISTENS, kafka.consumer(NOBODY_LISTENS, group=None))
    alerts = AlertPublisher(
        world.engine, BatchProducer(kafka.producer(NOBODY_LISTENS), ALERTS.name), district(), lambda: world.now
    )
    return Changes(world.engine, shares, erasure, alerts, lambda: world.now)


def crowd() -> World:
    world = World()
    for nth in range(5):
        world.set(watch(f"c{nth}"))
        world.stands(100 * nth, f"c{nth}", minutes=0.01)
    return world


def told_of(world: World, events: list[Event]) -> list[Told]:
    records = [record(event, nth) for nth, event in enumerate(events)]
    return [told for piece in changes(world).apply(records) for told in world.told(piece)]


async def test_many_postings_tell_what_each_would_tell() -> None:
    opened: list[Event] = [posting(where=place(700, metres=nth * 20.0)) for nth in range(2 * TOGETHER + 3)]
    alone = crowd()
    expected = [told for one in opened if isinstance(one, Posting) for told in alone.put(one)]
    assert sorted(told_of(crowd(), opened)) == sorted(expected)


async def test_the_first_are_told_before_the_last_are_looked_at() -> None:
    world, opened = crowd(), [posting() for _ in range(4 * TOGETHER)]
    pieces = changes(world).apply([record(one, nth) for nth, one in enumerate(opened)])
    first = next(piece for piece in pieces if len(piece))
    assert {told.posting for told in world.told(first)} <= {one.id for one in opened[:TOGETHER]}
    assert world.engine.postings.of(opened[-1].id) is None


@pytest.mark.parametrize("urgent", [True, False])
async def test_a_posting_that_comes_twice_is_told_as_often_as_its_epochs(urgent: bool) -> None:
    first = posting(urgency_epoch=0)
    again = next_of(first, urgency_epoch=int(urgent))
    told = told_of(crowd(), [first, again])
    assert len(told) == (10 if urgent else 5)


async def test_what_closes_in_the_same_moment_leaves_nothing_to_be_told_later() -> None:
    world, first = crowd(), posting()
    told_of(world, [first, next_of(first, status="closed")])
    world.set(watch("late"))
    assert world.stands(50, "late") == []


async def test_a_watch_between_postings_is_taken_in_its_turn() -> None:
    before, after = posting(), posting()
    told = told_of(crowd(), [before, watch("c0", version=2, paused=True), after])
    assert {one.citizen for one in told if one.posting == before.id} == {f"c{nth}" for nth in range(5)}
    assert {one.citizen for one in told if one.posting == after.id} == {f"c{nth}" for nth in range(1, 5)}


async def test_what_is_against_its_contract_stops_nobody() -> None:
    world, good = crowd(), posting()
    records = [record(posting(), 0, b"{}"), record(good, 1)]
    told = [one for piece in changes(world).apply(records) for one in world.told(piece)]
    assert {one.posting for one in told} == {good.id}
