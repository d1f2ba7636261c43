"""Somebody who keeps every version of a card that was ever public, and reckons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Variable = tuple[str, int]
Seen = Mapping[str, int | None]


@dataclass
class Onlooker:
    """Of one period. A figure that was not told to have changed is taken for the same one, which is how hidden ones are tied
    to each other across versions; that it did change is known too. A sum that is hidden may have changed or not.
    """

    equations: list[tuple[frozenset[Variable], int]] = field(default_factory=list)
    known: dict[Variable, int] = field(default_factory=dict)
    true: dict[Variable, int] = field(default_factory=dict)
    _now: dict[str, Variable] = field(default_factory=dict)

    def sees(self, truth: Mapping[str, int], total: int, shown: Seen, shown_total: int | None) -> None:
        """A version: what is true, and what of it is shown (None: hidden). `total` is "" everywhere."""
        rest = total - sum(truth.values())
        whole = {**truth, "": total, "rest": rest}
        was = {group: self.true[variable] for group, variable in self._now.items()}
        for group, value in whole.items():
            if was.get(group) != value:
                self._now[group] = (group, len(self.true))
                self.true[self._now[group]] = value
        for group, told in {**shown, "": shown_total}.items():
            if told is not None:
                assert told == whole[group], "what is shown is true"
                self.known[self._now[group]] = told
        if rest == 0:  # parts that make the whole are seen to do so elsewhere
            self.known[self._now["rest"]] = 0
        there = {*truth, "rest"}
        if shown_total is not None:
            self.equations.append((frozenset(self._now[group] for group in there), total))

    def could_be(self, variable: Variable, value: int) -> bool:
        """Whether everything seen would be the same if that figure were this."""
        known = {**self.known}
        if known.get(variable, value) != value:
            return False
        return _solvable(self.equations, {**known, variable: value})

    def knows(self, variable: Variable) -> bool:
        """Whether no other value fits."""
        true = self.true[variable]
        others = [value for value in range(true + 12) if value != true]
        return not any(self.could_be(variable, value) for value in others)


def _solvable(equations: Sequence[tuple[frozenset[Variable], int]], known: Mapping[Variable, int]) -> bool:
    """Whether whole numbers of 0 or more fit all the sums."""
    left = [
        (frozenset(variable for variable in some if variable not in known), total - sum(known.get(v, 0) for v in some))
        for some, total in equations
    ]
    if any(total < 0 or (not some and total) for some, total in left):
        return False
    open_ones = [(some, total) for some, total in left if some]
    if not open_ones:
        return True
    some, total = min(open_ones, key=lambda one: (len(one[0]), one[1]))
    variable = max(some, key=lambda v: sum(v in others for others, _ in open_ones))
    values = [total] if len(some) == 1 else range(total + 1)
    return any(_solvable(open_ones, {**known, variable: value}) for value in values)
