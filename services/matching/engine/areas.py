"""Which 행정동 each of many points is in, as its index by code: most cells lie in one 동 whole, the rest ask the polygon."""

from __future__ import annotations

from functools import cache

import numpy as np
import shapely
from numpy.typing import NDArray

from services.matching.engine.tables import F64
from shared.geo import LAT_STEP, LON_BITS, LON_CELLS, LON_STEP, District

OUTSIDE, MIXED = -1, -2


@cache
def _raster_of(district: District) -> tuple[NDArray[np.int64], int, int]:
    """The raster, and the row and column of its first cell."""
    cells = {cell for dong in district.dongs for cell in dong.cells}
    rows, columns = [c >> LON_BITS for c in cells], [c & (LON_CELLS - 1) for c in cells]
    row0, column0 = min(rows), min(columns)
    raster = np.full((max(rows) - row0 + 1, max(columns) - column0 + 1), OUTSIDE, np.int64)
    for cell in cells:
        raster[(cell >> LON_BITS) - row0, (cell & (LON_CELLS - 1)) - column0] = _dong_of_cell(cell, district)
    return raster, row0, column0


def _dong_of_cell(cell: int, district: District) -> int:
    south, west = (cell >> LON_BITS) * LAT_STEP - 90.0, (cell & (LON_CELLS - 1)) * LON_STEP - 180.0
    square = shapely.box(west, south, west + LON_STEP, south + LAT_STEP)
    whole = [i for i, dong in enumerate(district.dongs) if dong.area.contains_properly(square)]
    return whole[0] if whole else MIXED


class Areas:
    """A raster of cells over the district, each naming its 동, `OUTSIDE` or `MIXED`."""

    def __init__(self, district: District) -> None:
        self._shapes = [dong.area for dong in district.dongs]
        self._raster, self._row0, self._column0 = _raster_of(district)

    def of(self, lat: F64, lon: F64) -> NDArray[np.int64]:
        """Index into the district's 동 per point, -1 outside. NaN points are outside."""
        found = np.full(len(lat), OUTSIDE, np.int64)
        placed = np.flatnonzero(~np.isnan(lat))
        row = ((lat[placed] + 90.0) / LAT_STEP).astype(np.int64) - self._row0
        column = ((lon[placed] + 180.0) / LON_STEP).astype(np.int64) - self._column0
        within = (row >= 0) & (row < self._raster.shape[0]) & (column >= 0) & (column < self._raster.shape[1])
        found[placed[within]] = self._raster[row[within], column[within]]
        mixed = np.flatnonzero(found == MIXED)
        if not len(mixed):
            return found
        found[mixed] = OUTSIDE
        points = shapely.points(lon[mixed], lat[mixed])
        for i in range(len(self._shapes) - 1, -1, -1):
            found[mixed[shapely.intersects(self._shapes[i], points)]] = i
        return found
