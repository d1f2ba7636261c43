"""Geography: great-circle distance, geohash cells and the sets of them that cover a circle or a 행정동, and the 동 map.

Cells are identified by a (latitude index, longitude index) pair at 30 bits, which is geohash precision 6: about
1,000 m × 609 m at 35° N. A fix stands in exactly one cell; a posting is written to every cell that it touches.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from shapely import STRtree, box, prepare
from shapely.geometry import Point as ShapelyPoint
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

EARTH_M = 6_371_008.8  # mean radius, IUGG
PRECISION = 6
LAT_BITS = 15
LON_BITS = 15
LAT_CELLS = 1 << LAT_BITS
LON_CELLS = 1 << LON_BITS
LAT_STEP = 180.0 / LAT_CELLS
LON_STEP = 360.0 / LON_CELLS
BASE32 = "0123456789bcdefghjkmnpqrstuvwxyz"
DONG_FILE = Path(__file__).parent.parent / "data" / "gwangsan_dong.geojson"


def haversine_m(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Great-circle distance in metres on a sphere of mean radius (R. W. Sinnott, "Virtues of the Haversine", 1984)."""
    phi1, phi2 = math.radians(lat1), math.radians(lat2)
    h = (
        math.sin((phi2 - phi1) / 2) ** 2
        + math.cos(phi1) * math.cos(phi2) * math.sin(math.radians(lon2 - lon1) / 2) ** 2
    )
    return 2 * EARTH_M * math.asin(math.sqrt(min(1.0, h)))


def cell_of(lat: float, lon: float) -> int:
    """The cell that a point stands in, as latitude index × 2¹⁵ + longitude index. The pole and 180° E are clamped in."""
    row = min(LAT_CELLS - 1, max(0, int((lat + 90.0) / LAT_STEP)))
    column = min(LON_CELLS - 1, max(0, int((lon + 180.0) / LON_STEP)))
    return row << LON_BITS | column


def geohash_of(cell: int) -> str:
    """The cell's geohash (G. Niemeyer, 2008): bits of longitude and latitude interleaved, longitude first, base 32."""
    row, column = cell >> LON_BITS, cell & (LON_CELLS - 1)
    bits = 0
    for i in range(LON_BITS - 1, -1, -1):
        bits = bits << 2 | (column >> i & 1) << 1 | (row >> i & 1)
    return "".join(BASE32[bits >> shift & 31] for shift in range(25, -1, -5))


def covering_circle(lat: float, lon: float, radius_m: float) -> list[int]:
    """Every cell that holds a point within `radius_m` (rim included), ascending. A superset: the distance decides.

    The bounding box of a circle on a sphere: half its width in longitude is asin(sin δ / cos φ) for angular radius δ
    (J. P. Snyder); at a pole it is everything. Columns wrap at the antimeridian.
    """
    delta = math.radians(math.degrees(radius_m / EARTH_M)) * (1 + 1e-9) + 1e-12
    south, north = lat - math.degrees(delta), lat + math.degrees(delta)
    first_row, last_row = cell_of(south, 0) >> LON_BITS, cell_of(north, 0) >> LON_BITS
    if south <= -90 or north >= 90:
        columns = list(range(LON_CELLS))
    else:
        half = math.degrees(math.asin(min(1.0, math.sin(delta) / math.cos(math.radians(lat)))))
        first = math.floor((lon - half + 180.0) / LON_STEP)
        last = math.floor((lon + half + 180.0) / LON_STEP)
        columns = sorted({column % LON_CELLS for column in range(first, last + 1)})
    return [row << LON_BITS | column for row in range(first_row, last_row + 1) for column in columns]


@dataclass(frozen=True)
class Dong:
    """One 행정동. `code` is the one in force since 2026-07-01, `old_code` the one before; both name it."""

    code: str
    old_code: str
    name: str
    area: BaseGeometry

    def contains(self, lat: float, lon: float) -> bool:
        """Whether a point is in the area, its border included."""
        return bool(self.area.covers(ShapelyPoint(lon, lat)))

    @cached_property
    def cells(self) -> tuple[int, ...]:
        """Every cell that the area touches."""
        west, south, east, north = self.area.bounds
        rows = range(cell_of(south, 0) >> LON_BITS, (cell_of(north, 0) >> LON_BITS) + 1)
        columns = range(cell_of(0, west) & (LON_CELLS - 1), (cell_of(0, east) & (LON_CELLS - 1)) + 1)
        return tuple(cell for cell in _grid(rows, columns) if self.area.intersects(_square(cell)))


def _grid(rows: range, columns: range) -> Iterator[int]:
    return (row << LON_BITS | column for row in rows for column in columns)


def _square(cell: int) -> BaseGeometry:
    south, west = (cell >> LON_BITS) * LAT_STEP - 90.0, (cell & (LON_CELLS - 1)) * LON_STEP - 180.0
    return box(west, south, west + LON_STEP, south + LAT_STEP)


class District:
    """광산구's 21 행정동: which one a point is in, and by either code."""

    def __init__(self, dongs: tuple[Dong, ...]) -> None:
        self.dongs = dongs
        self.by_code = {code: dong for dong in dongs for code in (dong.code, dong.old_code)}
        self.index_by_code = {code: i for i, dong in enumerate(dongs) for code in (dong.code, dong.old_code)}
        self._tree = STRtree([dong.area for dong in dongs])

    def dong_at(self, lat: float, lon: float) -> Dong | None:
        """The 동 that a point is in (on a border the first by code), or None outside the district."""
        hits = self._tree.query(ShapelyPoint(lon, lat), predicate="intersects")
        return self.dongs[min(hits)] if len(hits) else None


@cache
def district(path: Path = DONG_FILE) -> District:
    """The district from its GeoJSON; read once. Provenance and terms: data/README.md."""
    features = json.loads(path.read_text(encoding="utf-8"))["features"]
    dongs = []
    for feature in features:
        named = feature["properties"]
        area = shape(feature["geometry"])
        prepare(area)
        dongs.append(Dong(named["code_from_2026_07"], named["code_until_2026_06"], named["name"], area))
    return District(tuple(sorted(dongs, key=lambda dong: dong.code)))
