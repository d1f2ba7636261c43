"""How many residents a notice would reach, by 동, before it is told: counted in PostgreSQL and Redis, small counts hidden."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from services.matching.index import store as index
from services.matching.index.store import SLOT_MS, StoredFix
from services.matching.settings import Settings
from services.matching.watches.handlers import on_follows
from shared.contracts import Follows
from shared.contracts.location import LOCATIONS
from shared.geo import district
from shared.messaging.consumer import Unit
from shared.messaging.partitions import partition_of
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.desk_of_matching import MatchingDesk, open_matching
from tests.issuer import Issuer
from tests.publishers import assert_problem, broken_rules
from tests.samples import NOW

pytestmark = pytest.mark.component

SUWAN, CHEOMDAN = (next(d for d in district().dongs if d.name == name) for name in ("수완동", "첨단1동"))
PLACE = {"lat": 35.1906, "lon": 126.8234, "radius_m": 700}


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[MatchingDesk]:
    async with open_matching(databases, issuer, settings_for(Settings, reach_previews=12)) as made:
        yield made


@dataclass(frozen=True)
class Office:
    """An institution of one test's own, whose topic nobody else's notices have."""

    desk: MatchingDesk
    name: str
    topic: str

    async def ask(self, **target: Any) -> httpx.Response:
        headers = self.desk.bearer(f"officer:{self.name}")
        return await self.desk.http.post("/reach/preview", json=target, headers=headers)

    async def preview(self, **target: Any) -> tuple[int | None, dict[str | None, int | None]]:
        """Of those who wish for this test's topic, so that other tests' residents are not counted."""
        answer = await self.ask(**{"topics": [self.topic], **target})
        assert answer.status_code == 200, answer.text
        told = answer.json()
        return told["residents"], {row["dong"]: row["residents"] for row in told["dongs"]}

    async def residents(self, count: int, **settings: Any) -> list[str]:
        who = [f"citizen:{uuid4().hex[:12]}" for _ in range(count)]
        for citizen in who:
            await self.desk.wants(citizen, **{"interests": [self.topic], **settings})
        return who

    async def located(self, count: int, lat: float, lon: float, **settings: Any) -> list[str]:
        who = [f"citizen:{uuid4().hex[:12]}" for _ in range(count)]
        for citizen in who:
            await self.desk.consents(citizen, **{"interests": [self.topic], **settings})
        await stand(self.desk, who, lat, lon)
        return who


async def stand(
    desk: MatchingDesk, who: Sequence[str], lat: float, lon: float, *, ago_s: float = 1, epoch: int = 1
) -> None:
    at_ms = int((desk.now.timestamp() - ago_s) * 1000)
    for citizen in who:
        partition = partition_of(citizen, LOCATIONS.partitions)
        packed = {citizen: StoredFix(lat, lon, 5.0, at_ms, epoch).pack()}
        await index.put_fixes(desk.parts.redis, {(partition, at_ms // SLOT_MS): packed}, 600)


@pytest.fixture
def office(desk: MatchingDesk) -> Office:
    return Office(desk, f"기관 {uuid4().hex[:8]}", f"t-{uuid4().hex[:8]}")


async def test_residents_by_home_dong_are_counted_without_any_consent(office: Office) -> None:
    await office.residents(12, home_dongs=[SUWAN.old_code])
    await office.residents(10, home_dongs=[CHEOMDAN.code])
    assert await office.preview(dongs=[SUWAN.code, CHEOMDAN.old_code]) == (20, {"수완동": 10, "첨단1동": 10})
    assert await office.preview(dongs=[SUWAN.old_code]) == (10, {"수완동": 10})


async def test_followers_count_once_wherever_they_are_and_those_without_a_home_under_none(office: Office) -> None:
    home = await office.residents(5, home_dongs=[SUWAN.code])
    nowhere = await office.residents(5)
    async with office.desk.database.transaction() as tx:
        lists = [Follows(citizen_id=c, version=1, channels=(office.name,), changed_at=NOW) for c in (*home, *nowhere)]
        await on_follows(lists, Unit(tx, office.desk.clock()))
    assert await office.preview(followers=True) == (10, {"수완동": 5, None: 5})
    assert await office.preview(followers=True, dongs=[SUWAN.code]) == (10, {"수완동": 5, None: 5})
    assert await office.preview(followers=True, channel=f"{office.name}/통계") == (None, {})


async def test_who_stands_in_the_circle_counts_while_consent_and_position_hold(office: Office) -> None:
    await office.located(10, PLACE["lat"], PLACE["lon"])
    await office.located(5, PLACE["lat"], PLACE["lon"], radius_m=50)
    await office.located(5, PLACE["lat"] + 0.0045, PLACE["lon"], radius_m=400)  # 500 m away, and wants 400
    await stand(office.desk, await office.residents(7), PLACE["lat"], PLACE["lon"])  # never consented
    await stand(office.desk, await office.located(5, 35.0, 126.0), PLACE["lat"], PLACE["lon"], epoch=0)
    await stand(office.desk, await office.located(5, 35.0, 126.0), PLACE["lat"], PLACE["lon"], ago_s=601)
    assert (await office.preview(circles=[PLACE]))[0] == 15
    who = await office.located(1, PLACE["lat"], PLACE["lon"])
    await office.preview(circles=[PLACE])
    records = (await office.desk.get("/location-records", who[0])).json()
    assert [(r["act"], r["how"], r["times"]) for r in records] == [("used", "preview", 1)]


async def test_who_would_not_hear_of_it_is_not_counted(office: Office) -> None:
    home = {"home_dongs": [SUWAN.code]}
    await office.residents(10, **home)
    for settings in (
        {"paused": True}, {"kinds": ["job"]}, {"muted_channels": [office.name]}, {"muted_topics": [office.topic]},
        {"interests": ["else"]},
    ):  # fmt: skip
        await office.residents(5, **{**home, **settings})
    assert await office.preview(dongs=[SUWAN.code]) == (10, {"수완동": 10})


async def test_few_are_hidden_and_no_difference_tells_them(office: Office) -> None:
    await office.residents(4, home_dongs=[SUWAN.code])
    assert await office.preview(dongs=[SUWAN.code]) == (None, {"수완동": None})
    await office.residents(8, home_dongs=[CHEOMDAN.code])
    assert await office.preview(dongs=[SUWAN.code, CHEOMDAN.code]) == (10, {"수완동": None, "첨단1동": None})
    await office.residents(1, home_dongs=[CHEOMDAN.code])
    assert await office.preview(dongs=[CHEOMDAN.code]) == (5, {"첨단1동": 5}), "rounded down: one more is not seen"


async def test_only_officers_ask_and_only_for_their_own_channel(office: Office) -> None:
    assert_problem(
        await office.desk.http.post("/reach/preview", json={"followers": True}, headers=office.desk.bearer("citizen:하늘")),
        403, "forbidden",
    )  # fmt: skip
    assert broken_rules(await office.ask(followers=True, channel="남의 기관")) == {("body.channel", "own-channel")}
    assert broken_rules(await office.ask()) == {("body", "no-target")}
    assert broken_rules(await office.ask(dongs=["1111051500"])) == {("body.dongs.0", "unknown-dong")}
    assert broken_rules(await office.ask(circles=[{**PLACE, "radius_m": 9}])) == {
        ("body.circles.0.radius_m", "greater_than_equal")
    }


async def test_many_previews_are_a_measurement(office: Office) -> None:
    answers = [await office.ask(followers=True) for _ in range(13)]
    assert [answer.status_code for answer in answers] == [200] * 12 + [429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 600
