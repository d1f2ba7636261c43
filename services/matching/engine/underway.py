"""Batches of fixes whose alerts are on their way to Kafka, and offsets on theirs. What a batch did is remembered when all of its
alerts are acknowledged, in the order of the batches, and only then: offsets come last.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

import numpy as np
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError
from numpy.typing import NDArray

from services.matching.engine.fixes import Fixes
from shared.messaging.progress import Progress

log = structlog.get_logger()

# While they wait for the broker a next one is made. More would only wait longer: of a partition one batch at a time is on its way,
# and what comes meanwhile makes a fuller one.
MOST_BATCHES = 1


class OnItsWay(NamedTuple):
    """A batch that was taken and whose alerts are being sent."""

    sent: asyncio.Future[None]
    fixes: Fixes
    outcome: NDArray[np.int8]
    offsets: dict[TopicPartition, int]


Moved = Callable[[Fixes, NDArray[np.int8]], None]


class Committing(Protocol):
    """Of a consumer, what is needed here."""

    def assignment(self) -> set[TopicPartition]: ...
    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None: ...


class Underway:
    """Not for two callers at a time. `moved` is told of each batch whose alerts are all acknowledged."""

    def __init__(self, moved: Moved, consumer: Committing, progress: Progress) -> None:
        self._moved, self._consumer, self._progress = moved, consumer, progress
        self._batches: deque[OnItsWay] = deque()
        self._offsets: dict[TopicPartition, int] = {}
        self._committing: asyncio.Task[None] | None = None

    async def add(self, batch: OnItsWay) -> None:
        """Waits only while more are on their way than may be."""
        self._batches.append(batch)
        while self._batches and (self._batches[0].sent.done() or len(self._batches) > MOST_BATCHES):
            await self._remember_first()

    async def settle(self) -> None:
        """Every alert is acknowledged."""
        while self._batches:
            await self._remember_first()

    async def _remember_first(self) -> None:
        """A position kept in Redis ahead of its alerts would, after a crash, make the fixes late that are read again for them.
        A batch that failed stays the first, so that nothing after it is ever remembered.
        """
        batch = self._batches[0]
        if not batch.sent.done():
            await asyncio.wait([batch.sent])  # who is cancelled meanwhile takes nothing away from the batch
        batch.sent.result()
        self._batches.popleft()
        self._moved(batch.fixes, batch.outcome)
        self._offsets |= batch.offsets

    def commit_soon(self) -> None:
        """Offsets go beside the work: no fix waits for them. A fault of the commit before is raised here."""
        if self._committing is not None:
            if not self._committing.done():
                return
            self._committing.result()
        self._committing = asyncio.create_task(self._commit()) if self._offsets else None

    async def commit(self) -> None:
        """All that is remembered is committed."""
        committing, self._committing = self._committing, None
        if committing is not None:
            await committing
        await self._commit()

    async def _commit(self) -> None:
        """A partition lost meanwhile is its new owner's, whose repeats have the same alert ids."""
        offsets, self._offsets = self._offsets, {}
        mine = {tp: offset for tp, offset in offsets.items() if tp in self._consumer.assignment()}
        if mine:
            try:
                await self._consumer.commit(mine)
            except (CommitFailedError, IllegalStateError) as error:
                log.warning("commit_refused", group=self._progress.group, error=type(error).__name__)
        for tp, offset in mine.items():
            self._progress.handled(tp, offset)

    async def abandon(self) -> None:
        """After a fault: what is not remembered will be read again."""
        left = [batch.sent for batch in self._batches]
        if self._committing is not None:
            left.append(self._committing)
        for one in left:
            one.cancel()
        await asyncio.gather(*left, return_exceptions=True)
