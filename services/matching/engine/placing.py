"""Writing a shape into the cells that it touches. Compiled: a worker that starts does it for every posting there is."""
# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

import numpy as np

from services.matching.engine.compiled import compiled


@compiled
def slot_of(cell, table):
    """The cell's slot, or the free one where it would go; zones.find_cell probes by the same rule."""
    mask = len(table) - 1
    at = (np.int64(cell) * 0x9E3779B1 >> 7) & mask
    while table[at].cell >= 0 and table[at].cell != cell:
        at = (at + 1) & mask
    return at


@compiled
def enter(k, cells, lat, lon, far_m, within_m, shape, table, pool, size, used):
    """Into the cells from the k-th on, until table or pool are too small for one more: (the next, cells in use, pool used, longest run)."""
    longest = 0
    while k < len(cells):
        entry = table[slot_of(cells[k], table)]
        room = max(4, entry.room * 2) if entry.length == entry.room else 0
        if (size + 1) * 2 > len(table) or used + room > len(pool):
            break
        if entry.cell < 0:
            entry.cell = cells[k]
            size += 1
        if room > 0:
            for n in range(entry.length):
                pool[used + n] = pool[entry.start + n]
            entry.start, entry.room = used, room
            used += room
        near = pool[entry.start + entry.length]
        near.lat, near.lon, near.far_m, near.within_m, near.shape = lat, lon, far_m, within_m, shape
        entry.length += 1
        longest = max(longest, entry.length)
        k += 1
    return k, size, used, longest
