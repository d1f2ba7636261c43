"""`nearby` from a moving origin (M10): many places within minutes are too many, the same place never is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from services.matching.index import domain, origins
from services.matching.index.domain import Near
from services.matching.settings import Settings
from shared.geo import district, haversine_m
from shared.redis import connect
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.desk_of_matching import MatchingDesk, open_matching
from tests.engines import PLACE, north_of
from tests.issuer import Issuer
from tests.publishers import assert_problem
from tests.samples import posting

MOST = 5


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[MatchingDesk]:
    async with open_matching(databases, issuer, settings_for(Settings, nearby_origins=MOST)) as made:
        yield made


def somebody() -> str:
    return f"citizen:{uuid4().hex[:8]}"


async def asks(desk: MatchingDesk, citizen: str, metres: float) -> httpx.Response:
    lat, lon = north_of(metres)
    return await desk.get("/nearby", citizen, lat=lat, lon=lon)


async def walks_until_refused(desk: MatchingDesk, citizen: str) -> tuple[list[float], httpx.Response]:
    """Steps of 200 m, so that each is a cell of its own."""
    asked: list[float] = []
    for step in range(3 * MOST):
        answer = await asks(desk, citizen, step * 200.0)
        if answer.status_code != 200:
            return asked, answer
        asked.append(step * 200.0)
    raise AssertionError("never refused")


async def test_too_many_places_are_refused_and_known_ones_are_not(desk: MatchingDesk) -> None:
    citizen = somebody()
    asked, refused = await walks_until_refused(desk, citizen)
    assert MOST <= len(asked) <= MOST + 1  # two cells may share their ten bits
    assert_problem(refused, 429, "too-many-origins")
    assert 0 < int(refused.headers["Retry-After"]) <= desk.settings.nearby_origins_s
    for metres in asked * 4:
        assert (await asks(desk, citizen, metres)).status_code == 200
    assert (await asks(desk, somebody(), 9_000)).status_code == 200, "counted for each person by themselves"


async def test_the_places_are_forgotten_after_the_window(desk: MatchingDesk) -> None:
    citizen = somebody()
    _, refused = await walks_until_refused(desk, citizen)
    wait_s = int(refused.headers["Retry-After"])
    with desk.clock.at((desk.now + timedelta(seconds=wait_s)).isoformat()):
        assert (await asks(desk, citizen, 30_000)).status_code == 200


async def test_tiny_moves_are_one_place(desk: MatchingDesk) -> None:
    """A hundred steps of a metre touch two cells at most."""
    citizen = somebody()
    assert {(await asks(desk, citizen, step)).status_code for step in range(100)} == {200}


async def test_what_is_kept_cannot_name_a_place_and_goes_with_consent(desk: MatchingDesk) -> None:
    citizen = somebody()
    await desk.consents(citizen)
    await asks(desk, citizen, 0)
    redis = connect(desk.settings.redis_url)
    try:
        kept = [int(str(mark, "ascii")) for mark in await redis.zrange(origins.key_of(citizen), 0, -1)]  # type: ignore[arg-type]
        assert [mark <= origins.BITS for mark in kept] == [True]
        assert 0 < await redis.pttl(origins.key_of(citizen)) <= desk.settings.nearby_origins_s * 1000
        await desk.http.delete("/consents/location", headers=desk.bearer(citizen))
        assert not await redis.exists(origins.key_of(citizen))
    finally:
        await redis.aclose()


async def test_without_redis_nobody_is_answered_uncounted(
    databases: Databases, issuer: Issuer, settings_for: SettingsFor
) -> None:
    async with open_matching(databases, issuer, settings_for(Settings, redis_url="redis://127.0.0.1:1/0")) as alone:
        answer = await asks(alone, somebody(), 0)
    assert_problem(answer, 503, "unavailable")
    assert answer.headers["Retry-After"] == "5"


def test_many_cells_share_each_mark() -> None:
    """Who reads Redis cannot tell which of the district's cells was asked from."""
    lats = [35.07 + n * 180 / origins.ROWS for n in range(120)]
    lons = [126.65 + n * 360 / origins.COLUMNS for n in range(120)]
    marks = [origins.mark_of("citizen:하늘", lat, lon) for lat in lats for lon in lons]
    mine = origins.mark_of("citizen:하늘", *PLACE)
    assert sum(mark == mine for mark in marks) >= 5
    assert len(set(marks)) == origins.BITS + 1


@pytest.mark.parametrize("metres", [0.0, 99.0, 350.0, 699.9])
def test_a_finer_origin_than_eleven_metres_changes_no_distance(metres: float) -> None:
    about = posting()
    near = Near(about, 0.0, *PLACE, None)
    lat, lon = (round(part, 4) for part in north_of(metres))
    shown = {domain.shown_m(near, lat + d, lon + e, 700) for d in (-4e-5, 0, 4e-5) for e in (-4e-5, 0, 4e-5)}
    assert len(shown) == 1
    assert next(iter(shown)) in range(100, 701, 100)
    assert abs((next(iter(shown)) or 0) - haversine_m(lat, lon, *PLACE)) <= 100
    area = posting(where={"dongs": [district().dongs[0].code]})
    assert domain.shown_m(Near(area, None, None, None, "수완동"), *PLACE, 700) is None
