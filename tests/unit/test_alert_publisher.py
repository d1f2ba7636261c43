"""Alerts handed to Kafka are counted once each, by the kind of their posting and what caused them."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

from services.matching.alerts.publisher import AlertPublisher
from shared import telemetry
from shared.geo import district
from tests.engines import HANEUL, PLACE, Step, World, columns, watch
from tests.samples import NOW, posting


class Taking:
    """A producer whose broker takes everything at once."""

    def __init__(self) -> None:
        self.alerts = 0

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> asyncio.Future[None]:
        self.alerts += batch.record_count()
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        taken.set_result(None)
        return taken


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
    await publisher.publish(moved, fixes.rows["received_us"])
    await publisher.publish(world.engine.put_posting(posting(id=uuid4(), kind="space"), NOW))
    counts = {key: value - before.get(key, 0.0) for key, value in counted().items()}
    expected = {("job", "citizen_moved"): 1, ("notice", "citizen_moved"): 2, ("space", "posting_changed"): 1}
    assert {key: count for key, count in counts.items() if count} == expected
    assert producer.alerts == sum(expected.values())
