"""Working time in Korean days, months and nights. Pure; every time is aware."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from shared.clock import SEOUL

NIGHT_FROM, NIGHT_UNTIL = time(22), time(6)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def by_day(starts_at: datetime, ends_at: datetime) -> Iterator[tuple[date, float]]:
    """(Korean day, minutes worked on it): a shift over midnight is split there."""
    start, end = starts_at.astimezone(SEOUL), ends_at.astimezone(SEOUL)
    while start < end:
        midnight = datetime.combine(start.date() + DAY, time(), SEOUL)
        yield start.date(), (min(end, midnight) - start) / MINUTE
        start = midnight


def month_of(day: date) -> str:
    return f"{day:%Y-%m}"


def by_month(starts_at: datetime, ends_at: datetime) -> dict[str, float]:
    """Minutes in each Korean month that a shift touches."""
    minutes: dict[str, float] = {}
    for day, worked in by_day(starts_at, ends_at):
        minutes[month_of(day)] = minutes.get(month_of(day), 0.0) + worked
    return minutes


def touches_night(starts_at: datetime, ends_at: datetime) -> bool:
    """Whether any of it is between 22:00 and 06:00; ending at exactly 22:00 or beginning at 06:00 does not touch it."""
    start, end = starts_at.astimezone(SEOUL), ends_at.astimezone(SEOUL)
    night = datetime.combine(start.date() - DAY, NIGHT_FROM, SEOUL)
    while night < end:
        if start < night + timedelta(hours=8):
            return True
        night += DAY
    return False


def week_of(day: date) -> tuple[int, int]:
    """The Korean week, Monday to Sunday, by its ISO year and number."""
    year, week, _ = day.isocalendar()
    return year, week
