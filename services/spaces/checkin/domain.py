"""Coming, not coming, and what follows: penalty points, the waiting line, times told as free. Pure: the time is passed in."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from uuid import UUID

from services.spaces.bookings.domain import MINUTE, Booking, check_in_ends, expect, moved, this_minute
from services.spaces.calendars.domain import Span
from services.spaces.facilities.domain import Space
from shared.clock import SEOUL
from shared.contracts import Posting
from shared.contracts.posting import Audience, Circle, Shows, Where, veiled
from shared.contracts.space import PenaltyChanged, WaitingChanged, WaitingState
from shared.rules import Conflict

GONE = "마감: 예약되었습니다"
SHUT = "마감: 지금은 열지 않습니다"


@dataclass(frozen=True)
class Point:
    """One no-show. A waived one counts for nothing."""

    id: UUID
    booking_id: UUID
    citizen_id: str
    institution: str
    given_at: datetime
    lapses_at: datetime
    waived_at: datetime | None = None
    waived_by: str | None = None
    waived_because: str | None = None


@dataclass(frozen=True)
class PenaltyRule:
    """How many live points suspend, for how long a point lives and a suspension lasts; settings."""

    points: int = 3
    lapse_months: int = 3
    suspension_months: int = 1


@dataclass(frozen=True)
class Waiting:
    """Somebody who wants a time that is taken."""

    id: UUID
    space_id: UUID
    institution: str
    citizen_id: str
    version: int
    state: WaitingState
    starts_at: datetime
    ends_at: datetime
    people: int
    booking_id: UUID | None
    offered_until: datetime | None
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True)
class Gap:
    """A time that became free and is told to people nearby, as a posting of its own."""

    id: UUID
    space_id: UUID
    unit_id: int
    version: int
    status: str
    starts_at: datetime
    ends_at: datetime
    not_for: tuple[str, ...]
    taken_by: UUID | None
    changed_at: datetime


def months_on(moment: datetime, months: int) -> datetime:
    """The same day so many months on (the month's last, where it has no such day), at midnight in Seoul."""
    day = moment.astimezone(SEOUL).date()
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = monthrange(year, month + 1)[1]
    return datetime.combine(day.replace(year=year, month=month + 1, day=min(day.day, last)), time(), SEOUL)


def live_points(points: Sequence[Point], at: datetime) -> list[Point]:
    """Those that count at a moment; a point lapses exactly at `lapses_at`."""
    return [p for p in points if p.waived_at is None and p.given_at <= at < p.lapses_at]


def suspended_until(points: Sequence[Point], rule: PenaltyRule, now: datetime) -> datetime | None:
    """When the citizen may book again, None if they may: each point that makes three live ones suspends from then on."""
    ends = [
        months_on(point.given_at, rule.suspension_months)
        for point in points
        if point.waived_at is None and len(live_points(points, point.given_at)) >= rule.points
    ]
    latest = max(ends, default=None)
    return latest if latest is not None and latest > now else None


def check_in(booking: Booking, now: datetime, early_s: int, late_s: int) -> Booking:
    """From so long before the start to so long after, both inside. Raises Conflict outside."""
    if booking.state == "no_show":
        raise Conflict("state", "too-late", "체크인 시간이 지나 예약이 풀렸습니다 / released: checked in too late")
    expect(booking, "confirmed")
    if now < booking.starts_at - timedelta(seconds=early_s):
        raise Conflict("state", "too-early", f"시작 {early_s // 60}분 전부터 체크인합니다 / too early to check in")
    if now > check_in_ends(booking, late_s):
        raise Conflict("state", "too-late", "체크인 시간이 지났습니다 / too late to check in")
    return moved(booking, "in_use", now, checked_in_at=now)


def check_out(booking: Booking, now: datetime) -> Booking:
    """Leaving; the rest of the time is free, less the cleaning up."""
    expect(booking, "in_use")
    return moved(booking, "done", now, ended_at=min(max(now, booking.starts_at + MINUTE), booking.ends_at))


def freed(booking: Booking, now: datetime) -> Span | None:
    """The part of a booking that is over which others can still use, in whole minutes."""
    begins = booking.starts_at
    if booking.state == "done":
        begins = booking.occupied.ends_at + booking.before_min * MINUTE
    begins = max(begins, now)
    begins = this_minute(begins) + (MINUTE if begins != this_minute(begins) else timedelta())
    return Span(begins, booking.ends_at) if begins < booking.ends_at else None


def offer_windows(waiting: Waiting, free: Span, least_s: int) -> list[Span]:
    """What to try for who waits: all of the time they wanted that is still to come, or the part that became free."""
    whole = Span(max(waiting.starts_at, min(free.starts_at, waiting.ends_at)), waiting.ends_at)
    if waiting.starts_at >= free.starts_at:
        whole = Span(waiting.starts_at, waiting.ends_at)
    part = Span(max(waiting.starts_at, free.starts_at), min(waiting.ends_at, free.ends_at))
    least = timedelta(seconds=least_s)
    return [span for span in dict.fromkeys((whole, part)) if span.ends_at - span.starts_at >= least]


def line_moved(waiting: Waiting, state: WaitingState, now: datetime, offer: Booking | None = None) -> Waiting:
    """One version on; an offer names the booking that is held."""
    held = {"booking_id": offer.id, "offered_until": offer.hold_until} if offer is not None else {}
    return replace(waiting, state=state, version=waiting.version + 1, changed_at=now, **held)  # type: ignore[arg-type]


def as_waiting_event(waiting: Waiting) -> WaitingChanged:
    return WaitingChanged(**{name: getattr(waiting, name) for name in WaitingChanged.model_fields})


def as_penalty_event(
    point: Point, points: Sequence[Point], rule: PenaltyRule, now: datetime, because: str | None = None
) -> PenaltyChanged:
    return PenaltyChanged(
        id=point.id, citizen_id=point.citizen_id, booking_id=point.booking_id, institution=point.institution,
        state="given" if point.waived_at is None else "waived", live_points=len(live_points(points, now)),
        suspended_until=suspended_until(points, rule, now), lapses_at=point.lapses_at, because=because, changed_at=now,
    )  # fmt: skip


def gap_of(id_: UUID, booking: Booking, free: Span, now: datetime) -> Gap:
    """Not told to who had the booking."""
    not_for = (veiled(id_, booking.citizen_id),)
    return Gap(id_, booking.space_id, booking.unit_id, 1, "open", free.starts_at, free.ends_at, not_for, None, now)


def as_posting(gap: Gap, space: Space, radius_m: int) -> Posting:
    """What the platform sees of a gap: a space, urgent, free for that time, within walking distance."""
    terms, is_open = space.terms, gap.status == "open"
    return Posting(
        id=gap.id, kind="space", version=gap.version, urgent=True, status="open" if is_open else "closed",
        closed_because=None if is_open else GONE if gap.taken_by is not None else SHUT,
        where=Where(circles=(Circle(lat=terms.place.lat, lon=terms.place.lon, radius_m=radius_m),)),
        audience=Audience(interests=terms.interests, channel=space.institution, not_for=gap.not_for),
        headline=f"지금 비었습니다: {terms.headline}"[:200], institution=space.institution,
        starts_at=gap.starts_at, ends_at=gap.ends_at, expires_at=gap.ends_at,
        shows=Shows(place=terms.place.name, price_krw=terms.price_krw, price_per=terms.price_per),
        link=f"/api/spaces/spaces/{space.id}", changed_at=gap.changed_at,
    )  # fmt: skip
