"""Reading a topic back lets everything else go on meanwhile, however much was fetched ahead."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.matching.engine import replay
from services.matching.engine.replay import LET_OTHERS_EVERY

WHERE = TopicPartition("postings.v1", 0)
COUNT = 10 * LET_OTHERS_EVERY


class FetchedAhead:
    """A consumer whose every answer is there at once, as after a large fetch."""

    def __init__(self) -> None:
        self._at = 0

    async def end_offsets(self, wanted: Any) -> dict[TopicPartition, int]:
        return {WHERE: COUNT}

    async def seek_to_beginning(self, *wanted: Any) -> None:
        self._at = 0

    async def getmany(self, *wanted: Any, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[int]]:
        first, self._at = self._at, min(COUNT, self._at + max_records)
        return {WHERE: list(range(first, self._at))}

    async def position(self, where: TopicPartition) -> int:
        return self._at


async def test_others_have_their_turn_while_records_are_read_back() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    read = [nth async for nth in replay.to_end(cast(AIOKafkaConsumer, FetchedAhead()), [WHERE])]
    task.cancel()
    assert len(read) == COUNT
    assert turns >= COUNT // LET_OTHERS_EVERY
