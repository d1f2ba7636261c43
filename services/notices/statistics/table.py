"""The card as everybody may see it: what is hidden has no value here, so nothing that is made of it can tell one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from services.notices.statistics.domain import TOTAL, Entry, State, Statistic
from services.notices.statistics.periods import PARTS_OF_A_YEAR


@dataclass(frozen=True)
class Cell:
    """A figure that is shown, or that there is one which is not."""

    value: Decimal | None
    provisional: bool = False

    @property
    def hidden(self) -> bool:
        return self.value is None


@dataclass(frozen=True)
class Line:
    """One period, or a year of them (`sums`): all together where that was told, and each group that was."""

    period: str
    total: Cell | None
    groups: Mapping[str, Cell]


@dataclass(frozen=True)
class Card:
    """A card in its newest version, oldest period first. `sums`: years whose parts are all there, of cards that add up."""

    statistic: Statistic
    lines: tuple[Line, ...]
    sums: tuple[Line, ...] = ()

    @property
    def headline(self) -> tuple[str, Cell] | None:
        """The newest period of which all together is told, and that."""
        told = [(line.period, line.total) for line in self.lines if line.total is not None]
        shown = [(period, cell) for period, cell in told if not cell.hidden]
        return next(reversed(shown or told), None)

    @property
    def cells(self) -> list[Cell]:
        return [c for line in self.lines for c in (*line.groups.values(), *([line.total] if line.total else []))]

    @property
    def hides(self) -> bool:
        return any(cell.hidden for cell in self.cells)

    @property
    def provisional(self) -> bool:
        return any(cell.provisional for cell in self.cells)


def cell_of(entry: Entry) -> Cell:
    return Cell(entry.value if entry.shown else None, entry.provisional)


def card_of(statistic: Statistic, state: State) -> Card:
    by_period: dict[str, dict[str, Cell]] = {}
    for (period, group), entry in state.items():
        by_period.setdefault(period, {})[group] = cell_of(entry)
    lines = tuple(_line(period, by_period[period], statistic.groups) for period in sorted(by_period))
    return Card(statistic, lines, tuple(_sums(statistic, lines)))


def _line(period: str, cells: Mapping[str, Cell], groups: Sequence[str]) -> Line:
    return Line(period, cells.get(TOTAL), {group: cells[group] for group in groups if group in cells})


def _sums(statistic: Statistic, lines: Sequence[Line]) -> list[Line]:
    """Sums of years, made of what is shown and of nothing else: where a part is hidden, so is the sum."""
    parts = PARTS_OF_A_YEAR.get(statistic.about.every)
    if not statistic.about.adds_up or parts is None:
        return []
    years: dict[str, list[Line]] = {}
    for line in lines:
        years.setdefault(line.period[:4], []).append(line)
    return [_sum(year, some, statistic.groups) for year, some in years.items() if len(some) == parts]


def _sum(year: str, some: Sequence[Line], groups: Sequence[str]) -> Line:
    whole = {group: [line.groups[group] for line in some if group in line.groups] for group in groups}
    totals = [line.total for line in some if line.total is not None]
    sums = {group: _added(cells) for group, cells in whole.items() if len(cells) == len(some)}
    return Line(year, _added(totals) if len(totals) == len(some) else None, sums)


def _added(cells: Sequence[Cell]) -> Cell:
    values = [cell.value for cell in cells if cell.value is not None]
    told = len(values) == len(cells)
    return Cell(sum(values, Decimal(0)) if told else None, any(cell.provisional for cell in cells))
