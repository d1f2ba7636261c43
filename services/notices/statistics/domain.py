"""Statistic cards: a series of figures with its source, and how it is revised (N5). Pure: the time is passed in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from services.notices.statistics.periods import FIRST_YEAR, Every, starts
from shared.clock import SEOUL
from shared.rules import Refused

Measure = Literal["count", "number"]
Key = tuple[str, str]

TOTAL = ""
MOST_FIGURES, MOST_GROUPS = 5_000, 60
LARGEST = Decimal(10) ** 12
MOST_DIGITS = 15  # what a JSON number carries without loss


@dataclass(frozen=True)
class Figure:
    """A figure as an officer gives it; the group "" is all together. Provisional (잠정) ones are expected to change."""

    period: str
    group: str
    value: Decimal
    provisional: bool = False

    @property
    def key(self) -> Key:
        return self.period, self.group


@dataclass(frozen=True)
class Entry:
    """What a version made of a figure; without a value it was taken out. `shown`: whether the public was given the value.

    `derived`: the sum of its groups, made here because none was given.
    """

    version: int
    period: str
    group: str
    value: Decimal | None
    provisional: bool
    derived: bool
    shown: bool

    @property
    def key(self) -> Key:
        return self.period, self.group


State = Mapping[Key, Entry]


@dataclass(frozen=True)
class About:
    """What is counted, in which unit, and who says so. `adds_up`: the figures of a year's parts make the year's."""

    title: str
    unit: str
    measure: Measure
    every: Every
    source: str
    source_url: str | None = None
    note: str = ""
    adds_up: bool = False


@dataclass(frozen=True)
class Statistic:
    """One card in its newest version. `least`: counts under it are not shown. `edited_at`: when anything it had said changed."""

    id: UUID
    institution: str
    channel: str
    version: int
    about: About
    groups: tuple[str, ...]
    least: int
    as_of: date
    reason: str
    made_by: str
    created_at: datetime
    changed_at: datetime
    edited_at: datetime | None = None
    withdrawn_at: datetime | None = None


def state_of(history: Iterable[Entry]) -> dict[Key, Entry]:
    """What stands after the entries, which come in the order of their versions."""
    state: dict[Key, Entry] = {}
    for entry in history:
        if entry.value is None:
            state.pop(entry.key, None)
        else:
            state[entry.key] = entry
    return state


def check_as_of(as_of: date, now: datetime) -> None:
    """The day of which figures are has begun in Seoul. Raises Refused."""
    if as_of > now.astimezone(SEOUL).date() or as_of.year < FIRST_YEAR:
        raise Refused("as_of", "in-future", "figures are of today in Seoul or of a day before")


def checked(figures: Sequence[Figure], about: About, as_of: date) -> dict[Key, Figure]:
    """Each period and group once. Raises Refused."""
    if not 1 <= len(figures) <= MOST_FIGURES:
        raise Refused("points", "how-many", f"a series has 1 to {MOST_FIGURES:,} figures")
    by_key = {figure.key: figure for figure in figures}
    if len(by_key) < len(figures):
        raise Refused("points", "twice", "a period and group come twice")
    if len({figure.group for figure in figures} - {TOTAL}) > MOST_GROUPS:
        raise Refused("points", "too-many-groups", f"at most {MOST_GROUPS} groups")
    for figure in figures:
        check_value(figure.value, about.measure)
        check_period(figure.period, as_of)
    if about.measure == "count":
        _check_totals(by_key)
    return by_key


def check_value(value: Decimal, measure: Measure) -> None:
    """Raises Refused."""
    if not value.is_finite() or abs(value) > LARGEST or len(value.normalize().as_tuple().digits) > MOST_DIGITS:
        raise Refused("value", "value", f"a figure lies within a trillion and has at most {MOST_DIGITS} digits")
    if measure == "count" and (value < 0 or value != value.to_integral_value()):
        raise Refused("value", "whole-number", "a count is a whole number, 0 or more")


def check_period(period: str, as_of: date) -> None:
    """Raises Refused for a period that had not begun when the figures were so."""
    if starts(period) > as_of:
        raise Refused("period", "in-future", f"{period} begins after {as_of}")


def _check_totals(figures: Mapping[Key, Figure]) -> None:
    """Groups are parts that do not overlap: a sum within a sum would tell what is hidden beside it."""
    parts: Counter[str] = Counter()
    for (period, group), figure in figures.items():
        parts[period] += 0 if group == TOTAL else int(figure.value)
    for (period, group), figure in figures.items():
        if group == TOTAL and figure.value < parts[period]:
            raise Refused("points", "groups-overlap", f"the groups of {period} are more than all together")


def with_totals(figures: Mapping[Key, Figure], measure: Measure) -> tuple[dict[Key, Figure], set[Key]]:
    """Counts with the sum of their groups where none was given, and which those are."""
    if measure != "count":
        return dict(figures), set()
    parts: dict[str, list[Figure]] = {}
    for figure in figures.values():
        parts.setdefault(figure.period, []).append(figure)
    whole, derived = dict(figures), set()
    for period, some in parts.items():
        if (period, TOTAL) not in figures:
            total = sum((figure.value for figure in some), Decimal(0))
            whole[period, TOTAL] = Figure(period, TOTAL, total, any(figure.provisional for figure in some))
            derived.add((period, TOTAL))
    return whole, derived


def given(state: State) -> list[Figure]:
    """The figures as officers gave them: sums that were made here left out."""
    return [
        Figure(entry.period, entry.group, entry.value, entry.provisional)
        for entry in state.values()
        if entry.value is not None and not entry.derived
    ]


def tells_news(known: Sequence[Figure], told: Sequence[Figure]) -> bool:
    """Whether any of these is new or different."""
    by_key = {figure.key: figure for figure in known}
    return any(by_key.get(figure.key) != figure for figure in told)


def merged(before: Sequence[Figure], added: Sequence[Figure]) -> list[Figure]:
    """The series with figures added or replaced."""
    return list(({figure.key: figure for figure in before} | {figure.key: figure for figure in added}).values())


def ordered(before: Sequence[str], figures: Iterable[Figure]) -> tuple[str, ...]:
    """Groups in the order in which they were first given; those that are gone left out."""
    present = dict.fromkeys(figure.group for figure in figures if figure.group != TOTAL)
    return (*(group for group in before if group in present), *(g for g in present if g not in before))


def contradicts(before: State, entries: Iterable[Entry]) -> bool:
    """Whether what was said before is different now: not what is new, nor what was provisional and stayed as it was."""
    changed = ((before.get(entry.key), entry) for entry in entries if not entry.derived)
    return any(old is not None and old.value != entry.value for old, entry in changed)


def moved_on(
    statistic: Statistic,
    about: About,
    groups: tuple[str, ...],
    as_of: date,
    reason: str,
    now: datetime,
    *,
    edited: bool,
) -> Statistic:
    """The next version."""
    edited_at = now if edited or about != statistic.about else statistic.edited_at
    return replace(
        statistic, version=statistic.version + 1, about=about, groups=groups, as_of=as_of, reason=reason, changed_at=now,
        edited_at=edited_at, withdrawn_at=None,
    )  # fmt: skip
