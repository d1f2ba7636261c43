"""행정동 for the truth: its own reading of the borders, by crossing numbers, so that no geometry is shared with the product."""

from __future__ import annotations

import json
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

DONG_FILE = Path(__file__).parent.parent / "data" / "gwangsan_dong.geojson"
METRES_PER_DEGREE = 6_371_008.8 * np.pi / 180.0
FAR_DEGREES = 0.001


@cache
def rings_of(code: str) -> tuple[F64, ...]:
    """Every ring (outer or hole) of a 동, by either code, as longitude and latitude; KeyError for an unknown code."""
    for feature in json.loads(DONG_FILE.read_text(encoding="utf-8"))["features"]:
        named, shape = feature["properties"], feature["geometry"]
        if code in (named["code_until_2026_06"], named["code_from_2026_07"]):
            polygons = shape["coordinates"] if shape["type"] == "MultiPolygon" else [shape["coordinates"]]
            return tuple(np.array(ring, np.float64) for polygon in polygons for ring in polygon)
    raise KeyError(code)


def inside(code: str, lat: F64, lon: F64) -> Mask:
    """Which points are in the 동: an odd number of its edges lies to the east of them."""
    odd = np.zeros(len(lat), np.bool_)
    for ring in rings_of(code):
        for (x1, y1), (x2, y2) in pairwise(ring):
            if y1 != y2:
                crosses = (y1 > lat) != (y2 > lat)
                odd ^= crosses & (lon < (x2 - x1) * (lat - y1) / (y2 - y1) + x1)
    return odd


def border_m(code: str, lat: F64, lon: F64) -> F64:
    """How far the border is from each point, in metres (locally flat); infinite where it is clearly farther than 50 m."""
    nearest = np.full(len(lat), np.inf)
    for ring in rings_of(code):
        for a, b in pairwise(ring):
            (west, south), (east, north) = np.minimum(a, b) - FAR_DEGREES, np.maximum(a, b) + FAR_DEGREES
            near = np.flatnonzero((lat > south) & (lat < north) & (lon > west) & (lon < east))
            if len(near):
                nearest[near] = np.minimum(nearest[near], _to_edge_m(a, b, lat[near], lon[near]))
    return nearest


def _to_edge_m(a: F64, b: F64, lat: F64, lon: F64) -> F64:
    shrink = np.cos(np.radians(a[1]))
    ex, ey = (b[0] - a[0]) * shrink * METRES_PER_DEGREE, (b[1] - a[1]) * METRES_PER_DEGREE
    px, py = (lon - a[0]) * shrink * METRES_PER_DEGREE, (lat - a[1]) * METRES_PER_DEGREE
    length = ex * ex + ey * ey
    along = np.clip((px * ex + py * ey) / length, 0.0, 1.0) if length > 0 else np.zeros(len(lat))
    distance: F64 = np.hypot(px - along * ex, py - along * ey)
    return distance
