"""Many callers, one piece of work: under load one statement serves all who wait; alone nobody waits for company."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Together(Generic[T, R]):
    """Callers who come while a batch is being worked on are worked on together in the next one.

    `work` takes at most `most` items and gives one result for each, in their order. What it raises, every caller of that
    batch is told; a caller who gave up waiting disturbs nobody.
    """

    def __init__(self, work: Callable[[Sequence[T]], Awaitable[Sequence[R]]], *, most: int = 500) -> None:
        self._work, self._most = work, most
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._working: asyncio.Task[None] | None = None

    async def __call__(self, item: T) -> R:
        told: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, told))
        if self._working is None:
            self._working = asyncio.create_task(self._work_on())
        return await told

    async def _work_on(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._settle(batch)
        finally:
            self._working = None

    async def _settle(self, batch: Sequence[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            results = await self._work([item for item, _ in batch])
        except asyncio.CancelledError:
            for _, told in batch:
                told.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to those who wait
            for _, told in batch:
                if not told.done():
                    told.set_exception(error)
        else:
            for (_, told), result in zip(batch, results, strict=True):
                if not told.done():
                    told.set_result(result)
