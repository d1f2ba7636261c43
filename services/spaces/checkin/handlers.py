"""What follows when time is free again, and when somebody did not come."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.bookings import store as bookings
from services.spaces.bookings.domain import Booking
from services.spaces.facilities.domain import Space
from services.spaces.parts import SpacesParts


async def let_go(tx: AsyncConnection, space: Space, lapsed: Booking, parts: SpacesParts) -> None:
    """A booking that has lapsed, kept and told with all that follows."""
    await bookings.save(tx, lapsed)
    await free_again(tx, space, lapsed, parts)


async def free_again(tx: AsyncConnection, space: Space, booking: Booking, parts: SpacesParts) -> None:
    """The booking's time is free."""


async def close_gaps(tx: AsyncConnection, booking: Booking, parts: SpacesParts) -> None:
    """What was told as free is taken."""


async def refuse_suspended(tx: AsyncConnection, citizen_id: str, parts: SpacesParts) -> None:
    """Raises Conflict for who may not book for now."""
