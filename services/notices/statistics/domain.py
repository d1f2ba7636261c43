"""A series of figures with its source, and what of it may be shown (N5). Pure.

Counts under a limit are not shown. Nor is what would tell them: where a row has a sum, at least one figure at or above the
limit is hidden beside them, and where there is none, the sum. A sum that is shown never gives a hidden figure away.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from shared.rules import Refused

Measure = Literal["count", "number"]
Every = Literal["year", "quarter", "month", "day"]

TOTAL = ""
MOST_POINTS, MOST_GROUPS = 5_000, 60
LARGEST = Decimal(10) ** 12
_PERIODS: Mapping[Every, re.Pattern[str]] = {
    "year": re.compile(r"(\d{4})(?:년)?"),
    "quarter": re.compile(r"(\d{4})[-./ 년]*(?:Q|0)?([1-4])(?:Q|분기)?", re.IGNORECASE),
    "month": re.compile(r"(\d{4})[-./ 년]*(0?[1-9]|1[0-2])(?:월)?"),
    "day": re.compile(r"(\d{4})[-./ 년]*(0?[1-9]|1[0-2])[-./ 월]*(0?[1-9]|[12]\d|3[01])(?:일)?"),
}  # fmt: skip


@dataclass(frozen=True)
class Point:
    """A figure of a period; the group "" is all together."""

    period: str
    group: str
    value: Decimal


@dataclass(frozen=True)
class About:
    """What is counted, in which unit, and who says so."""

    title: str
    unit: str
    measure: Measure
    every: Every
    source: str
    source_url: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Statistic:
    """One series in its newest version."""

    id: UUID
    institution: str
    channel: str
    version: int
    about: About
    points: tuple[Point, ...]
    as_of: date
    made_by: str
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True)
class Cell:
    """A figure as it may be shown; hidden, it has none."""

    value: Decimal | None
    hidden: bool = False


@dataclass(frozen=True)
class Line:
    """One period: all together, and each group."""

    period: str
    total: Cell
    groups: Mapping[str, Cell]


def period_of(written: str, every: Every) -> str:
    """2026, 2026-Q1, 2026-03 or 2026-03-05, of what people and KOSIS write. Raises Refused."""
    found = _PERIODS[every].fullmatch(written.strip())
    if found is None:
        raise Refused("period", "period", f"not a {every}: {written[:30]}")
    if every == "year":
        return found[1]
    if every == "quarter":
        return f"{found[1]}-Q{found[2]}"
    parts = [f"{int(part):02d}" for part in found.groups()[1:]]
    try:
        date.fromisoformat("-".join([found[1], *parts, *(["01"] if every == "month" else [])]))
    except ValueError:
        raise Refused("period", "period", f"no such day: {written[:30]}") from None
    return "-".join([found[1], *parts])


def checked(points: Sequence[Point], about: About) -> tuple[Point, ...]:
    """Each period and group once, in order. Raises Refused."""
    if not points or len(points) > MOST_POINTS:
        raise Refused("points", "how-many", f"a series has 1 to {MOST_POINTS:,} figures")
    keys = [(point.period, point.group) for point in points]
    if len(set(keys)) != len(keys):
        raise Refused("points", "twice", "a period and group come twice")
    if len({point.group for point in points}) > MOST_GROUPS:
        raise Refused("points", "too-many-groups", f"at most {MOST_GROUPS} groups")
    for point in points:
        _check_value(point, about)
    return tuple(sorted(points, key=lambda point: (point.period, point.group)))


def _check_value(point: Point, about: About) -> None:
    if not point.value.is_finite() or abs(point.value) > LARGEST:
        raise Refused("points", "value", "a figure lies within a trillion")
    if about.measure == "count" and (point.value < 0 or point.value != point.value.to_integral_value()):
        raise Refused("points", "whole-number", "a count is a whole number, 0 or more")


def merged(before: Sequence[Point], added: Sequence[Point]) -> list[Point]:
    """The series with figures added or replaced."""
    kept = {(point.period, point.group): point for point in before}
    kept |= {(point.period, point.group): point for point in added}
    return list(kept.values())


def revised(statistic: Statistic, about: About, points: Sequence[Point], as_of: date, now: datetime) -> Statistic:
    """The next version; the same where nothing changed. Raises Refused."""
    sorted_points = checked(points, about)
    if (about, sorted_points, as_of) == (statistic.about, statistic.points, statistic.as_of):
        return statistic
    version = statistic.version + 1
    return replace(statistic, about=about, points=sorted_points, as_of=as_of, version=version, changed_at=now)


def table_of(points: Sequence[Point], measure: Measure, least: int) -> list[Line]:
    """What may be shown, oldest period first. Where no sum was given the groups' sum is it, for counts."""
    by_period: dict[str, dict[str, Decimal]] = {}
    for point in points:
        by_period.setdefault(point.period, {})[point.group] = point.value
    return [_line(period, by_period[period], measure, least) for period in sorted(by_period)]


def _line(period: str, values: Mapping[str, Decimal], measure: Measure, least: int) -> Line:
    groups = {name: value for name, value in values.items() if name != TOTAL}
    total = values.get(TOTAL, sum(groups.values(), Decimal(0)) if groups and measure == "count" else None)
    if measure != "count":
        return Line(period, Cell(total), {name: Cell(value) for name, value in groups.items()})
    hidden, hide_total = _hidden(groups, total, least)
    shown = Cell(None, hidden=True) if hide_total else Cell(total)
    return Line(
        period, shown, {name: Cell(None, hidden=True) if name in hidden else Cell(v) for name, v in groups.items()}
    )


def _hidden(groups: Mapping[str, Decimal], total: Decimal | None, least: int) -> tuple[set[str], bool]:
    """(groups to hide, whether to hide the sum)."""
    hidden = {name for name, value in groups.items() if value < least}
    hide_total = total is not None and total < least
    if not hidden or hide_total or total is None:
        return hidden, hide_total
    enough = sorted((name for name in groups if name not in hidden), key=lambda name: (groups[name], name))
    if not enough:
        return hidden, True
    return hidden | {enough[0]}, False


def headline(lines: Sequence[Line]) -> tuple[str, Cell] | None:
    """The newest period that has a figure for all together, and that figure."""
    return next(
        ((line.period, line.total) for line in reversed(lines) if line.total.value is not None or line.total.hidden),
        None,
    )


def said(cell: Cell, least: int) -> str:
    """A figure as people read it."""
    if cell.hidden:
        return f"{least} 미만 등 비공개"
    return "–" if cell.value is None else f"{cell.value.normalize():,f}"
