"""What happens by itself when its time has come: reminders, reveals, no-shows. Whoever is late does it; none does it twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.jobs.parts import JobsParts
from services.jobs.postings.handlers import remind_posters
from services.jobs.trust.handlers import reveal_due
from services.jobs.work.handlers import note_no_shows

log = structlog.get_logger()

Chore = Callable[[AsyncConnection, JobsParts], Awaitable[int]]
CHORES: tuple[Chore, ...] = (remind_posters, note_no_shows, reveal_due)


async def do_chores(parts: JobsParts) -> int:
    """Each chore bit by bit, each bit in a transaction of its own, until nothing is left. Returns how much was done."""
    done = 0
    for chore in CHORES:
        while some := await _some(chore, parts):
            done += some
    return done


async def _some(chore: Chore, parts: JobsParts) -> int:
    async with parts.database.transaction() as tx:
        return await chore(tx, parts)


async def do_chores_forever(parts: JobsParts) -> None:
    while True:
        try:
            await do_chores(parts)
        except (SQLAlchemyError, OSError) as error:
            log.warning("chores_wait", error=type(error).__name__)
        await asyncio.sleep(parts.settings.jobs_tick_s)
