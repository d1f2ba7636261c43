"""Feeds as iCalendar (RFC 5545): one's own bookings, and when a space is taken or shut. Pure; no name of anybody in the latter."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from icalendar import Calendar, Event, FreeBusy

from services.spaces.calendars.domain import Span

PRODUCT = "-//Gwangsan//당근 광산 공간//KO"
AGAIN = timedelta(minutes=15)
STATUS = {"pending": "TENTATIVE", "confirmed": "CONFIRMED", "in_use": "CONFIRMED", "done": "CONFIRMED"}
FreeBusyKind = Literal["BUSY", "BUSY-UNAVAILABLE"]
SAID = {"BUSY": "사용 중", "BUSY-UNAVAILABLE": "닫힘"}


@dataclass(frozen=True)
class Told:
    """One booking as its own citizen sees it."""

    id: UUID
    version: int
    state: str
    starts_at: datetime
    ends_at: datetime
    headline: str
    place: str
    address: str | None
    lat: float
    lon: float
    changed_at: datetime


@dataclass(frozen=True)
class Period:
    """A time in which nobody else can book: all units taken, or shut."""

    span: Span
    kind: FreeBusyKind


def _calendar(name: str) -> Calendar:
    made = Calendar()
    made.add("prodid", PRODUCT)
    made.add("version", "2.0")
    made.add("calscale", "GREGORIAN")
    made.add("method", "PUBLISH")
    made.add("x-wr-calname", name)
    made.add("refresh-interval", AGAIN, parameters={"VALUE": "DURATION"})
    made.add("x-published-ttl", "PT15M")
    return made


def of_bookings(bookings: Iterable[Told]) -> bytes:
    """A citizen's bookings; SEQUENCE rises with each change, so that calendars follow it."""
    made = _calendar("당근 광산 예약")
    for one in bookings:
        event = Event()
        event.add("uid", f"{one.id}@gwangsan.example")
        event.add("dtstamp", one.changed_at.astimezone(UTC).replace(microsecond=0))
        event.add("last-modified", one.changed_at.astimezone(UTC).replace(microsecond=0))
        event.add("sequence", one.version - 1)
        event.add("dtstart", one.starts_at.astimezone(UTC))
        event.add("dtend", one.ends_at.astimezone(UTC))
        event.add("status", STATUS[one.state])
        event.add("summary", one.headline if one.state != "pending" else f"{one.headline} (승인 대기)")
        event.add("location", ", ".join(filter(None, (one.place, one.address))))
        event.add("geo", (one.lat, one.lon))
        made.add_component(event)
    return bytes(made.to_ical())


def of_free_busy(space_id: UUID, name: str, look: Span, periods: Sequence[Period], *, as_events: bool) -> bytes:
    """When a space can not be had. VFREEBUSY, or events for calendars that show nothing else."""
    made = _calendar(name)
    stamp = look.starts_at.astimezone(UTC)
    if not as_events:
        busy = FreeBusy()
        busy.add("uid", f"free-busy-{space_id}@gwangsan.example")
        busy.add("dtstamp", stamp)
        busy.add("dtstart", stamp)
        busy.add("dtend", look.ends_at.astimezone(UTC))
        for period in periods:
            span = (period.span.starts_at.astimezone(UTC), period.span.ends_at.astimezone(UTC))
            busy.add("freebusy", [span], parameters={"FBTYPE": period.kind})
        made.add_component(busy)
        return bytes(made.to_ical())
    for period in periods:
        event = Event()
        begins, ends = period.span.starts_at.astimezone(UTC), period.span.ends_at.astimezone(UTC)
        event.add("uid", f"{space_id}-{begins:%Y%m%dT%H%M%SZ}-{ends:%Y%m%dT%H%M%SZ}@gwangsan.example")
        event.add("dtstamp", stamp)
        event.add("dtstart", begins)
        event.add("dtend", ends)
        event.add("summary", SAID[period.kind])
        made.add_component(event)
    return bytes(made.to_ical())


def etag_of(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def full_when(taken: Iterable[Span], units: int) -> list[Span]:
    """When at least so many of the spans overlap: then nothing is left. Ends meet beginnings without overlap."""
    turns = sorted(turn for span in taken for turn in ((span.starts_at, 1), (span.ends_at, -1)))
    full: list[Span] = []
    count, since = 0, None
    for at, change in turns:
        count += change
        if count >= units and since is None:
            since = at
        elif count < units and since is not None:
            if since < at:
                joins = full and full[-1].ends_at == since
                full[-1:] = [Span(full[-1].starts_at, at)] if joins else [*full[-1:], Span(since, at)]
            since = None
    return full
