"""What is no longer needed is forgotten: soon what letters said, after days that something was sent at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import structlog
from sqlalchemy.exc import SQLAlchemyError

from services.delivery.deliveries import store
from services.delivery.letters import store as letters
from services.delivery.settings import Settings
from shared.clock import Clock
from shared.database import Database

log = structlog.get_logger()

HOUR_S = 3_600.0
CLEARED_AT_ONCE = 1_000


async def forget_forever(settings: Settings, database: Database, clock: Clock) -> None:
    """Until cancelled."""
    old = _every(HOUR_S, partial(forget_old, settings, database, clock))
    said = _every(settings.delivery_cleared_s, partial(clear_letters, database))
    await asyncio.gather(old, said)


async def forget_old(settings: Settings, database: Database, clock: Clock) -> None:
    now, days = clock(), settings.delivery_kept_days
    async with database.transaction() as tx:
        await letters.forget_old(tx, now, days)
        await store.forget_old(tx, now, days)


async def clear_letters(database: Database) -> None:
    """Some at a time, so that whoever sends meanwhile waits for none of it."""
    cleared = CLEARED_AT_ONCE
    while cleared == CLEARED_AT_ONCE:
        async with database.statement() as connection:
            cleared = await letters.clear(connection, CLEARED_AT_ONCE)


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        except (SQLAlchemyError, OSError) as error:
            log.warning("forgetting_waits", error=type(error).__name__)
        await asyncio.sleep(seconds)
