"""Callers of one kind of work are served together, each with what is its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from shared.together import Together


class Doubling:
    """Work that keeps what it was given, and waits until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.free = asyncio.Event()

    async def __call__(self, items: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(items))
        await self.free.wait()
        if -1 in items:
            raise ValueError("a bad one among them")
        return [2 * item for item in items]


async def test_a_lone_caller_is_served_at_once() -> None:
    work = Doubling()
    work.free.set()
    assert await Together(work)(21) == 42
    assert work.batches == [[21]]


async def test_those_who_come_during_a_batch_share_the_next_and_each_gets_its_own_result() -> None:
    work = Doubling()
    together = Together(work)
    callers = [asyncio.create_task(together(item)) for item in range(5)]
    while not work.batches:
        await asyncio.sleep(0)
    callers += [asyncio.create_task(together(item)) for item in range(5, 9)]
    await asyncio.sleep(0)
    work.free.set()
    assert await asyncio.gather(*callers) == [2 * item for item in range(9)]
    assert work.batches == [[0, 1, 2, 3, 4], [5, 6, 7, 8]]


async def test_no_batch_is_larger_than_said() -> None:
    work = Doubling()
    work.free.set()
    together = Together(work, most=3)
    assert await asyncio.gather(*(together(item) for item in range(7))) == [0, 2, 4, 6, 8, 10, 12]
    assert [len(batch) for batch in work.batches] == [3, 3, 1]


async def test_a_fault_is_told_to_its_batch_and_the_next_is_served() -> None:
    work = Doubling()
    work.free.set()
    together = Together(work)
    told = await asyncio.gather(together(-1), together(1), return_exceptions=True)
    assert [type(one) for one in told] == [ValueError, ValueError]
    assert await together(2) == 4


async def test_a_caller_who_gives_up_disturbs_nobody() -> None:
    work = Doubling()
    together = Together(work)
    impatient, patient = asyncio.create_task(together(1)), asyncio.create_task(together(2))
    while not work.batches:
        await asyncio.sleep(0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    work.free.set()
    assert await patient == 4
