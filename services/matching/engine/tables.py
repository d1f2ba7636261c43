"""The engine's state as tables: citizens, postings, the shapes and cells they cover, and the pairs that have met.

Rows are NumPy records, so that the compiled loops (kernel.py) read and write them without a Python object per row. Times are
integer milliseconds since 1970 UTC, places are degrees, distances metres.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.matching.engine.placing import enter, slot_of

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
F64 = NDArray[np.float64]
Rows = NDArray[Any]

NEVER_MS = -(1 << 62)
ALWAYS_MS = 1 << 62
NOT_ALERTED = -1
LONG_AGO = -1_000
SHARED_BIT = 62  # of interests: the one that those without a bit of their own have together
ANEW = 10  # added to fix_count: whoever was present anywhere is so no more until met again

CITIZEN = np.dtype(
    [
        ("lat", np.float64),  # NaN: nowhere
        ("lon", np.float64),
        ("observed_ms", np.int64),
        ("accuracy_m", np.float64),
        ("interests", np.int64),
        ("homes", np.int64),  # the home 동, a bit each
        ("free_from_ms", np.int64),  # NEVER_MS: named no window, so always free
        ("free_until_ms", np.int64),
        ("radius_m", np.float64),
        ("version", np.int64),  # of the watch; 0: none is known
        ("changed_us", np.int64),  # when it was made
        ("consent_epoch", np.int32),
        ("fix_epoch", np.int32),  # the consent under which the position was taken; it acts under no other (M9)
        ("fix_count", np.int32),  # accepted fixes; presence in a circle is told by it (see PAIR)
        ("birth_year", np.int32),
        ("partition", np.int32),
        ("dong", np.int32),  # index of the 행정동 stood in, -1 if none or not asked
        ("kinds", np.int8),
        ("located", np.bool_),
        ("picky", np.bool_),  # has muted something
        ("wordy", np.bool_),  # an alert may have to say more of the watch than its version and radius
    ],
    align=True,
)
NEW_CITIZEN = (
    np.nan,
    np.nan,
    NEVER_MS,
    0,
    0,
    0,
    NEVER_MS,
    ALWAYS_MS,
    700,
    0,
    0,
    0,
    0,
    0,
    0,
    -1,
    -1,
    0,
    False,
    False,
    False,
)

POSTING = np.dtype(
    [
        ("interests", np.int64),
        ("starts_ms", np.int64),
        ("ends_ms", np.int64),
        ("expires_ms", np.int64),
        ("version", np.int64),
        ("changed_us", np.int64),
        ("epoch", np.int32),
        ("min_age", np.int32),
        ("starts_year", np.int32),
        ("kind", np.int8),
        ("open", np.bool_),
        ("excluding", np.bool_),  # names some who are not to be told
        ("widens", np.bool_),
    ],
    align=True,
)
NEW_POSTING = (0, NEVER_MS, ALWAYS_MS, NEVER_MS, 0, 0, 0, 0, 0, 0, False, False, False)

SHAPE = np.dtype(
    [
        ("lat", np.float64),
        ("lon", np.float64),
        ("radius_m", np.float64),  # 0: not a circle but the 행정동 in `dongs`, a bit each
        ("cos_lat", np.float64),
        ("dongs", np.int64),
        ("posting", np.int64),
    ],
    align=True,
)
NEW_SHAPE = (0, 0, 0, 0, 0, -1)

# `together` is the citizen's fix_count at the last fix inside the circle or, once in, inside its exit rim, as far as it
# was written (meeting.meet). Present means at most one fix since: an exit needs a second fix that confirms it (M1).
PAIR = np.dtype([("key", np.int64), ("alerted", np.int32), ("together", np.int32)], align=True)
NO_PAIR = (-1, NOT_ALERTED, LONG_AGO)

# A shape as its cells hold it: one after another what tells of most that they are far, without a look at the shape itself.
# Beyond `far_m` one is beyond its widest exit rim for certain, though places are rounded to single precision here; within `within_m`
# one is inside.
NEAR = np.dtype(
    [("lat", np.float32), ("lon", np.float32), ("far_m", np.float32), ("within_m", np.float32), ("shape", np.int32)],
    align=True,
)
# A shape of which the first glance leaves open whether a fix changes anything, and where the citizen is now and was before.
DOUBT = np.dtype([("shape", np.int32), ("zone", np.int8), ("before", np.int8)], align=True)

CELL = np.dtype([("cell", np.int64), ("start", np.int64), ("length", np.int32), ("room", np.int32)], align=True)
NO_CELL = (-1, 0, 0, 0)


def _filled(dtype: np.dtype[Any], blank: tuple[Any, ...], size: int) -> Rows:
    rows = np.empty(size, dtype)
    for name, value in zip(dtype.names or (), blank, strict=True):
        rows[name] = value  # by column: a whole row at a time takes five times as long
    return rows


class Table:
    """Rows that are only ever added; rows that were given back are used again."""

    def __init__(self, dtype: np.dtype[Any], blank: tuple[Any, ...]) -> None:
        self._dtype, self._blank = dtype, blank
        self._free: list[int] = []
        self.size = 0
        self.rows = _filled(dtype, blank, 1024)

    def add(self) -> int:
        if self._free:
            row = self._free.pop()
            self.rows[row] = self._blank
            return row
        if self.size == len(self.rows):
            self.rows = np.concatenate([self.rows, _filled(self._dtype, self._blank, self.size)])
        self.size += 1
        return self.size - 1

    def give_back(self, row: int) -> None:
        self._free.append(row)


LEAST = 1 << 10  # a pool that was packed while it was empty has no room at all


class Cells:
    """geohash cell → the shapes that touch it: a hash table with linear probing, each cell with a run of `pool`, rows of NEAR."""

    def __init__(self) -> None:
        self.table = _filled(CELL, NO_CELL, 1 << 12)
        self.pool = np.zeros(1 << 14, NEAR)
        self.size = 0
        self.longest = 0
        self._used = 0

    def add(self, cells: Iterable[int], near: tuple[float, float, float, float, int]) -> None:
        """`near` is a row of NEAR. A full run moves to one twice as roomy."""
        wanted, done = np.fromiter(cells, np.int64), 0
        while done < len(wanted):
            done, self.size, self._used, longest = enter(
                done, wanted, *near, self.table, self.pool, self.size, self._used
            )
            self.longest = max(self.longest, longest)
            if done < len(wanted):
                self._grow()

    def remove(self, cell: int, shape: int) -> None:
        """The cell's last shape takes the place of the removed one."""
        entry = self.table[slot_of(cell, self.table)]
        run = self.pool[entry["start"] : entry["start"] + entry["length"]]
        run[int(np.flatnonzero(run["shape"] == shape)[0])] = run[-1]
        entry["length"] -= 1

    def pack(self) -> None:
        """All runs one after another, neighbours beside each other and without room to grow: what many postings left scattered."""
        occupied = np.flatnonzero(self.table["cell"] >= 0)
        occupied = occupied[np.argsort(self.table["cell"][occupied])]
        lengths = self.table["length"][occupied].astype(np.int64)
        starts = np.cumsum(lengths) - lengths
        moved = np.repeat(self.table["start"][occupied] - starts, lengths) + np.arange(lengths.sum())
        self.pool, self._used = self.pool[moved], len(moved)
        self.table["start"][occupied], self.table["room"][occupied] = starts, lengths

    def _grow(self) -> None:
        """Room for twice as many cells, where half of the table is in use, and in the pool for another run as long as any."""
        if (self.size + 1) * 2 > len(self.table):
            old = self.table[self.table["cell"] >= 0]
            self.table = _filled(CELL, NO_CELL, len(self.table) * 2)
            for entry in old:
                self.table[slot_of(int(entry["cell"]), self.table)] = entry
        grown = np.empty(len(self.pool) + max(len(self.pool), 2 * self.longest, LEAST), NEAR)
        grown[: self._used] = self.pool[: self._used]
        self.pool = grown


class Pairs:
    """Citizen and posting → PAIR, a hash table with linear probing whose slots the kernel finds and fills.

    The smallest takes 4 MiB: a larger one is filled from it within one batch, which then waits for that.
    """

    SMALLEST = 1 << 18

    def __init__(self, room: int = 0) -> None:
        size = self.SMALLEST
        while size * 6 // 10 < room:
            size *= 2
        self.table = _filled(PAIR, NO_PAIR, size)
        self.used = 0

    @property
    def limit(self) -> int:
        """How many pairs it may hold before it must grow."""
        return len(self.table) * 6 // 10
