"""Alerts handed to Kafka are counted once each, by the kind of their posting and what caused them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import pytest
from aiokafka.errors import KafkaTimeoutError

from services.matching.alerts.publisher import AT_ONCE, AlertPublisher
from shared import telemetry
from shared.geo import district
from shared.messaging.record_batches import ReadyBatch
from tests.engines import HANEUL, PLACE, Step, World, columns, watch
from tests.samples import NOW, posting


class Taking:
    """A broker that takes everything at once, or refuses it."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.alerts, self._fault = 0, fault

    def send(self, batches: Sequence[tuple[int, ReadyBatch]]) -> list[asyncio.Future[None]]:
        self.alerts += sum(batch.count for _, batch in batches)
        return [self._answer() for _ in batches]

    async def room(self) -> None:
        """There always is."""

    def _answer(self) -> asyncio.Future[None]:
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._fault is not None:
            taken.set_exception(self._fault)
        else:
            taken.set_result(None)
        return taken


def timed() -> float:
    samples = (sample for metric in telemetry.FIX_TO_ALERT_S.collect() for sample in metric.samples)
    return next(sample.value for sample in samples if sample.name.endswith("_count"))


def counted() -> dict[tuple[str, str], float]:
    samples = (sample for metric in telemetry.ALERTS.collect() for sample in metric.samples)
    return {(s.labels["kind"], s.labels["cause"]): s.value for s in samples if s.name.endswith("_total")}


async def test_each_alert_is_counted_by_kind_and_cause() -> None:
    world, producer, before = World(), Taking(), counted()
    publisher = AlertPublisher(world.engine, producer, district(), lambda: NOW)
    world.set(watch())
    for kind in ("job", "notice", "notice"):
        world.put(posting(id=uuid4(), kind=kind))
    fixes = columns([Step(HANEUL, *PLACE, NOW)])
    moved, _ = world.engine.take(fixes, NOW)
    await (await publisher.begin(moved, fixes.rows["received_us"]))
    await publisher.publish(world.engine.put_posting(posting(id=uuid4(), kind="space"), NOW))
    publisher.report()
    publisher.report()
    counts = {key: value - before.get(key, 0.0) for key, value in counted().items()}
    expected = {("job", "citizen_moved"): 1, ("notice", "citizen_moved"): 2, ("space", "posting_changed"): 1}
    assert {key: count for key, count in counts.items() if count} == expected
    assert producer.alerts == sum(expected.values())


@pytest.mark.parametrize("postings", [0, 1, 5, AT_ONCE + 1])
async def test_few_alerts_and_many_are_begun_alike_and_timed_once_they_are_acknowledged(postings: int) -> None:
    world, producer, before = World(), Taking(), timed()
    publisher = AlertPublisher(world.engine, producer, district(), lambda: NOW)
    world.set(watch())
    for _ in range(postings):
        world.put(posting(id=uuid4()))
    fixes = columns([Step(HANEUL, *PLACE, NOW)])
    moved, _ = world.engine.take(fixes, NOW)
    await (await publisher.begin(moved, fixes.rows["received_us"]))
    await asyncio.sleep(0)  # what is to be done when it is over is called in the loop's next turn
    assert producer.alerts == postings
    assert timed() - before == (1 if postings else 0)


@pytest.mark.parametrize("postings", [1, 5])
async def test_what_the_broker_refuses_is_raised_to_whoever_waits_and_not_timed(postings: int) -> None:
    world, before = World(), timed()
    publisher = AlertPublisher(world.engine, Taking(KafkaTimeoutError()), district(), lambda: NOW)
    world.set(watch())
    for _ in range(postings):
        world.put(posting(id=uuid4()))
    fixes = columns([Step(HANEUL, *PLACE, NOW)])
    moved, _ = world.engine.take(fixes, NOW)
    begun = await publisher.begin(moved, fixes.rows["received_us"])
    with pytest.raises(KafkaTimeoutError):
        await begun
    await asyncio.sleep(0)  # it would be timed in the loop's next turn
    assert timed() == before
