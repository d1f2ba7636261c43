"""Usage of an institution's spaces: how much of the time that they were open they were booked. Pure; hours are Korea's."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.spaces.availability.domain import SpaceTimes
from services.spaces.calendars.domain import Spanning, open_spans
from shared.clock import SEOUL

HOUR = timedelta(hours=1)
WEEKDAYS = ("월 Mon", "화 Tue", "수 Wed", "목 Thu", "금 Fri", "토 Sat", "일 Sun")
Cell = tuple[int, int]


@dataclass(frozen=True)
class CellUse:
    """One hour of one weekday: unit-minutes open and booked. `rate` is None where nothing was open."""

    weekday: int
    hour: int
    open_minutes: float
    booked_minutes: float

    @property
    def rate(self) -> float | None:
        return round(self.booked_minutes / self.open_minutes, 4) if self.open_minutes else None


@dataclass(frozen=True)
class Usage:
    """What became of the bookings that began in a span, and how full the spaces were."""

    states: Mapping[str, int]
    cells: tuple[CellUse, ...]

    @property
    def no_show_rate(self) -> float | None:
        """No-shows among those whose time came: no-shows, in use, done."""
        came = self.states.get("done", 0) + self.states.get("in_use", 0)
        missed = self.states.get("no_show", 0)
        return round(missed / (came + missed), 4) if came + missed else None

    @property
    def occupancy(self) -> float | None:
        open_minutes = sum(cell.open_minutes for cell in self.cells)
        return round(sum(c.booked_minutes for c in self.cells) / open_minutes, 4) if open_minutes else None


def by_hour(span: Spanning) -> Iterator[tuple[Cell, float]]:
    """((weekday, hour), minutes) of a span, in Seoul; Monday is 0."""
    at = span.starts_at.astimezone(SEOUL)
    end = span.ends_at.astimezone(SEOUL)
    while at < end:
        following = min(end, at.replace(minute=0, second=0, microsecond=0) + HOUR)
        yield (at.weekday(), at.hour), (following - at) / timedelta(minutes=1)
        at = following


def open_minutes(spaces: Iterable[SpaceTimes], since: datetime, until: datetime) -> dict[Cell, float]:
    """Unit-minutes that the spaces were open, by weekday and hour."""
    found: dict[Cell, float] = {}
    for times in spaces:
        for span in open_spans(times.rules, since, until):
            for cell, minutes in by_hour(span):
                found[cell] = found.get(cell, 0.0) + minutes * len(times.units)
    return found


def usage_of(states: Mapping[str, int], booked: Mapping[Cell, float], open_: Mapping[Cell, float]) -> Usage:
    """Every hour of the week in which anything was open or booked, Monday's first hour first."""
    cells = sorted({*booked, *open_})
    return Usage(states, tuple(
        CellUse(day, hour, round(open_.get((day, hour), 0.0), 2), round(booked.get((day, hour), 0.0), 2))
        for day, hour in cells
    ))  # fmt: skip


def as_csv(usage: Usage) -> bytes:
    """UTF-8 with a byte order mark, by which spreadsheets know Korean."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(("요일 weekday", "시 hour", "개방(분) open", "이용(분) booked", "이용률 occupancy"))
    for cell in usage.cells:
        rate = "" if cell.rate is None else cell.rate
        writer.writerow((WEEKDAYS[cell.weekday], cell.hour, cell.open_minutes, cell.booked_minutes, rate))
    writer.writerow(("전체 이용률 occupancy", "", "", "", "" if usage.occupancy is None else usage.occupancy))
    writer.writerow(("노쇼율 no-show rate", "", "", "", "" if usage.no_show_rate is None else usage.no_show_rate))
    for state, count in sorted(usage.states.items()):
        writer.writerow((f"예약 {state}", "", "", "", count))
    return out.getvalue().encode("utf-8-sig")
