"""Whom a closure or a new holiday affects, and where each may go instead. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from services.spaces.bookings.domain import Booking, moved
from services.spaces.calendars.domain import Rules, Span, allows
from services.spaces.facilities.domain import Space
from shared.geo import haversine_m
from shared.rules import Refused

MOVABLE = ("pending", "confirmed")
LONGEST_REASON = 200


@dataclass(frozen=True)
class Fate:
    """What becomes of one affected booking: `after` is None where somebody is in the room now and it is left."""

    before: Booking
    after: Booking | None
    space: Space | None = None


def check_closing(starts_at: datetime, ends_at: datetime, now: datetime) -> None:
    """A closure ends after it starts, and in the future; at most two years. Raises Refused."""
    if ends_at <= starts_at:
        raise Refused("ends_at", "after-start", "끝이 시작보다 늦어야 합니다 / a closure ends after it starts")
    if ends_at <= now:
        raise Refused("ends_at", "in-future", "이미 지난 시간입니다 / the time has passed")
    if (ends_at - starts_at).days > 731 or starts_at.year > 2100 or starts_at.year < 2000:
        raise Refused("ends_at", "too-long", "두 해까지 닫습니다 / at most two years at once")


def newly_refused(bookings: Iterable[Booking], before: Rules, after: Rules) -> list[Booking]:
    """Bookings that the calendar allowed and now does not."""
    return [one for one in bookings if allows(before, _window(one)) is None and allows(after, _window(one)) is not None]


def nearest_first(space: Space, others: Iterable[Space]) -> list[Space]:
    """Spaces of the same kind, those in the same building first, then by distance."""
    here = space.terms.place

    def how_far(other: Space) -> tuple[bool, float, str]:
        there = other.terms.place
        return there.name != here.name, haversine_m(here.lat, here.lon, there.lat, there.lon), str(other.id)

    alike = (one for one in others if one.id != space.id and one.terms.space_kind == space.terms.space_kind)
    return sorted(alike, key=how_far)


def rebooked(booking: Booking, space: Space, unit_id: int, reason: str, now: datetime) -> Booking:
    """The same booking in another space at the same time: one version on, so that its citizen is told once. What was paid
    for it stays what it was.
    """
    told = f"{reason} · {space.terms.headline}(으)로 옮겼습니다 / moved"[:LONGEST_REASON]
    there = replace(booking, space_id=space.id, institution=space.institution, unit_id=unit_id)
    terms = space.terms
    return moved(there, booking.state, now, told, before_min=terms.before_min, after_min=terms.after_min)


def _window(booking: Booking) -> Span:
    return Span(booking.starts_at, booking.ends_at)
