"""Free times of spaces, as the booking engine would grant them. Pure; says how many units, never whose the rest are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.spaces.bookings.domain import MINUTE, this_minute
from services.spaces.calendars.domain import Rules, Span, open_spans, without
from services.spaces.facilities.domain import Space, Terms


@dataclass(frozen=True)
class SpaceTimes:
    """A space with its calendar, its units, and what is taken on each (buffers of the bookings included)."""

    space: Space
    rules: Rules
    units: tuple[int, ...]
    busy: Mapping[int, Sequence[Span]]


@dataclass(frozen=True)
class FreeTime:
    """A span in which so many units are free from end to end; any window inside, of a good length, can be booked."""

    starts_at: datetime
    ends_at: datetime
    units: int


def earliest_start(terms: Terms, now: datetime) -> datetime:
    """The first whole minute at which a booking made now may begin."""
    if terms.lead_minutes == 0:
        return this_minute(now)
    return _minute_up(now + terms.lead_minutes * MINUTE)


def latest_start(terms: Terms, now: datetime) -> datetime:
    return now + timedelta(days=terms.ahead_days)


def _minute_up(moment: datetime) -> datetime:
    minute = this_minute(moment)
    return minute if minute == moment else minute + MINUTE


def offered_span(terms: Terms, asked: Span, now: datetime) -> Span | None:
    """The part of a span in which the space takes bookings at all."""
    starts = max(asked.starts_at, earliest_start(terms, now), terms.opens_at or asked.starts_at)
    ends = min(asked.ends_at, terms.closes_at or asked.ends_at)
    return Span(starts, ends) if starts < ends else None


def free_times(times: SpaceTimes, asked: Span, now: datetime) -> list[FreeTime]:
    """The longest free spans within what was asked, in order. Spans too short to book, or too far ahead, are left out."""
    terms = times.space.terms
    offered = offered_span(terms, asked, now) if times.space.status == "open" else None
    if offered is None:
        return []
    open_, shortest, latest = (
        open_spans(times.rules, *_ends(offered)),
        terms.min_minutes * MINUTE,
        latest_start(terms, now),
    )
    counted: Counter[tuple[datetime, datetime]] = Counter()
    for unit in times.units:
        for span in without(open_, [_kept_free(terms, busy) for busy in times.busy.get(unit, ())]):
            starts, ends = _minute_up(span.starts_at), this_minute(span.ends_at)
            if ends - starts >= shortest and starts <= latest:
                counted[starts, ends] += 1
    if len(times.units) == 1:
        return [FreeTime(starts, ends, 1) for starts, ends in sorted(counted)]
    return [
        FreeTime(starts, ends, sum(n for (s, e), n in counted.items() if s <= starts and ends <= e))
        for starts, ends in sorted(counted)
    ]


def _ends(span: Span) -> tuple[datetime, datetime]:
    return span.starts_at, span.ends_at


def _kept_free(terms: Terms, busy: Span) -> Span:
    """What a new booking itself may not touch: what is taken, and its own setting up and cleaning up beside it."""
    if not (terms.after_min or terms.before_min):
        return busy
    return Span(busy.starts_at - terms.after_min * MINUTE, busy.ends_at + terms.before_min * MINUTE)


def is_free(times: SpaceTimes, window: Span, now: datetime) -> bool:
    """Whether a booking of the window, made now, would be granted."""
    terms, length = times.space.terms, window.ends_at - window.starts_at
    if not terms.min_minutes * MINUTE <= length <= terms.max_minutes * MINUTE:
        return False
    if window.starts_at > latest_start(terms, now):
        return False
    return any(t.starts_at <= window.starts_at and window.ends_at <= t.ends_at for t in free_times(times, window, now))


def free_from_now(times: SpaceTimes, now: datetime, minutes: int | None) -> FreeTime | None:
    """Free from this minute on, for so long at least (the space's shortest booking unless said). None if not."""
    start, terms = this_minute(now), times.space.terms
    least = max(minutes or 0, terms.min_minutes) * MINUTE
    if least > terms.max_minutes * MINUTE:
        return None
    spans = [t for t in free_times(times, Span(start, start + timedelta(days=1)), now) if t.starts_at == start]
    longest = max(spans, key=lambda t: t.ends_at, default=None)
    return longest if longest is not None and longest.ends_at - start >= least else None


def nearest_windows(times: SpaceTimes, wanted: Span, asked: Span, now: datetime, most: int) -> list[Span]:
    """Windows as long as the one wanted, in the free times around it, the nearest start first."""
    length = wanted.ends_at - wanted.starts_at
    starts = {
        min(max(wanted.starts_at, free.starts_at), free.ends_at - length)
        for free in free_times(times, asked, now)
        if free.ends_at - free.starts_at >= length
    }
    nearest = sorted(starts, key=lambda start: (abs(start - wanted.starts_at), start))
    return [Span(start, start + length) for start in nearest if start <= latest_start(times.space.terms, now)][:most]
