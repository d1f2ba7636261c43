"""What runs beside a process's main job: background tasks with a clean end, and the pruning of old bookkeeping."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from shared.clock import Clock, utc_now
from shared.database import Database
from shared.messaging import processed
from shared.web import idempotency

log = structlog.get_logger()

PRUNE_EVERY_S = 3600.0


class Background:
    """Named tasks. One that ends with an error makes the process unready; it does not take the others with it."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[Any]] = {}

    def start(self, name: str, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        self._tasks[name] = task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background_died", task=task.get_name(), exc_info=error)

    async def problem(self) -> str | None:
        """A readiness check: which tasks are dead."""
        dead = [name for name, task in self._tasks.items() if task.done()]
        return f"dead: {', '.join(dead)}" if dead else None

    async def stop(self, *, grace_s: float = 10.0) -> None:
        """Give the tasks time to end by themselves (they were told), then cancel what is left."""
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=grace_s)
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


@asynccontextmanager
async def background(*, grace_s: float = 0.0) -> AsyncIterator[Background]:
    tasks = Background()
    try:
        yield tasks
    finally:
        await tasks.stop(grace_s=grace_s)


async def prune_forever(database: Database, clock: Clock = utc_now) -> None:
    """Forget idempotency keys and processed events that are too old to matter."""
    while True:
        try:
            async with database.transaction() as tx:
                await idempotency.forget_old(tx, clock())
                await processed.forget_old(tx, clock())
        except (SQLAlchemyError, OSError) as error:
            log.warning("prune_waits", error=type(error).__name__)
        await asyncio.sleep(PRUNE_EVERY_S)
