"""When a citizen is free and when quiet: windows and quiet hours as spans of time. Pure: the time is passed in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from shared.clock import SEOUL
from shared.contracts.watch import QuietHours, Watch, WeeklyWindow

LOOK_AHEAD = timedelta(days=8)


@dataclass(frozen=True)
class Span:
    """From `starts_at` (inside) to `ends_at` (not inside)."""

    starts_at: datetime
    ends_at: datetime

    def holds(self, now: datetime) -> bool:
        return self.starts_at <= now < self.ends_at


def free_spans(watch: Watch, now: datetime) -> list[Span]:
    """The citizen's windows, dated and weekly, that are not over yet, joined where they touch; eight days ahead."""
    dated = [Span(w.starts_at, w.ends_at) for w in watch.windows]
    weekly = [span for w in watch.weekly for span in _occurrences(w, now)]
    return _joined(span for span in dated + weekly if now < span.ends_at and span.starts_at < span.ends_at)


def _occurrences(window: WeeklyWindow, now: datetime) -> Iterable[Span]:
    """Yesterday's may still run, so the search begins a day back."""
    today = now.astimezone(SEOUL).date()
    for offset in range(-1, LOOK_AHEAD.days + 1):
        day = today + timedelta(days=offset)
        if day.weekday() == window.weekday:
            starts_at = datetime.combine(day, window.starts, SEOUL)
            ends_at = datetime.combine(day, window.ends, SEOUL)
            yield Span(starts_at, ends_at if ends_at > starts_at else ends_at + timedelta(days=1))


def _joined(spans: Iterable[Span]) -> list[Span]:
    result: list[Span] = []
    for span in sorted(spans, key=lambda s: s.starts_at):
        if result and span.starts_at <= result[-1].ends_at:
            result[-1] = Span(result[-1].starts_at, max(result[-1].ends_at, span.ends_at))
        else:
            result.append(span)
    return result


def has_windows(watch: Watch) -> bool:
    """A citizen who named no window at all is always available."""
    return bool(watch.windows or watch.weekly)


def quiet_until(quiet: QuietHours | None, now: datetime) -> datetime | None:
    """The end of the quiet hours that `now` is in, or None. Their start is inside, their end is not."""
    if quiet is None or quiet.starts == quiet.ends:
        return None
    starts, ends = (hour.replace(tzinfo=None) for hour in (quiet.starts, quiet.ends))
    local = now.astimezone(SEOUL)
    clock = local.timetz().replace(tzinfo=None)
    if not _within(clock, starts, ends):
        return None
    end = datetime.combine(local.date(), ends, SEOUL)
    return end if clock < ends else end + timedelta(days=1)


def _within(clock: time, starts: time, ends: time) -> bool:
    return starts <= clock < ends if starts < ends else clock >= starts or clock < ends
