"""걸어서 10분: all that is open near a point, nearest first, as JSON or GeoJSON, from the real index."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from services.matching.index import store as index
from services.matching.index.domain import indexed
from services.matching.settings import Settings
from shared.contracts import Posting
from shared.geo import district
from shared.redis import connect
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.desk_of_matching import MatchingDesk, open_matching
from tests.engines import PLACE, north_of, place
from tests.issuer import Issuer
from tests.publishers import broken_rules
from tests.samples import posting

pytestmark = pytest.mark.component
GEOJSON = "application/geo+json"


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[MatchingDesk]:
    async with open_matching(databases, issuer, settings_for(Settings)) as made:
        yield made


async def indexes(desk: MatchingDesk, **changed: Any) -> Posting:
    made = posting(**{"starts_at": None, "ends_at": None, "expires_at": desk.now + timedelta(days=1), **changed})
    redis = connect(desk.settings.redis_url)
    await index.put_postings(redis, [indexed(made, district())])
    await redis.aclose()
    return made


async def asks(desk: MatchingDesk, headers: dict[str, str] | None = None, **query: Any) -> httpx.Response:
    whole = {"lat": PLACE[0], "lon": PLACE[1], **query}
    return await desk.get("/nearby", f"citizen:{uuid4().hex[:8]}", headers, **whole)


async def found(desk: MatchingDesk, among: list[Posting], **query: Any) -> list[tuple[str, int | None]]:
    """Those of ours that were found, with the distance told, in the order of the answer."""
    ids = {str(offer.id) for offer in among}
    items = (await asks(desk, **query)).json()["items"]
    return [(item["posting"]["id"], item["distance_m"]) for item in items if item["posting"]["id"] in ids]


async def test_the_nearest_comes_first_and_the_rim_is_inside(desk: MatchingDesk) -> None:
    offers = [await indexes(desk, where=place(50, metres)) for metres in (699.99, 700.01, 120, -30)]
    told = await found(desk, offers)
    assert [id_ for id_, _ in told] == [str(offers[i].id) for i in (3, 2, 0)]
    assert all(metres is not None and metres % 100 == 0 for _, metres in told)
    assert len(await found(desk, offers, radius_m=701)) == 4


async def test_a_posting_of_several_places_is_found_at_its_nearest(desk: MatchingDesk) -> None:
    both = {"circles": place(700, 5_000)["circles"] + place(700, 200)["circles"]}
    offer = await indexes(desk, where=both)
    (item,) = [i for i in (await asks(desk)).json()["items"] if i["posting"]["id"] == str(offer.id)]
    assert (item["lat"], item["lon"]) == pytest.approx(north_of(200))


async def test_kinds_may_be_chosen(desk: MatchingDesk) -> None:
    job, space, notice = [await indexes(desk, kind=kind) for kind in ("job", "space", "notice")]
    chosen = await found(desk, [job, space, notice], kind=["job", "notice"])
    assert {id_ for id_, _ in chosen} == {str(job.id), str(notice.id)}


async def test_a_notice_of_ones_own_dong_comes_after_what_has_a_place(desk: MatchingDesk) -> None:
    here = district().dong_at(*PLACE)
    assert here is not None
    notice = await indexes(desk, kind="notice", where={"dongs": [here.old_code]})
    elsewhere = await indexes(
        desk, kind="notice", where={"dongs": [next(d.code for d in district().dongs if d != here)]}
    )
    far = await indexes(desk, where=place(50, 690))
    assert [id_ for id_, _ in await found(desk, [notice, elsewhere, far])] == [str(far.id), str(notice.id)]


async def test_what_is_over_is_left_out_however_long_the_index_keeps_it(desk: MatchingDesk) -> None:
    over = await indexes(desk, expires_at=desk.now - timedelta(milliseconds=1))
    closed = await indexes(desk, status="closed")
    assert await found(desk, [over, closed]) == []


@pytest.mark.parametrize(("query", "accept"), [({"format": "geojson"}, "*/*"), ({}, GEOJSON)])
async def test_geojson_has_longitude_first_and_no_geometry_for_areas(
    desk: MatchingDesk, query: dict[str, str], accept: str
) -> None:
    here = district().dong_at(*PLACE)
    assert here is not None
    job, notice = await indexes(desk), await indexes(desk, kind="notice", where={"dongs": [here.code]})
    answer = await asks(desk, {"Accept": accept}, **query)
    assert answer.headers["content-type"].startswith(GEOJSON)
    features = {feature["id"]: feature for feature in answer.json()["features"]}
    assert features[str(job.id)]["geometry"] == {"type": "Point", "coordinates": [PLACE[1], PLACE[0]]}
    assert features[str(notice.id)]["geometry"] is None
    assert features[str(notice.id)]["properties"]["dong"] == here.name


@pytest.mark.parametrize(
    "query", [{"lat": 91}, {"lon": "NaN"}, {"radius_m": 49}, {"radius_m": 2_001}, {"kind": "x"}, {"format": "xml"}]
)
async def test_questions_that_cannot_be_answered_are_refused(desk: MatchingDesk, query: dict[str, Any]) -> None:
    assert broken_rules(await asks(desk, **query))


async def test_an_answer_is_nobodys_to_keep(desk: MatchingDesk) -> None:
    assert (await asks(desk)).headers["cache-control"] == "no-store"
