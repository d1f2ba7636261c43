"""Bookings: when a space may be booked, what a booking goes through, when it has lapsed. Pure: the time is passed in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from typing import Any
from uuid import UUID

from services.spaces.calendars.domain import Span
from services.spaces.facilities.domain import Space, Terms
from shared.clock import SEOUL
from shared.contracts.space import BookingChanged, BookingState
from shared.rules import Conflict, Refused

# What stands in the way of another booking, and so in the exclusion constraint; `done` for its cleaning up.
BLOCKING: tuple[BookingState, ...] = ("held", "pending", "confirmed", "in_use", "done")
COMING: tuple[BookingState, ...] = ("held", "pending", "confirmed", "in_use")
MINUTE = timedelta(minutes=1)
YEARS = (2000, 2199)
UNDECIDED = "승인 전에 시작 시각이 지났습니다 / not decided before its start"
NOT_CONFIRMED = "확정하지 않아 풀렸습니다 / not confirmed in time"
NOT_COME = "체크인하지 않아 풀렸습니다 / nobody checked in"


class Taken(Conflict):
    """Nothing is free for that time; the answer carries the nearest alternatives (S2)."""


@dataclass(frozen=True)
class Booking:
    """One citizen's booking of one unit in its newest state."""

    id: UUID
    space_id: UUID
    unit_id: int
    institution: str
    citizen_id: str
    version: int
    state: BookingState
    starts_at: datetime
    ends_at: datetime
    before_min: int
    after_min: int
    hold_until: datetime | None
    extensions: int
    people: int
    name: str | None
    purpose: str | None
    price_krw: int
    subscription_id: UUID | None
    credit_minutes: int
    series_id: UUID | None
    waiting_id: UUID | None
    confirmed_at: datetime | None
    checked_in_at: datetime | None
    ended_at: datetime | None
    because: str | None
    created_at: datetime
    changed_at: datetime

    @property
    def occupied(self) -> Span:
        """What it keeps others from, with setting up and cleaning up."""
        return with_buffers(Span(self.starts_at, self.ended_at or self.ends_at), self.before_min, self.after_min)

    @property
    def minutes(self) -> int:
        return int((self.ends_at - self.starts_at) / MINUTE)


@dataclass(frozen=True)
class Wish:
    """What a citizen asks for."""

    window: Span
    people: int = 1
    name: str | None = None
    purpose: str | None = None
    subscription_id: UUID | None = None
    series_id: UUID | None = None
    waiting_id: UUID | None = None


def with_buffers(window: Span, before_min: int, after_min: int) -> Span:
    return Span(window.starts_at - before_min * MINUTE, window.ends_at + after_min * MINUTE)


def occupied_by(terms: Terms, window: Span) -> Span:
    """What a booking of the window would take, under the space's present buffers."""
    return with_buffers(window, terms.before_min, terms.after_min)


def this_minute(now: datetime) -> datetime:
    return now.replace(second=0, microsecond=0) if now.second or now.microsecond else now


def check_years(span: Span) -> None:
    """No space is thought of outside these years, where arithmetic with days and zones ends. Raises Refused."""
    if not YEARS[0] <= span.starts_at.year <= YEARS[1] or not YEARS[0] <= span.ends_at.year <= YEARS[1]:
        raise Refused("starts_at", "time-range", f"{YEARS[0]}–{YEARS[1]}년의 시각만 됩니다 / a time in these years")


def check_window(space: Space, window: Span, now: datetime) -> None:
    """The space's own rules of length, lead and range, all rims inside; hours are the calendar's. Raises Refused."""
    check_years(window)
    terms, length = space.terms, window.ends_at - window.starts_at
    if space.status == "closed":
        raise Conflict("space_id", "closed", "더는 예약을 받지 않는 공간입니다 / this space is closed")
    if length <= timedelta():
        raise Refused("ends_at", "after-start", "끝이 시작보다 늦어야 합니다 / a booking ends after it starts")
    if window.starts_at != this_minute(window.starts_at) or window.ends_at != this_minute(window.ends_at):
        raise Refused("starts_at", "whole-minutes", "분 단위로 예약합니다 / times are whole minutes")
    if not terms.min_minutes * MINUTE <= length <= terms.max_minutes * MINUTE:
        detail = f"{terms.min_minutes}–{terms.max_minutes}분 예약할 수 있습니다 / so many minutes at a time"
        raise Refused("ends_at", "length", detail)
    if window.starts_at < this_minute(now):
        raise Refused("starts_at", "in-future", "이미 지난 시각입니다 / the time has passed")
    if terms.lead_minutes and window.starts_at - now < terms.lead_minutes * MINUTE:
        raise Refused("starts_at", "lead", f"시작 {terms.lead_minutes}분 전까지 예약합니다 / booked so long before")
    if window.starts_at - now > timedelta(days=terms.ahead_days):
        raise Refused("starts_at", "too-far", f"{terms.ahead_days}일 뒤까지 예약합니다 / so many days ahead")
    check_offered(terms, window)


def check_offered(terms: Terms, window: Span) -> None:
    """From the space's first opening to its last closing. Raises Refused."""
    if terms.opens_at is not None and window.starts_at < terms.opens_at:
        raise Refused("starts_at", "not-yet-open", "아직 열지 않은 공간입니다 / the space opens later")
    if terms.closes_at is not None and window.ends_at > terms.closes_at:
        raise Refused("ends_at", "closes-before", "그 전에 닫는 공간입니다 / the space closes before")


