"""What the engine asks first of a place: which shapes its cell knows, and which of them are far for certain."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from services.matching.engine.bits import InterestBits
from services.matching.engine.postings import PostingBook
from services.matching.engine.tables import Cells
from services.matching.engine.zones import BEYOND, INSIDE, is_far, is_well_within, zone_of
from shared.geo import EARTH_M, district, haversine_m
from tests.samples import NOW, posting

M_PER_DEGREE = math.pi * EARTH_M / 180


@settings(deadline=None)
@given(
    lat=st.floats(-89, 89), lon=st.floats(-180, 180), north=st.floats(-1.3, 1.3), east=st.floats(-1.3, 1.3),
    radius_m=st.integers(50, 2_000), own_m=st.integers(50, 2_000),
)  # fmt: skip
def test_whoever_is_left_out_at_the_first_glance_is_beyond_the_exit_rim_or_inside(
    lat: float, lon: float, north: float, east: float, radius_m: int, own_m: int
) -> None:
    book = PostingBook(InterestBits(), district())
    book.put(posting(where={"circles": [{"lat": lat, "lon": lon, "radius_m": radius_m}]}), NOW)
    shape, near = book.shapes.rows[0], book.cells.pool[book.cells.table["start"][book.cells.table["length"] > 0][0]]
    rim_m = max(1.1 * radius_m, radius_m + 20.0)
    there = lat + north * rim_m / M_PER_DEGREE
    here = lon + east * rim_m / M_PER_DEGREE / math.cos(math.radians(lat))
    cos_lat = math.cos(math.radians(there))
    assert not is_far(there, here, cos_lat, near) or zone_of(there, here, cos_lat, -1, 1e9, shape) == BEYOND
    if is_well_within(there, here, cos_lat, own_m, near):
        assert zone_of(there, here, cos_lat, -1, own_m, shape) == INSIDE
    away_m = haversine_m(lat, lon, there, here)
    assert away_m >= min(radius_m, own_m) - 24 or abs(there) > 80 or is_well_within(there, here, cos_lat, own_m, near)
    assert away_m <= 1.5 * rim_m or abs(there) > 80 or is_far(there, here, cos_lat, near)


def test_cells_that_are_packed_know_the_same_shapes_and_take_more() -> None:
    cells = Cells()
    known = [(cell % 7, (0.0, 0.0, 1.0, 0.0, cell)) for cell in range(60)]
    for cell, near in known:
        cells.add([cell], near)
    cells.remove(3, 3)
    cells.pack()
    assert len(cells.pool) == 59
    cells.add([3], (0.0, 0.0, 1.0, 0.0, 99))
    runs = {
        int(entry["cell"]): set(cells.pool["shape"][entry["start"] :][: entry["length"]].tolist())
        for entry in cells.table[cells.table["cell"] >= 0]
    }
    wanted = {cell: {near[-1] for at, near in known if at == cell} for cell in range(7)}
    assert runs == {**wanted, 3: wanted[3] - {3} | {99}}


def test_cells_that_were_packed_while_empty_take_what_comes() -> None:
    cells = Cells()
    cells.pack()
    cells.add(range(3_000), (35.0, 126.0, 700.0, 0.0, 7))
    assert cells.size == 3_000
    taken = cells.table[cells.table["cell"] >= 0]
    assert sorted(taken["cell"].tolist()) == list(range(3_000))
    assert {int(cells.pool["shape"][start]) for start in taken["start"]} == {7}
