"""Where citizens stand, by cell: a posting that opens looks at those near it and at nobody else. Compiled.

Cells of geohash precision 7 (some 125 m × 153 m here) are hashed into buckets, and the citizens of a bucket are a list linked over
their rows, so that a step into another cell costs a few writes and a step within one nothing. What is found is a superset: the
distance decides.
"""
# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from services.matching.engine.compiled import compiled
from services.matching.engine.tables import I64, Rows, Table
from services.matching.engine.zones import METRES_PER_DEGREE, exit_rim_m
from shared.geo import LAT_CELLS, LON_BITS, LON_CELLS

LINK = np.dtype([("cell", np.int64), ("before", np.int32), ("after", np.int32)], align=True)
NOWHERE = -1
BUCKETS = 1 << 16
PIECE = 1 << 13  # citizens looked at before those found are told
FINER_ROWS, FINER_COLUMNS = 4, 8  # precision 7 within precision 6
ROWS, COLUMNS = LAT_CELLS * FINER_ROWS, LON_CELLS * FINER_COLUMNS
ROW_DEGREES, COLUMN_DEGREES = 180.0 / ROWS, 360.0 / COLUMNS


@compiled
def row_of(lat):
    return min(ROWS - 1, max(0, math.floor((lat + 90.0) / ROW_DEGREES)))


@compiled
def bucket_of(cell):
    return np.int64((np.uint64(cell) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(48))


@compiled
def cell_at(lat, lon):
    if math.isnan(lat):
        return np.int64(NOWHERE)
    column = min(COLUMNS - 1, max(0, int((lon + 180.0) / COLUMN_DEGREES)))
    return np.int64(row_of(lat)) * COLUMNS + column


@compiled
def follow(who, citizens, links, heads):
    """Put each of these citizens on the list of the cell they stand in now."""
    for i in range(len(who)):
        c = who[i]
        cell, link = cell_at(citizens[c].lat, citizens[c].lon), links[c]
        if cell == link.cell:
            continue
        if link.cell != NOWHERE:
            if link.before >= 0:
                links[link.before].after = link.after
            else:
                heads[bucket_of(link.cell)] = link.after
            if link.after >= 0:
                links[link.after].before = link.before
        link.cell, link.before, link.after = cell, -1, -1
        if cell != NOWHERE:
            first = heads[bucket_of(cell)]
            heads[bucket_of(cell)], link.after = c, first
            if first >= 0:
                links[first].before = c


@compiled
def in_cell(cell, links, heads, who, found):
    """Those of one cell go to `who` from `found` on."""
    c = heads[bucket_of(cell)]
    while c >= 0:
        if links[c].cell == cell:
            who[found] = c
            found += 1
        c = links[c].after
    return found


@compiled
def in_circle(shape, links, heads, who, found):
    """Those of every cell that the circle's exit rim touches; all who stand anywhere where that would be more cells than people."""
    reach = (exit_rim_m(shape.radius_m) + 1.0) / METRES_PER_DEGREE
    south, north = row_of(shape.lat - reach), row_of(shape.lat + reach)
    nearest_pole = min(89.9, abs(shape.lat) + reach)
    half = int(reach / math.cos(math.radians(nearest_pole)) / COLUMN_DEGREES) + 1
    if (north - south + 1) * (2 * half + 1) > len(links) or abs(shape.lat) + reach > 89.0:
        for c in range(len(links)):
            if links[c].cell != NOWHERE:
                who[found] = c
                found += 1
        return found
    middle = int((shape.lon + 180.0) / COLUMN_DEGREES)
    for row in range(south, north + 1):
        for step in range(-half, half + 1):
            found = in_cell(np.int64(row) * COLUMNS + (middle + step) % COLUMNS, links, heads, who, found)
    return found


@compiled
def in_circles(k, wanted, shapes, links, heads, who, what):
    """Pairs of a citizen and a shape near each other, of the shapes from the k-th wanted on, some: (the next, pairs)."""
    found = 0
    while k < len(wanted) and found < PIECE:
        before = found
        found = in_circle(shapes[wanted[k]], links, heads, who, found)
        for n in range(before, found):
            what[n] = wanted[k]
        k += 1
    return k, found


@compiled
def in_cells(cells, links, heads, who):
    """Those of cells of precision 6, which are different ones."""
    found = 0
    for k in range(len(cells)):
        row, column = (cells[k] >> LON_BITS) * FINER_ROWS, (cells[k] & (LON_CELLS - 1)) * FINER_COLUMNS
        for down in range(FINER_ROWS):
            for right in range(FINER_COLUMNS):
                found = in_cell((row + down) * COLUMNS + column + right, links, heads, who, found)
    return found


class Standing:
    """The lists of one table of citizens. Whoever changes a citizen's place says so (`moved`)."""

    def __init__(self, citizens: Table) -> None:
        self._citizens = citizens
        self.heads = np.full(BUCKETS, -1, np.int32)
        self.links: Rows = _links(len(citizens.rows))
        self.who, self.what = np.zeros(0, np.int64), np.zeros(0, np.int64)

    def moved(self, who: I64) -> None:
        """These citizens may stand elsewhere now, or nowhere."""
        if len(self.links) < len(self._citizens.rows):
            self.links = np.concatenate([self.links, _links(len(self._citizens.rows) - len(self.links))])
        follow(who, self._citizens.rows, self.links, self.heads)

    def near_circles(self, done: int, wanted: I64, shapes: Rows) -> tuple[int, I64, I64]:
        """Of the circles from the `done`-th on: the next one, and citizens and shapes that may be near each other, as two columns."""
        self._make_room()
        done, found = in_circles(done, wanted, shapes, self.links, self.heads, self.who, self.what)
        return done, self.who[:found], self.what[:found]

    def within(self, cells: Sequence[int]) -> I64:
        """Who stands in cells of precision 6."""
        self._make_room()
        found = in_cells(np.array(cells, np.int64), self.links, self.heads, self.who)
        return self.who[:found]

    def _make_room(self) -> None:
        """So that any one shape may find everybody."""
        if len(self.who) < len(self.links) + PIECE:
            self.who = np.zeros(len(self.links) + PIECE, np.int64)
            self.what = np.zeros(len(self.who), np.int64)


def _links(size: int) -> Rows:
    links = np.zeros(size, LINK)
    links["cell"] = links["before"] = links["after"] = NOWHERE
    return links