def check_people(terms: Terms, people: int) -> None:
    """A room holds its capacity; a desk or seat its share. Raises Refused."""
    most = terms.capacity // terms.units
    if people > most:
        raise Refused("people", "capacity", f"{most}명까지 쓸 수 있습니다 / so many people at most")


def price_of(terms: Terms, window: Span) -> int:
    """What it costs in won: by hours begun to the minute and rounded up, by Korean days touched, months begun, or use."""
    if terms.price_per == "hour":
        return ceil(terms.price_krw * ((window.ends_at - window.starts_at) / MINUTE) / 60)
    if terms.price_per == "day":
        first, last = window.starts_at.astimezone(SEOUL), (window.ends_at - MINUTE).astimezone(SEOUL)
        return terms.price_krw * ((last.date() - first.date()).days + 1)
    return terms.price_krw


def hold(
    id_: UUID, space: Space, unit_id: int, citizen_id: str, wish: Wish, now: datetime, hold_s: int, *, price_krw: int
) -> Booking:
    """A new booking, held for so many seconds."""
    terms = space.terms
    return Booking(
        id_, space.id, unit_id, space.institution, citizen_id, 1, "held", wish.window.starts_at, wish.window.ends_at,
        terms.before_min, terms.after_min, now + timedelta(seconds=hold_s), 0, wish.people, wish.name, wish.purpose,
        price_krw, wish.subscription_id, 0, wish.series_id, wish.waiting_id, None, None, None, None, now, now,
    )  # fmt: skip


def paid_by(booking: Booking, subscription_id: UUID | None) -> Booking:
    """The same booking, paid for by a subscription."""
    return replace(booking, subscription_id=subscription_id)


def moved(booking: Booking, state: BookingState, now: datetime, because: str | None = None, **changed: Any) -> Booking:
    """The booking in another state, one version on; only a hold has a time to run out."""
    kept = {"hold_until": None} if state != "held" else {}
    return replace(
        booking, state=state, version=booking.version + 1, because=because, changed_at=now, **{**kept, **changed}
    )


def expect(booking: Booking, *states: BookingState) -> None:
    """Raises Conflict unless the booking is in one of the states."""
    if booking.state not in states:
        raise Conflict("state", "not-now", f"예약 상태: {booking.state} / not {' or '.join(states)}")


def lapsed(booking: Booking, now: datetime, checkin_late_s: int) -> Booking | None:
    """What time alone has made of it, None if nothing: evaluated on every read and write, so no scheduler keeps a room.

    A hold ends at exactly `hold_until`, an undecided booking at its start, one not come to after the check-in window (its
    last moment is inside), one in use when its cleaning up ends.
    """
    if booking.state == "held" and booking.hold_until is not None and booking.hold_until <= now:
        return moved(booking, "expired", now, NOT_CONFIRMED)
    if booking.state == "pending" and booking.starts_at <= now:
        return moved(booking, "expired", now, UNDECIDED)
    if booking.state == "confirmed" and check_in_ends(booking, checkin_late_s) < now:
        return moved(booking, "no_show", now, NOT_COME)
    if booking.state == "in_use" and booking.ends_at <= now:
        return moved(booking, "done", now, ended_at=booking.ends_at)
    return None


def check_in_ends(booking: Booking, checkin_late_s: int) -> datetime:
    """The last moment to check in; whoever confirmed after the start has as long from then."""
    return max(booking.starts_at, booking.confirmed_at or booking.starts_at) + timedelta(seconds=checkin_late_s)


def extend_hold(booking: Booking, now: datetime, hold_s: int, most: int) -> Booking:
    """As long again from now; an offer to who waited is not extended. Raises Conflict."""
    expect(booking, "held")
    if booking.extensions >= most or booking.waiting_id is not None:
        raise Conflict("state", "extensions", f"{most}번까지 늘릴 수 있습니다 / extended as often as may be")
    return moved(booking, "held", now, hold_until=now + timedelta(seconds=hold_s), extensions=booking.extensions + 1)


def confirm(booking: Booking, terms: Terms, now: datetime, credit_minutes: int = 0) -> Booking:
    """The citizen's yes: confirmed at once, or pending where an officer decides."""
    expect(booking, "held")
    paid = replace(booking, credit_minutes=credit_minutes)
    return asked(paid, now) if terms.approval == "officer" else agreed(paid, now)


def asked(booking: Booking, now: datetime) -> Booking:
    """An officer decides."""
    return moved(booking, "pending", now)


def agreed(booking: Booking, now: datetime) -> Booking:
    """It is the citizen's."""
    return moved(booking, "confirmed", now, confirmed_at=now)


def cancel(booking: Booking, reason: str, now: datetime) -> Booking:
    """Given up before its start. Raises Conflict afterwards: what has begun is checked out of."""
    expect(booking, "held", "pending", "confirmed")
    if booking.starts_at <= now and booking.state == "confirmed":
        raise Conflict("state", "started", "이미 시작한 예약입니다 / it has begun")
    return moved(booking, "cancelled", now, reason)


def as_event(booking: Booking) -> BookingChanged:
    return BookingChanged(
        id=booking.id, space_id=booking.space_id, institution=booking.institution, citizen_id=booking.citizen_id,
        version=booking.version, state=booking.state, starts_at=booking.starts_at, ends_at=booking.ends_at,
        hold_until=booking.hold_until, people=booking.people, series_id=booking.series_id, because=booking.because,
        changed_at=booking.changed_at,
    )  # fmt: skip
