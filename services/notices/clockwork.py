"""What happens by itself when its time has come: publication, expiry. Whoever is late does it; none does it twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notices.drafts.handlers import publish_due
from services.notices.parts import NoticesParts
from services.notices.publishing.handlers import expire_due

log = structlog.get_logger()

Chore = Callable[[AsyncConnection, NoticesParts], Awaitable[int]]
CHORES: tuple[Chore, ...] = (publish_due, expire_due)


async def do_chores(parts: NoticesParts) -> int:
    """Each chore bit by bit, each bit in a transaction of its own, until nothing is left. Returns how much was done."""
    done = 0
    for chore in CHORES:
        while some := await _some(chore, parts):
            done += some
    return done


async def _some(chore: Chore, parts: NoticesParts) -> int:
    async with parts.database.transaction() as tx:
        return await chore(tx, parts)


async def do_chores_forever(parts: NoticesParts) -> None:
    while True:
        try:
            await do_chores(parts)
        except (SQLAlchemyError, OSError) as error:
            log.warning("chores_wait", error=type(error).__name__)
        await asyncio.sleep(parts.settings.notices_tick_s)
