"""What happens by itself when its time has come. Whoever is late does it; none does it twice; a booking needs none of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.bookings import store as bookings
from services.spaces.bookings.handlers import living
from services.spaces.checkin.handlers import end_waiting, withdraw_gaps
from services.spaces.parts import SpacesParts
from services.spaces.subscriptions.handlers import expire, renew

log = structlog.get_logger()

Chore = Callable[[AsyncConnection, SpacesParts], Awaitable[int]]


async def note_lapsed(tx: AsyncConnection, parts: SpacesParts) -> int:
    """Holds that ran out, no-shows, bookings that are over: each with what follows. One at a time, for the locks."""
    booking_id = await bookings.due(tx, parts.clock(), parts.settings.spaces_checkin_late_s)
    if booking_id is None:
        return 0
    await living(tx, booking_id, parts)
    return 1


CHORES: tuple[Chore, ...] = (note_lapsed, end_waiting, withdraw_gaps, renew, expire)


async def do_chores(parts: SpacesParts) -> int:
    """Each chore bit by bit, each bit in a transaction of its own, until nothing is left. Returns how much was done."""
    done = 0
    for chore in CHORES:
        while some := await _some(chore, parts):
            done += some
    return done


async def _some(chore: Chore, parts: SpacesParts) -> int:
    async with parts.database.transaction() as tx:
        return await chore(tx, parts)


async def do_chores_forever(parts: SpacesParts) -> None:
    while True:
        try:
            await do_chores(parts)
        except (SQLAlchemyError, OSError) as error:
            log.warning("chores_wait", error=type(error).__name__)
        await asyncio.sleep(parts.settings.spaces_tick_s)
