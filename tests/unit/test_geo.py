"""Geometry: the covering set never misses anybody, whatever the place; cells are geohashes; 동 are what the map says."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

import pygeohash
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from shapely.geometry import Point

from shared import geo
from shared.geo import cell_of, covering_circle, district, geohash_of, haversine_m

DATA = Path(__file__).parents[2] / "data"
AGREEING = 0.99
latitudes = st.floats(-70, 70)
longitudes = st.floats(-180, 180)
radii = st.floats(1, 2_000)
bearings = st.floats(0, 360)


def destination(lat: float, lon: float, bearing: float, distance_m: float) -> tuple[float, float]:
    """Where one comes to on a great circle (J. P. Snyder, Map Projections, 1987, formulas 5-5 and 5-6)."""
    delta, theta, phi = distance_m / geo.EARTH_M, math.radians(bearing), math.radians(lat)
    phi2 = math.asin(math.sin(phi) * math.cos(delta) + math.cos(phi) * math.sin(delta) * math.cos(theta))
    lambda2 = math.radians(lon) + math.atan2(
        math.sin(theta) * math.sin(delta) * math.cos(phi), math.cos(delta) - math.sin(phi) * math.sin(phi2)
    )
    return math.degrees(phi2), (math.degrees(lambda2) + 540) % 360 - 180


@settings(max_examples=1500)
@given(latitudes, longitudes, radii, bearings, st.floats(0, 1))
@example(0.0, 180.0, 700.0, 90.0, 1.0)
@example(0.0, -180.0, 700.0, 270.0, 1.0)
@example(70.0, 179.9999, 2_000.0, 90.0, 1.0)
@example(-70.0, -179.9999, 2_000.0, 270.0, 1.0)
@example(35.1595, 126.8526, 700.0, 0.0, 1.0)
def test_the_covering_set_never_misses_a_point_within_the_radius(
    lat: float, lon: float, radius_m: float, bearing: float, share: float
) -> None:
    there = destination(lat, lon, bearing, radius_m * share)
    assume(haversine_m(lat, lon, *there) <= radius_m)
    assert cell_of(*there) in covering_circle(lat, lon, radius_m)


@settings(max_examples=300)
@given(latitudes, longitudes, radii)
def test_the_covering_set_is_small_and_has_no_doubles(lat: float, lon: float, radius_m: float) -> None:
    cells = covering_circle(lat, lon, radius_m)
    assert len(cells) == len(set(cells))
    assert cells == sorted(cells)
    tall = math.radians(geo.LAT_STEP) * geo.EARTH_M
    wide = math.radians(geo.LON_STEP) * geo.EARTH_M * math.cos(math.radians(abs(lat) + 0.1))
    assert len(cells) <= (2 * radius_m / tall + 2) * (2 * radius_m / wide + 2)


@given(longitudes, st.floats(0, 2_000), bearings, st.sampled_from([-1, 1]))
def test_at_a_pole_the_covering_set_holds_every_longitude(lon: float, off_m: float, other: float, side: int) -> None:
    lat = side * (90 - math.degrees(off_m / geo.EARTH_M))
    near = destination(lat, lon, other, 100)
    assert cell_of(*near) in set(covering_circle(lat, lon, 2_500))


@given(latitudes, longitudes, latitudes, longitudes)
def test_distance_is_symmetric_and_agrees_with_the_law_of_cosines(a: float, b: float, c: float, d: float) -> None:
    there = haversine_m(a, b, c, d)
    assert there == pytest.approx(haversine_m(c, d, a, b), abs=1e-6)
    phi1, phi2 = math.radians(a), math.radians(c)
    cosine = math.sin(phi1) * math.sin(phi2) + math.cos(phi1) * math.cos(phi2) * math.cos(math.radians(d - b))
    assert there == pytest.approx(geo.EARTH_M * math.acos(max(-1, min(1, cosine))), abs=200)


def test_distance_across_the_antimeridian_is_short_and_antipodes_are_half_round() -> None:
    assert haversine_m(10, 179.999, 10, -179.999) == pytest.approx(219, abs=1)
    assert haversine_m(0, 0, 0, 180) == pytest.approx(math.pi * geo.EARTH_M)
    assert haversine_m(35.1, 126.8, 35.1, 126.8) == 0


@settings(max_examples=500)
@given(st.floats(-89.99, 89.99), st.floats(-179.99, 179.99))
def test_a_cell_is_the_geohash_that_everybody_else_computes(lat: float, lon: float) -> None:
    inside_m = min(_off_grid((lat + 90) / geo.LAT_STEP), _off_grid((lon + 180) / geo.LON_STEP))
    assume(inside_m > 1e-9)  # exactly on a border the two may round to different sides
    assert geohash_of(cell_of(lat, lon)) == pygeohash.encode(lat, lon, precision=geo.PRECISION)


def _off_grid(steps: float) -> float:
    return abs(steps - round(steps))


@given(st.sampled_from([-90.0, 90.0, 0.0]), st.sampled_from([-180.0, 180.0, 0.0]))
def test_the_ends_of_the_world_have_a_cell(lat: float, lon: float) -> None:
    assert 0 <= cell_of(lat, lon) < geo.LAT_CELLS * geo.LON_CELLS


def test_every_dong_is_known_by_both_codes() -> None:
    here = district()
    assert len(here.dongs) == 21
    assert len(here.by_code) == 42
    for dong in here.dongs:
        assert here.by_code[dong.code] is dong is here.by_code[dong.old_code]
        assert dong.code.startswith("12330")
        assert dong.old_code.startswith("29200")


def points_of(dong: geo.Dong) -> Iterator[tuple[float, float]]:
    """A lattice over the area, and every corner of its border."""
    west, south, east, north = dong.area.bounds
    for i in range(40):
        for j in range(40):
            lat, lon = south + (north - south) * i / 39, west + (east - west) * j / 39
            if dong.area.covers(Point(lon, lat)):
                yield lat, lon
    for part in getattr(dong.area, "geoms", [dong.area]):
        yield from ((lat, lon) for lon, lat, *_ in part.exterior.coords)


@pytest.mark.parametrize("dong", district().dongs, ids=lambda dong: dong.name)
def test_the_cells_of_a_dong_cover_its_area_and_its_border(dong: geo.Dong) -> None:
    cells = set(dong.cells)
    assert len(cells) == len(dong.cells)
    for lat, lon in points_of(dong):
        assert cell_of(lat, lon) in cells
        assert dong.contains(lat, lon)
        assert district().dong_at(lat, lon) is not None


def test_a_point_inside_one_dong_is_in_no_other() -> None:
    for dong in district().dongs:
        inside = dong.area.representative_point()
        assert district().dong_at(inside.y, inside.x) is dong


def test_outside_the_district_there_is_no_dong() -> None:
    assert district().dong_at(37.5665, 126.9780) is None
    assert district().dong_at(35.0, 126.8) is None


@pytest.mark.parametrize("name", ["gwangsan_facilities.csv", "gwangsan_bus_stops.csv"])
def test_the_map_agrees_with_what_real_places_say_of_their_dong(name: str) -> None:
    with (DATA / name).open(encoding="utf-8-sig", newline="") as opened:
        places = [row for row in csv.DictReader(opened) if row["dong"]]
    found = [(district().dong_at(float(row["lat"]), float(row["lon"])), row["dong"]) for row in places]
    agreeing = sum(dong is not None and dong.name == said for dong, said in found)
    assert len(places) > 300
    assert agreeing / len(places) >= AGREEING, f"{agreeing} of {len(places)}"
