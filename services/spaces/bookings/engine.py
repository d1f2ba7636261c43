"""The engine: a unit for a window, or Taken. Whoever asks has locked the space; the exclusion constraint stands behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID, uuid4

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.bookings import domain, store
from services.spaces.bookings.domain import Booking, Taken, Wish
from services.spaces.bookings.store import Chance, FreeUnit
from services.spaces.calendars import store as calendars
from services.spaces.calendars.domain import Span, allows
from services.spaces.facilities.domain import Space
from services.spaces.facilities.store import lock_space
from services.spaces.parts import SpacesParts
from shared.web.problems import not_found

LetGo = Callable[[AsyncConnection, Space, Booking, SpacesParts], Awaitable[None]]
FULL = "그 시간은 이미 찼습니다 / that time is taken"
TRIES = 4


async def locked_space(tx: AsyncConnection, space_id: UUID) -> Space:
    space = await lock_space(tx, space_id)
    if space is None:
        raise not_found("space")
    return space


async def locked_booking(tx: AsyncConnection, booking_id: UUID) -> tuple[Booking, Space]:
    """The booking and its space, locked in the order that all keep: the space, then what hangs on it."""
    seen = await store.get(tx, booking_id)
    if seen is None:
        raise not_found("booking")
    space = await locked_space(tx, seen.space_id)
    return await store.get(tx, booking_id, for_update=True) or seen, space


async def check_open(tx: AsyncConnection, space: Space, window: Span) -> None:
    """Hours, rest days, holidays and closures. Raises Refused or Conflict."""
    rules = (await calendars.rules_of(tx, [space.id], window))[space.id]
    refused = allows(rules, window)
    if refused is not None:
        raise refused


async def chance(tx: AsyncConnection, space: Space, window: Span, parts: SpacesParts) -> Chance:
    """What there is for a window on a locked space. Raises Refused or Conflict where it is shut."""
    taken, late_s = domain.occupied_by(space.terms, window), parts.settings.spaces_checkin_late_s
    found = await store.chance_of(tx, space.id, window, taken, parts.clock(), late_s)
    refused = allows(found.rules, window)
    if refused is not None:
        raise refused
    return found


async def unit_for(
    tx: AsyncConnection, space: Space, taken: Span, parts: SpacesParts, let_go: LetGo, but: Sequence[int] = ()
) -> int | None:
    """A free unit, none of `but`, locked by its space. What has lapsed in its way is let go first, in this very transaction."""
    now, late_s = parts.clock(), parts.settings.spaces_checkin_late_s
    for _ in range(TRIES):
        unit = await store.free_unit(tx, space.id, taken, now, late_s, but)
        if unit is None or not unit.stale:
            return None if unit is None else unit.id
        for standing in await store.in_the_way(tx, unit.id, taken):
            after = domain.lapsed(standing, now, late_s)
            if after is not None:
                await let_go(tx, space, after, parts)
    return None


async def place(
    tx: AsyncConnection, space: Space, citizen_id: str, wish: Wish, parts: SpacesParts, let_go: LetGo, *, hold_s: int,
    unit: FreeUnit | None = None,
) -> Booking:  # fmt: skip
    """The window held on a unit; on the one that was just found free, if there is. Raises Taken where none is free."""
    now, window = parts.clock(), wish.window
    if unit is not None and not unit.stale:
        unit_id: int | None = unit.id
    else:
        unit_id = await unit_for(tx, space, domain.occupied_by(space.terms, window), parts, let_go)
    if unit_id is None:
        raise Taken("starts_at", "taken", FULL)
    price_krw = 0 if wish.subscription_id is not None else domain.price_of(space.terms, window)
    booking = domain.hold(uuid4(), space, unit_id, citizen_id, wish, now, hold_s, price_krw=price_krw)
    await put(tx, booking)
    return booking


async def put(tx: AsyncConnection, booking: Booking) -> None:
    """A new booking. Raises Taken where the constraint says so: somebody wrote past the lock."""
    try:
        await store.add(tx, booking)
    except IntegrityError as error:
        if "booking_never_twice" not in str(error.orig):
            raise
        raise Taken("starts_at", "taken", FULL) from None
