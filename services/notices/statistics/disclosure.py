"""What of counts may be shown (N5): none under a limit, and nothing from which one could be worked out. Pure.

Whoever reads knows every version, and rightly takes a figure for unchanged that was not told to have changed. So what is
decided is kept: a figure once hidden stays hidden until its value changes, and one once shown hides nothing, in whichever
version. A period's sum is one
equation over its groups; it is shown only
- where nothing is hidden beside it, or
- where all that is hidden is new: then with so much hidden that each small count may still be anything from 0 to the
  limit, even for who knows these rules; or
- where exactly the same figures are hidden as when it was last shown, so that it tells nothing new of them.
Otherwise it is hidden itself, even where it stays what it was. So no two different equations that are known share a
hidden figure. docs/decisions/0016 and docs/architecture/statistics.md say why this is enough.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from services.notices.statistics.domain import TOTAL, Entry, Figure, Key, Measure, State, state_of, with_totals

# What of a sum no group accounts for: nobody is shown it, everybody can subtract.
REST = "\uffff"
Hidden = frozenset[str]
One = TypeVar("One", Figure, Entry)


@dataclass(frozen=True)
class Row:
    """One period: its groups and their sum; what stood before; and which values of which group were ever hidden, or shown."""

    values: Mapping[str, Decimal]
    total: Decimal
    before: Mapping[str, Entry]
    ever_hidden: Mapping[str, frozenset[Decimal]]
    ever_shown: Mapping[str, frozenset[Decimal]]


def entries_of(
    history: Sequence[Entry], figures: Mapping[Key, Figure], measure: Measure, least: int, version: int
) -> list[Entry]:
    """What this version makes different, each with whether it is shown. Nothing of what stays as it is."""
    before, (whole, derived) = state_of(history), with_totals(figures, measure)
    hidden = _hidden(history, before, whole, least) if measure == "count" else set()
    made = [
        Entry(version, key[0], key[1], figure.value, figure.provisional, key in derived, key not in hidden)
        for key, figure in whole.items()
    ]
    gone = [
        Entry(version, *key, None, False, old.derived, old.shown) for key, old in before.items() if key not in whole
    ]
    return [*(entry for entry in made if _differs(before.get(entry.key), entry)), *gone]


def _differs(old: Entry | None, new: Entry) -> bool:
    return old is None or (old.value, old.provisional, old.derived, old.shown) != (
        new.value, new.provisional, new.derived, new.shown,
    )  # fmt: skip


def _hidden(history: Sequence[Entry], before: State, whole: Mapping[Key, Figure], least: int) -> set[Key]:
    rows, old_rows = _by_period(whole.values()), _by_period(before.values())
    was_hidden, was_shown = (_remembered(history, shown=shown) for shown in (False, True))
    small = Counter(figure.group for figure in whole.values() if figure.value < least)
    hidden = set()
    for period, figures in rows.items():
        old = old_rows.get(period, {})
        if _same(old, figures):
            hidden |= {(period, group) for group, entry in old.items() if not entry.shown}
            continue
        values = {group: figure.value for group, figure in figures.items() if group != TOTAL}
        ever = (
            {group: memory.get((period, group), frozenset()) for group in values} for memory in (was_hidden, was_shown)
        )
        row = Row(values, figures[TOTAL].value, old, *ever)
        # Which figure is hidden beside a small one says nothing of its size: that would be a bound.
        by_habit = sorted(values, key=lambda group: (-small[group], group))
        hidden |= {(period, group) for group in hidden_in(row, least, by_habit)}
    return hidden


def _by_period(some: Iterable[One]) -> dict[str, dict[str, One]]:
    found: dict[str, dict[str, One]] = {}
    for one in some:
        found.setdefault(one.period, {})[one.group] = one
    return found


def _same(old: Mapping[str, Entry], new: Mapping[str, Figure]) -> bool:
    return {group: one.value for group, one in old.items()} == {group: one.value for group, one in new.items()}


def _remembered(history: Iterable[Entry], *, shown: bool) -> dict[Key, frozenset[Decimal]]:
    found: dict[Key, set[Decimal]] = {}
    for entry in history:
        if entry.value is not None and entry.shown == shown:
            found.setdefault(entry.key, set()).add(entry.value)
    return {key: frozenset(values) for key, values in found.items()}


def hidden_in(row: Row, least: int, by_habit: Sequence[str]) -> Hidden:
    """The groups of one period that are hidden, TOTAL among them where the sum is. `by_habit`: who is hidden beside, first to last."""
    rest = row.total - sum(row.values.values())
    parts = {**row.values, **({REST: rest} if rest else {})}
    old = {group for group, value in row.values.items() if value in row.ever_hidden.get(group, frozenset())}
    old |= {REST} & parts.keys() if _rest_of(row.before) == rest < least else set()
    small = {group for group, value in parts.items() if value < least}
    certain = frozenset(old | small)
    if row.total < least:
        return _told(certain | {TOTAL})
    if not certain:
        return frozenset()
    free = [
        group
        for group in by_habit
        if group not in certain and row.values[group] not in row.ever_shown.get(group, frozenset())
    ]
    if not old:
        beside = _enough(parts, certain, free, least)
        if beside is not None:
            return _told(certain | beside)
    elif _is_known_already(row, certain, parts, least):
        return _told(certain)
    return _told(certain | {TOTAL})


def _told(hidden: Iterable[str]) -> Hidden:
    return frozenset(hidden) - {REST}


def _rest_of(before: Mapping[str, Entry]) -> Decimal | None:
    """What the groups did not account for; None where there was no sum."""
    if TOTAL not in before:
        return None
    parts = (entry.value or Decimal(0) for group, entry in before.items() if group != TOTAL)
    return (before[TOTAL].value or Decimal(0)) - sum(parts)


def _enough(parts: Mapping[str, Decimal], small: Iterable[str], free: Sequence[str], least: int) -> set[str] | None:
    """Whom to hide beside: at least one, until all that is hidden makes 2 × limit − 1, inside. None where that cannot be.

    Then one may be at the limit or above it whatever any small one is: each of 0 … limit − 1 stays possible.
    """
    together, beside = sum((parts[group] for group in small), Decimal(0)), set[str]()
    for group in free:
        if beside and together >= 2 * least - 1:
            break
        beside.add(group)
        together += parts[group]
    return beside if beside and together >= 2 * least - 1 else None


def _is_known_already(row: Row, certain: Hidden, parts: Mapping[str, Decimal], least: int) -> bool:
    """Whether the sum, as last shown, was of exactly these hidden figures."""
    was = row.before.get(TOTAL)
    if was is None or not was.shown:
        return False
    before = {(group, entry.value) for group, entry in row.before.items() if not entry.shown}
    rest = _rest_of(row.before)
    if rest is not None and 0 < rest < least:
        before.add((REST, rest))
    return before == {(group, parts[group]) for group in certain}
