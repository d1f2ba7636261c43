"""When a citizen is free and when quiet: windows and quiet hours as spans of time. Pure: the time is passed in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from shared.clock import SEOUL
from shared.contracts.base import Kind
from shared.contracts.watch import QuietHours, Watch, WeeklyWindow
from shared.geo import District
from shared.rules import Refused

LOOK_AHEAD = timedelta(days=8)
MOST_CHANNELS, MOST_POSTINGS = 200, 500

Muted = Literal["posting", "channel", "kind"]


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
    return None if quiet is None else quiet.until(now)


@dataclass(frozen=True)
class Told:
    """Of an alert what may be muted."""

    posting_id: UUID
    kind: Kind
    channel: str | None


def muting(watch: Watch | None, what: Muted, about: Told) -> dict[str, Any]:
    """The settings that change when a citizen mutes from an alert; muting twice changes nothing. Raises Refused."""
    postings = watch.muted_postings if watch is not None else ()
    channels = watch.muted_channels if watch is not None else ()
    if what == "posting":
        kept = [posting for posting in postings if posting != about.posting_id]
        return {"muted_postings": (*kept, about.posting_id)[-MOST_POSTINGS:]}  # the oldest are over by then
    if what == "kind":
        kinds = watch.kinds if watch is not None else ("job", "space", "notice")
        return {"kinds": tuple(kind for kind in kinds if kind != about.kind)}
    if about.channel is None:
        raise Refused("muted", "no-channel", "this posting names no channel")
    rest = [channel for channel in channels if channel != about.channel]
    if len(rest) >= MOST_CHANNELS:
        raise Refused("muted", "too-many-channels", f"{MOST_CHANNELS} channels are muted already")
    return {"muted_channels": (*rest, about.channel)}


def current_codes(codes: Iterable[str], district: District, *, field: str = "home_dongs") -> tuple[str, ...]:
    """The 행정동 codes in force since 2026-07 for codes of either kind, ascending, each once. Raises Refused."""
    found = set()
    for nth, code in enumerate(codes):
        dong = district.by_code.get(code)
        if dong is None:
            raise Refused(f"{field}.{nth}", "unknown-dong", "no 행정동 of 광산구 has this code, neither new nor old")
        found.add(dong.code)
    return tuple(sorted(found))
