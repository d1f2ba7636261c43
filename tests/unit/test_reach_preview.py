"""The preview's counts: hidden where few, rounded, and positions against targets."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.matching.engine.areas import Areas
from services.matching.index.store import StoredFix
from services.matching.reach.domain import previewed
from services.matching.reach.standing import standing
from shared.contracts.posting import Circle, Where
from shared.geo import district, haversine_m

AREAS = Areas(district())
MIDDLE = (35.1906, 126.8234)


@given(st.lists(st.integers(0, 60), max_size=8), st.integers(1, 10))
def test_what_is_shown_is_a_multiple_and_never_tells_a_few(values: list[int], least: int) -> None:
    told = previewed([(str(nth), value) for nth, value in enumerate(values)], least)
    shown = [count for _, count in told.dongs]
    assert all(count is None or (count >= least and count % least == 0) for count in [*shown, told.total])
    assert (told.total is None) == (sum(values) < least)
    for real, count in zip(values, shown, strict=True):
        assert count is None or 0 <= real - count < least


@given(
    st.lists(st.tuples(st.floats(35.10, 35.25), st.floats(126.70, 126.90)), min_size=1, max_size=30),
    st.integers(50, 2_000), st.sets(st.sampled_from([d.code for d in district().dongs]), max_size=3),
)  # fmt: skip
def test_who_stands_in_a_target_is_as_the_plain_geometry_says(
    points: list[tuple[float, float]], radius_m: int, dongs: set[str]
) -> None:
    where = Where(circles=(Circle(lat=MIDDLE[0], lon=MIDDLE[1], radius_m=radius_m),), dongs=tuple(sorted(dongs)))
    fixes = {f"c{nth}": StoredFix(lat, lon, 5.0, 0, 1) for nth, (lat, lon) in enumerate(points)}
    found = {one.citizen_id for one in standing(fixes, where, district(), AREAS)}
    for name, fix in fixes.items():
        metres = haversine_m(fix.lat, fix.lon, *MIDDLE)
        if abs(metres - radius_m) < 0.01:
            continue
        here = district().dong_at(fix.lat, fix.lon)
        assert (name in found) == (metres <= radius_m or (here is not None and here.code in dongs))


def test_a_hundred_thousand_positions_are_held_against_a_target_in_one_go() -> None:
    chance = np.random.default_rng(7)
    spots = chance.uniform((35.07, 126.64), (35.26, 126.86), (100_000, 2)).tolist()
    fixes = {f"c{nth}": StoredFix(lat, lon, 5.0, 0, 1) for nth, (lat, lon) in enumerate(spots)}
    where = Where(circles=(Circle(lat=MIDDLE[0], lon=MIDDLE[1], radius_m=700),))
    found = standing(fixes, where, district(), AREAS)
    assert 0 < len(found) < 2_000
    assert all(one.reach_m <= 700 for one in found)
