"""Citizens' ids as bytes in one pool, found by a hash table with linear probing: no object for each of them.

Of each name the pool holds the JSON form too, quotes included, as alerts carry it.
"""
# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np

from services.matching.engine.compiled import compiled
from services.matching.engine.fixes import Text
from services.matching.engine.tables import I64, Rows

NAME = np.dtype([("at", np.int64), ("length", np.int64), ("json_at", np.int64), ("json_length", np.int64)], align=True)
_as_json = msgspec.json.Encoder().encode


@compiled
def hash_of(text, at, length):
    """FNV-1a, 64 bits (G. Fowler, L. C. Noll, P. Vo), its high bits folded in."""
    value = np.uint64(0xCBF29CE484222325)
    for k in range(at, at + length):
        value = (value ^ np.uint64(text[k])) * np.uint64(0x100000001B3)
    return np.int64((value ^ (value >> np.uint64(32))) & np.uint64(0x7FFFFFFF))


@compiled
def find(text, at, length, names, pool, slots):
    """The slot of a name, or the free one where it would go."""
    mask = len(slots) - 1
    slot = hash_of(text, at, length) & mask
    while slots[slot] >= 0:
        name = names[slots[slot]]
        if name.length == length:
            k = 0
            while k < length and pool[name.at + k] == text[at + k]:
                k += 1
            if k == length:
                return slot
        slot = (slot + 1) & mask
    return slot


@compiled
def find_all(text, rows, names, pool, slots):
    """Fill in each row's citizen, -1 where the name is new; how many are."""
    new = 0
    for i in range(len(rows)):
        row = slots[find(text, rows[i].id_at, rows[i].id_length, names, pool, slots)]
        rows[i].citizen = row
        new += row < 0
    return new


@compiled
def fill(names, size, pool, slots):
    """Slots for the first `size` names."""
    for row in range(size):
        slots[find(pool, names[row].at, names[row].length, names, pool, slots)] = row


class Names:
    """Row → name and name → row; a row's name never changes."""

    def __init__(self) -> None:
        self.rows: Rows = np.zeros(1 << 10, NAME)
        self.pool: Text = np.zeros(1 << 16, np.uint8)
        self.slots: I64 = np.full(1 << 12, -1, np.int64)
        self._size = self._used = 0

    def __getitem__(self, row: int) -> str:
        return self.raw(row).decode()

    def raw(self, row: int) -> bytes:
        at, length = int(self.rows["at"][row]), int(self.rows["length"][row])
        return self.pool[at : at + length].tobytes()

    def row(self, name: str) -> int:
        """-1 if it is not known."""
        text = np.frombuffer(name.encode(), np.uint8)
        return int(self.slots[find(text, 0, len(text), self.rows, self.pool, self.slots)])

    def add(self, name: str) -> int:
        """A new name's row; names are given rows in order."""
        raw, quoted = name.encode(), _as_json(name)
        both = quoted if quoted[1:-1] == raw else quoted + raw
        row, at = self._size, self._used
        self._make_room(len(both))
        self.pool[at : at + len(both)] = np.frombuffer(both, np.uint8)
        self.rows[row] = at + both.rindex(raw), len(raw), at, len(quoted)
        self._size, self._used = row + 1, at + len(both)
        self.slots[find(self.pool, self.rows["at"][row], len(raw), self.rows, self.pool, self.slots)] = row
        return row

    def rows_of(self, text: Text, rows: Rows) -> Iterable[int]:
        """Fill in the citizens of fixes; the rows of FIX whose citizen is not known yet."""
        if not find_all(text, rows, self.rows, self.pool, self.slots):
            return ()
        return np.flatnonzero(rows["citizen"] < 0).tolist()

    def _make_room(self, more: int) -> None:
        if self._used + more > len(self.pool):
            self.pool = np.concatenate([self.pool, np.zeros(len(self.pool) + more, np.uint8)])
        if self._size == len(self.rows):
            self.rows = np.concatenate([self.rows, np.zeros_like(self.rows)])
        if self._size * 2 >= len(self.slots):
            self.slots = np.full(len(self.slots) * 2, -1, np.int64)
            fill(self.rows, self._size, self.pool, self.slots)
