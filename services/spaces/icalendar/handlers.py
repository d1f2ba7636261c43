"""What a link shows now, and what an imported calendar does, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.calendars import store as calendars
from services.spaces.calendars.domain import Span, open_spans, without
from services.spaces.checkin.handlers import shut_gaps
from services.spaces.facilities.store import spaces
from services.spaces.icalendar import store
from services.spaces.icalendar.domain import Busy, Reading, changes_of
from services.spaces.icalendar.feeds import Period, full_when, of_bookings, of_free_busy
from services.spaces.icalendar.models import SHOWN, CalendarImport, EventErrorView, Mode, TakenBooking
from services.spaces.parts import SpacesParts
from shared.auth import Principal
from shared.clock import SEOUL

GAPS_AHEAD = timedelta(days=1)  # free times are told some hours ahead
SHOWN_BACK, SHOWN_AHEAD = timedelta(days=30), timedelta(days=60)


async def feed_of(tx: AsyncConnection, link: Row[Any], parts: SpacesParts, *, as_events: bool) -> bytes:
    """Bookings of the last thirty days and all to come, or a space's next sixty days."""
    now = parts.clock()
    come_by = now - timedelta(seconds=parts.settings.spaces_checkin_late_s)
    if link.kind == "bookings":
        return of_bookings(await store.bookings_of(tx, link.owner, now - SHOWN_BACK, now, come_by))
    today = calendars.midnight(now.astimezone(SEOUL).date())
    look = Span(today, today + SHOWN_AHEAD)
    space = await store.space(tx, link.space_id)
    periods = [] if space is None else await _periods(tx, space, look, now, come_by)
    name = "" if space is None else space.headline
    return of_free_busy(link.space_id, name, look, periods, as_events=as_events)


async def _periods(tx: AsyncConnection, space: Row[Any], look: Span, now: datetime, come_by: datetime) -> list[Period]:
    """When it is shut, and when, while open, every unit is taken."""
    rules = (await calendars.rules_of(tx, [space.id], look))[space.id]
    open_ = open_spans(rules, look.starts_at, look.ends_at) if space.status == "open" else []
    full = full_when(await store.taken(tx, space.id, look, now, come_by), space.units)
    shut = [Period(span, "BUSY-UNAVAILABLE") for span in without([look], open_)]
    busy = [
        Period(span, "BUSY") for span in without(without([look], without([look], full)), [one.span for one in shut])
    ]
    return sorted([*shut, *busy], key=lambda period: period.span.starts_at)


async def take_in(
    tx: AsyncConnection,
    space_id: UUID,
    reading: Reading,
    who: Principal,
    parts: SpacesParts,
    *,
    mode: Mode,
    whole: bool,
) -> CalendarImport:
    """The space is locked by the caller, so no booking comes between. Bookings that overlap are told and stand."""
    now = parts.clock()
    changes = changes_of(reading, await store.kept(tx, space_id), now, whole=whole)
    if mode == "apply":
        await calendars.lift(tx, changes.lift, now)
        await store.apply(tx, space_id, changes, who.subject, now)
        await _shut_gaps(tx, space_id, changes.add, parts)
    late = timedelta(seconds=parts.settings.spaces_checkin_late_s)
    affected = await store.affected(tx, space_id, changes.add, now, late)
    return CalendarImport(
        space_id=space_id, mode=mode, applied=mode == "apply", events=reading.events, added=len(changes.add),
        lifted=len(changes.lift), unchanged=changes.unchanged, cancelled=len(reading.cancelled), free=reading.free,
        past=reading.past, stale=changes.stale[:SHOWN],
        errors=[EventErrorView(**asdict(error)) for error in reading.errors[:SHOWN]],
        affected=[TakenBooking.model_validate(row, from_attributes=True) for row in affected],
    )  # fmt: skip


async def _shut_gaps(tx: AsyncConnection, space_id: UUID, times: Sequence[Busy], parts: SpacesParts) -> None:
    space = await spaces.get(tx, space_id)
    if space is None:
        return
    for busy in (one for one in times if one.starts_at < parts.clock() + GAPS_AHEAD):
        await shut_gaps(tx, space, Span(busy.starts_at, busy.ends_at), parts)
