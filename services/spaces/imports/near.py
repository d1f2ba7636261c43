"""Near-duplicates: nearly the same name within 25 metres. Offered for merging, never merged without an officer. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from uuid import UUID

from services.spaces.imports.domain import squeezed
from shared.geo import haversine_m

NEAR_M = 25.0
ALIKE = 0.8
# A cell is at least 25 m either way in Korea, so what is near lies in the same cell or beside it.
LAT_CELL, LON_CELL = 0.00025, 0.0003


@dataclass(frozen=True)
class Known:
    """Something that is there already (or comes earlier in the same file)."""

    id: UUID
    name: str
    lat: float
    lon: float


def alike(one: str, other: str) -> bool:
    """Nearly the same name. Numbers tell rooms apart: 회의실 1 and 회의실 2 are two."""
    a, b = squeezed(one), squeezed(other)
    if [c for c in a if c.isdigit()] != [c for c in b if c.isdigit()]:
        return False
    return a == b or SequenceMatcher(None, a, b, autojunk=False).ratio() >= ALIKE


class Neighbours:
    """What is known, by cell."""

    def __init__(self, known: Iterable[Known]) -> None:
        self._cells: dict[tuple[int, int], list[Known]] = defaultdict(list)
        for one in known:
            self.add(one)

    def add(self, one: Known) -> None:
        self._cells[self._cell(one.lat, one.lon)].append(one)

    def near_duplicate(self, name: str, lat: float, lon: float) -> tuple[Known, float] | None:
        """The nearest of nearly the same name within 25 m, that distance inside, and how far it is."""
        row, column = self._cell(lat, lon)
        found = [
            (haversine_m(lat, lon, one.lat, one.lon), one)
            for r in (row - 1, row, row + 1)
            for c in (column - 1, column, column + 1)
            for one in self._cells.get((r, c), ())
            if alike(name, one.name)
        ]
        distance, one = min(found, key=lambda pair: pair[0], default=(NEAR_M + 1, None))
        return None if one is None or distance > NEAR_M else (one, distance)

    @staticmethod
    def _cell(lat: float, lon: float) -> tuple[int, int]:
        return int(lat // LAT_CELL), int(lon // LON_CELL)
