"""Batches on their way: nothing of one is remembered before all of its alerts are acknowledged, nor before those that came first."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import numpy as np
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, RequestTimedOutError

from services.matching.engine.fixes import Fixes
from services.matching.engine.underway import MOST_BATCHES, OnItsWay, Underway
from shared.messaging.progress import Progress
from tests.waiting import until

HERE = TopicPartition("locations.v1", 3)


class Broker:
    """Takes commits; one at a time may be held up or fail."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.committed: list[int] = []
        self.open = asyncio.Event()
        self.open.set()
        self.fault: Exception | None = None
        self.owned = {HERE}

    def assignment(self) -> set[TopicPartition]:
        return self.owned

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        self.asked.append(offsets[HERE])
        await self.open.wait()
        if self.fault is not None:
            raise self.fault
        self.committed.append(offsets[HERE])


class Desk:
    """What is on its way, and of which batches positions were remembered, in order."""

    def __init__(self) -> None:
        self.broker, self.moved = Broker(), list[int]()
        self.progress = Progress("test", stale_after_s=1)
        self.underway = Underway(lambda fixes, outcome: self.moved.append(len(outcome)), self.broker, self.progress)

    def batch(self, nth: int) -> OnItsWay:
        """The nth batch ends at offset n; its outcomes are as many, so that it is recognised."""
        sent = asyncio.get_running_loop().create_future()
        return OnItsWay(sent, Fixes.of([], [], []), np.zeros(nth, np.int8), {HERE: nth})


async def turns() -> None:
    """As many of the event loop as anything here could need to get on."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_what_is_acknowledged_out_of_turn_waits_for_its_turn() -> None:
    desk = Desk()
    first, second = desk.batch(1), desk.batch(2)
    await desk.underway.add(first)
    second.sent.set_result(None)
    adding = asyncio.create_task(desk.underway.add(second))
    await turns()
    await desk.underway.commit()
    assert (desk.moved, desk.broker.committed, adding.done()) == ([], [], False)
    first.sent.set_result(None)
    await adding
    await desk.underway.settle()
    await desk.underway.commit()
    assert (desk.moved, desk.broker.committed) == ([1, 2], [2])


async def test_nothing_after_a_batch_that_failed_is_ever_remembered() -> None:
    desk = Desk()
    failed, after = desk.batch(1), desk.batch(2)
    await desk.underway.add(failed)
    failed.sent.set_exception(KafkaConnectionError())
    after.sent.set_result(None)
    with pytest.raises(KafkaConnectionError):
        await desk.underway.add(after)
    for _ in range(2):  # however often it is tried
        with pytest.raises(KafkaConnectionError):
            await desk.underway.settle()
    await desk.underway.commit()
    assert (desk.moved, desk.broker.asked) == ([], [])


async def test_the_next_batch_is_taken_while_one_is_on_its_way_and_not_while_two_are() -> None:
    desk = Desk()
    made = [desk.batch(nth) for nth in range(1, MOST_BATCHES + 2)]
    for batch in made[:-1]:
        await desk.underway.add(batch)
    one_more = asyncio.create_task(desk.underway.add(made[-1]))
    await turns()
    assert not one_more.done()
    made[0].sent.set_result(None)
    await one_more
    assert desk.moved == [1]


async def test_who_waits_and_is_cancelled_takes_nothing_from_the_batch() -> None:
    desk = Desk()
    batch = desk.batch(1)
    await desk.underway.add(batch)
    waiting = asyncio.create_task(desk.underway.settle())
    await turns()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    batch.sent.set_result(None)
    await desk.underway.settle()
    await desk.underway.commit()
    assert (desk.moved, desk.broker.committed) == ([1], [1])


async def test_offsets_are_committed_beside_the_work_one_commit_after_the_other() -> None:
    desk = Desk()
    desk.broker.open.clear()
    for nth in (1, 2):
        batch = desk.batch(nth)
        batch.sent.set_result(None)
        await desk.underway.add(batch)
        desk.underway.commit_soon()
        await until(lambda: bool(desk.broker.asked), 5, what="the first commit is asked for")
    assert (desk.moved, desk.broker.asked, desk.broker.committed) == ([1, 2], [1], [])
    desk.broker.open.set()
    await desk.underway.commit()
    assert desk.broker.committed == [1, 2]


async def test_a_fault_of_a_commit_is_raised_to_the_next() -> None:
    desk = Desk()
    batch = desk.batch(1)
    batch.sent.set_result(None)
    await desk.underway.add(batch)
    desk.broker.fault = RequestTimedOutError()
    desk.underway.commit_soon()
    await until(lambda: bool(desk.broker.asked), 5, what="the commit is asked for")
    await turns()
    with pytest.raises(RequestTimedOutError):
        desk.underway.commit_soon()
    assert desk.broker.committed == []


async def test_of_a_partition_lost_meanwhile_nothing_is_committed() -> None:
    desk = Desk()
    batch = desk.batch(1)
    batch.sent.set_result(None)
    await desk.underway.add(batch)
    desk.broker.owned = set()
    await desk.underway.commit()
    assert (desk.moved, desk.broker.asked) == ([1], [])


async def test_after_a_fault_nothing_is_left_running() -> None:
    desk = Desk()
    batch, done = desk.batch(2), desk.batch(1)
    done.sent.set_result(None)
    await desk.underway.add(done)
    await desk.underway.add(batch)
    desk.broker.open.clear()
    desk.underway.commit_soon()
    await until(lambda: bool(desk.broker.asked), 5, what="the commit is asked for")
    await desk.underway.abandon()
    assert batch.sent.cancelled()
    assert (desk.moved, desk.broker.committed) == ([1], [])
