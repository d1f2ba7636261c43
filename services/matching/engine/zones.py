"""Where a point is: its cell, and whether it is inside a shape, in its exit rim or beyond. Compiled; the rim of a circle is inside."""
# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

import math

import numpy as np

from services.matching.engine.compiled import compiled
from shared.geo import EARTH_M, LAT_CELLS, LAT_STEP, LON_BITS, LON_CELLS, LON_STEP

METRES_PER_DEGREE = EARTH_M * math.pi / 180.0
BEYOND, RIM, INSIDE = 0, 1, 2
# What the first glance may be wrong by: places in single precision, and the cosine at the citizen for that halfway to a circle
# of the largest radius at 84 degrees of latitude.
ROUGHLY_M = 12.0


@compiled
def haversine_m(lat1, lon1, lat2, lon2):
    """Great-circle metres on the mean sphere, as shared.geo.haversine_m."""
    p1, p2 = math.radians(lat1), math.radians(lat2)
    a = math.sin((p2 - p1) * 0.5)
    b = math.sin(math.radians(lon2 - lon1) * 0.5)
    return 2.0 * EARTH_M * math.asin(math.sqrt(min(1.0, a * a + math.cos(p1) * math.cos(p2) * b * b)))


@compiled
def exit_rim_m(radius_m):
    """How far one must be to have left: max(1.1 r, r + 20 m) (M1)."""
    return max(1.1 * radius_m, radius_m + 20.0)


@compiled
def find_cell(lat, lon, cells):
    """The slot of the cell a point stands in, -1 if no posting touches it."""
    row = min(LAT_CELLS - 1, max(0, int((lat + 90.0) / LAT_STEP)))
    column = min(LON_CELLS - 1, max(0, int((lon + 180.0) / LON_STEP)))
    cell = np.int64(row << LON_BITS | column)
    mask = len(cells) - 1
    at = (cell * 0x9E3779B1 >> 7) & mask
    while cells[at].cell >= 0:
        if cells[at].cell == cell:
            return at
        at = (at + 1) & mask
    return np.int64(-1)


@compiled
def is_far(lat, lon, cos_lat, near):
    """Whether a point is BEYOND a circle at the first glance, by its row of NEAR alone; false says nothing."""
    x = (lon - near.lon) * METRES_PER_DEGREE * cos_lat
    y = (lat - near.lat) * METRES_PER_DEGREE
    far_m = np.float64(near.far_m)
    return (x * x + y * y > far_m * far_m) & (cos_lat > 0.1) & (abs(lon - near.lon) < 180.0)


@compiled
def is_well_within(lat, lon, cos_lat, reach_cap_m, near):
    """Whether a point is INSIDE a circle at the first glance; false says nothing."""
    x = (lon - near.lon) * METRES_PER_DEGREE * cos_lat
    y = (lat - near.lat) * METRES_PER_DEGREE
    within_m = min(np.float64(near.within_m), reach_cap_m - ROUGHLY_M)
    return (within_m > 0.0) & (x * x + y * y < within_m * within_m) & (cos_lat > 0.1)


@compiled
def zone_of(lat, lon, cos_lat, dong, reach_cap_m, shape):
    """INSIDE, in the exit RIM, or BEYOND: by distance, or by the 행정동 stood in (which has no rim).

    The distance on the plane at the mean latitude is within a part in ten million of the great circle's at 3 km, so that
    only within a metre of a rim (or near a pole, or across the antimeridian) the exact one is computed.
    """
    if shape.radius_m <= 0:
        return INSIDE if dong >= 0 and (shape.dongs >> dong) & 1 == 1 else BEYOND
    reach_m = min(shape.radius_m, reach_cap_m)
    rim_m = exit_rim_m(reach_m)
    y = (lat - shape.lat) * METRES_PER_DEGREE
    if abs(y) > rim_m + 1.0:
        return BEYOND
    x = (lon - shape.lon) * METRES_PER_DEGREE * 0.5 * (cos_lat + shape.cos_lat)
    plane_m2 = x * x + y * y
    if cos_lat > 0.1 and abs(lon - shape.lon) < 180.0:
        if plane_m2 < (reach_m - 1.0) * (reach_m - 1.0):
            return INSIDE
        if plane_m2 > (rim_m + 1.0) * (rim_m + 1.0):
            return BEYOND
    metres = haversine_m(lat, lon, shape.lat, shape.lon)
    return INSIDE if metres <= reach_m else RIM if metres <= rim_m else BEYOND
