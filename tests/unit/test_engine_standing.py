"""Who stands near a circle, from lists by cell: nobody within its rim is left out, wherever people went meanwhile."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.matching.engine.standing import PIECE, Standing
from services.matching.engine.tables import CITIZEN, NEW_CITIZEN, NEW_SHAPE, SHAPE, Rows, Table
from shared.geo import covering_circle, haversine_m
from tests.engines import PLACE, Step, World, next_of, north_of, place, watch
from tests.samples import posting


class Crowd:
    """A table of citizens and their lists."""

    def __init__(self, places: list[tuple[float, float]]) -> None:
        self.table = Table(CITIZEN, NEW_CITIZEN)
        self.standing = Standing(self.table)
        self.go({self.table.add(): place for place in places})

    def go(self, places: dict[int, tuple[float, float]]) -> None:
        for row, (lat, lon) in places.items():
            self.table.rows["lat"][row], self.table.rows["lon"][row] = lat, lon
        self.standing.moved(np.array(list(places), np.int64))

    def near(self, *circles: tuple[float, float, float]) -> list[tuple[int, int]]:
        """(citizen, circle) of all that were found."""
        shapes, done, found = _shapes(circles), 0, list[tuple[int, int]]()
        while done < len(circles):
            done, who, what = self.standing.near_circles(done, np.arange(len(circles)), shapes)
            found += zip(who.tolist(), what.tolist(), strict=True)
        return found

    def within(self, lat: float, lon: float, radius_m: float) -> set[int]:
        rows = self.table.rows[: self.table.size]
        return {
            row for row, (a, b) in enumerate(zip(rows["lat"], rows["lon"], strict=True))
            if not np.isnan(a) and haversine_m(a, b, lat, lon) <= max(1.1 * radius_m, radius_m + 20)
        }  # fmt: skip


def _shapes(circles: tuple[tuple[float, float, float], ...]) -> Rows:
    shapes: Rows = np.array([NEW_SHAPE] * len(circles), SHAPE)
    for name, values in zip(("lat", "lon", "radius_m"), np.array(circles).T, strict=True):
        shapes[name] = values
    return shapes


anywhere = st.tuples(st.floats(-90, 90), st.floats(-180, 180))
around = st.tuples(st.floats(-0.03, 0.03), st.floats(-0.03, 0.03))


@settings(max_examples=150, deadline=None)
@given(
    middle=anywhere, steps=st.lists(st.tuples(st.integers(0, 9), around), max_size=60), radius_m=st.floats(50, 2_000)
)
def test_whoever_is_within_the_rim_is_found_once_wherever_they_walked(
    middle: tuple[float, float], steps: list[tuple[int, tuple[float, float]]], radius_m: float
) -> None:
    crowd = Crowd([middle] * 10)
    for row, (north, east) in steps:
        lat = min(90.0, max(-90.0, middle[0] + north))
        crowd.go({row: (lat, (middle[1] + east + 180) % 360 - 180)})
    found = [citizen for citizen, _ in crowd.near((*middle, radius_m))]
    assert len(found) == len(set(found))
    assert set(found) >= crowd.within(*middle, radius_m)


@pytest.mark.parametrize("middle", [(0.0, 180.0), (0.0, -180.0), (90.0, 0.0), (-90.0, 12.0), (35.19, 126.82)])
def test_nobody_is_missed_at_the_edges_of_the_map(middle: tuple[float, float]) -> None:
    crowd = Crowd([middle, (middle[0], -middle[1]), (0.0, 0.0)])
    assert {citizen for citizen, _ in crowd.near((*middle, 700))} >= crowd.within(*middle, 700)


def test_who_is_nowhere_any_more_is_on_no_list() -> None:
    crowd = Crowd([PLACE, PLACE, PLACE])
    crowd.go({1: (np.nan, np.nan)})
    assert sorted(crowd.near((*PLACE, 700))) == [(0, 0), (2, 0)]
    crowd.go({0: (np.nan, np.nan), 2: (np.nan, np.nan), 1: PLACE})
    assert crowd.near((*PLACE, 700)) == [(1, 0)]


def test_a_table_that_grew_keeps_its_lists() -> None:
    crowd = Crowd([PLACE])
    crowd.go({crowd.table.add(): north_of(100) for _ in range(3_000)})
    assert len(crowd.near((*PLACE, 700))) == 3_001


def test_many_circles_come_in_pieces_and_all_of_them_come() -> None:
    crowd = Crowd([PLACE] * 1_000)
    found = crowd.near(*[(*PLACE, 700.0)] * 20)
    assert len(found) == 20_000 > PIECE
    assert len(set(found)) == 20_000


def test_a_posting_looks_at_those_about_it_and_not_at_everybody() -> None:
    """The gate is a count: at most two and a half times as many as its area holds are looked at, of however many there are."""
    rng = np.random.default_rng(1)
    crowd = Crowd(list(zip(rng.uniform(35.08, 35.26, 50_000), rng.uniform(126.64, 126.92, 50_000), strict=True)))
    looked_at = len(crowd.near((*PLACE, 700)))
    assert len(crowd.within(*PLACE, 700)) <= looked_at <= 2.5 * len(crowd.within(*PLACE, 700))


def test_an_area_finds_all_of_its_cells() -> None:
    crowd = Crowd([PLACE, north_of(2_500), north_of(50_000)])
    assert sorted(crowd.standing.within(covering_circle(*PLACE, 3_000)).tolist()) == [0, 1]


def _world(citizens: int = 40) -> World:
    world = World()
    for nth in range(citizens):
        world.set(watch(f"c{nth}"))
        lat, lon = north_of(nth * 60 - 1_200)
        world.take(Step(f"c{nth}", lat, lon, world.now))
    return world


def test_postings_that_come_together_tell_what_they_would_tell_one_by_one() -> None:
    postings = [posting(where=place(700, metres=nth * 90.0)) for nth in range(8)]
    together, alone = _world(), _world()
    found = [told for rows in together.engine.put_postings(postings, together.now) for told in together.told(rows)]
    assert sorted(found) == sorted(told for one in postings for told in alone.put(one))
    assert [told for one in postings for told in together.put(one)] == []


def test_a_citizen_who_walked_on_is_found_where_they_are_now() -> None:
    world = World()
    world.set(watch())
    world.stands(5_000)
    world.stands(100, minutes=5)
    assert len(world.put(posting(where=place()))) == 1
    assert world.put(posting(where=place(700, metres=5_000))) == []


def test_whose_consent_is_withdrawn_is_found_nowhere() -> None:
    world = World()
    world.set(watch())
    world.stands(100)
    world.set(watch(version=2, located=False))
    assert world.put(posting(where=place())) == []


def test_a_posting_that_moved_away_and_came_back_finds_people_anew() -> None:
    world = _world(3)
    first = posting(where=place(700, metres=-1_200))
    assert len(world.put(first)) == 3
    away = next_of(first, where=place(700, metres=9_000))
    assert world.put(away) == []
    assert len(world.put(next_of(away, where=place(700, metres=-1_200), urgency_epoch=1))) == 3
