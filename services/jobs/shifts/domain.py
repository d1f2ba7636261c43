"""Shifts that recur: the same work on several days of Asia/Seoul. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from shared.clock import SEOUL

MOST_SHIFTS = 60


@dataclass(frozen=True)
class Shift:
    """One day's work."""

    starts_at: datetime
    ends_at: datetime


def recurring(starts_at: datetime, ends_at: datetime, weekdays: Sequence[int], until: date) -> list[Shift]:
    """The first shift's hours on every such weekday (0 is Monday) from its own day to `until`, both inside; at most 60
    and one more, by which a caller sees that there would be too many.
    """
    return [
        Shift(starts_at + timedelta(days=n), ends_at + timedelta(days=n))
        for n in _days(starts_at.astimezone(SEOUL).date(), weekdays, until)
    ]


def _days(first: date, weekdays: Sequence[int], until: date) -> Iterator[int]:
    found = 0
    for n in range(366):
        day = first + timedelta(days=n)
        if day > until or found > MOST_SHIFTS:
            return
        if day.weekday() in weekdays:
            found += 1
            yield n
