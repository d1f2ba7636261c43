"""Home 동, follows and muted topics as part of a citizen's settings; emergencies in the inbox."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from services.matching.settings import Settings
from services.matching.watches.handlers import on_follows
from shared.contracts import Follows, Watch
from shared.geo import district
from shared.messaging.consumer import Unit
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.desk_of_matching import MatchingDesk, open_matching
from tests.issuer import Issuer
from tests.publishers import broken_rules
from tests.samples import NOW, posting

pytestmark = pytest.mark.component


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[MatchingDesk]:
    async with open_matching(databases, issuer, settings_for(Settings, budget_per_day=2)) as made:
        yield made


def somebody() -> str:
    return f"citizen:{uuid4().hex[:10]}"


async def follows(desk: MatchingDesk, citizen: str, version: int, *channels: str) -> None:
    """A citizen's list reaches matching."""
    event = Follows(citizen_id=citizen, version=version, channels=channels, changed_at=NOW)
    async with desk.database.transaction() as tx:
        await on_follows([event], Unit(tx, desk.clock()))


async def watch(desk: MatchingDesk, citizen: str) -> dict[str, Any]:
    found: dict[str, Any] = (await desk.get("/watch", citizen)).json()
    return found


async def test_a_home_dong_is_set_without_consent_by_either_code_and_kept_by_the_new_one(desk: MatchingDesk) -> None:
    first, second = district().dongs[3], district().dongs[9]
    for codes in ([first.code, second.old_code], [second.code, first.old_code, first.code]):
        citizen = somebody()
        made = await desk.wants(citizen, home_dongs=codes)
        assert made["home_dongs"] == sorted([first.code, second.code])
        assert not made["located"], "a residence is no location"
        (kept,) = await desk.rows("SELECT settings FROM watch WHERE citizen_id = :id", id=citizen)
        assert Watch.model_validate(kept.settings).home_dongs == tuple(sorted([first.code, second.code]))


@pytest.mark.parametrize("code", ["1111051500", "", "29200", "수완동", " 1233063700"])
async def test_a_code_of_no_dong_of_the_district_is_refused_by_its_place(desk: MatchingDesk, code: str) -> None:
    body = {"home_dongs": [district().dongs[0].code, code]}
    answer = await desk.http.put("/watch", json=body, headers=desk.bearer(somebody()))
    assert broken_rules(answer) == {("body.home_dongs.1", "unknown-dong")}


async def test_settings_never_clear_follows_and_follows_never_clear_settings(desk: MatchingDesk) -> None:
    citizen, home = somebody(), district().dongs[0].code
    await desk.wants(citizen, home_dongs=[home], muted_topics=["sports"])
    await follows(desk, citizen, 1, "수완동", "광산구/통계")
    after = await watch(desk, citizen)
    assert (after["follows"], after["home_dongs"], after["muted_topics"]) == (
        ["수완동", "광산구/통계"], [home], ["sports"],
    )  # fmt: skip
    assert (await desk.wants(citizen))["follows"] == ["수완동", "광산구/통계"]
    assert (await watch(desk, citizen))["home_dongs"] == []
    refused = await desk.http.put("/watch", json={"follows": []}, headers=desk.bearer(citizen))
    assert broken_rules(refused) == {("body.follows", "extra_forbidden")}


async def test_follows_in_any_order_and_however_often_leave_the_newest(desk: MatchingDesk) -> None:
    for order in itertools.permutations((1, 2, 3)):
        citizen = somebody()
        for version in (*order, *order):
            await follows(desk, citizen, version, *(f"채널 {n}" for n in range(version)))
        after = await watch(desk, citizen)
        assert after["follows"] == ["채널 0", "채널 1", "채널 2"]
        assert after["version"] == len([v for n, v in enumerate(order) if v > max(order[:n], default=0)])


async def test_each_change_of_follows_is_published_as_a_version_of_the_watch(desk: MatchingDesk) -> None:
    citizen = somebody()
    await desk.wants(citizen)
    before = (await watch(desk, citizen))["version"]
    async with desk.database.transaction() as tx:
        events = [Follows(citizen_id=citizen, version=n, channels=(f"채널 {n}",), changed_at=NOW) for n in (1, 3, 2)]
        await on_follows(events, Unit(tx, desk.clock()))
    kept = await desk.rows("SELECT version FROM watch_version WHERE citizen_id = :id ORDER BY version", id=citizen)
    assert [row.version for row in kept] == [before, before + 1]
    assert (await watch(desk, citizen))["follows"] == ["채널 3"]


async def test_an_emergency_is_told_beyond_the_budget_and_uses_none_of_it(desk: MatchingDesk) -> None:
    citizen = somebody()
    await desk.consents(citizen)

    async def told(emergency: bool) -> str:
        about = posting(expires_at=desk.now + timedelta(days=1), kind="notice", emergency=emergency)
        await desk.posted(about)
        made = await desk.tell(citizen, about, emergency=emergency)
        state: str = next(i["state"] for i in await desk.inbox(citizen) if i["id"] == str(made.id))
        return state

    assert [await told(emergency) for emergency in (True, True, True, False, False, False, True)] == [
        "open", "open", "open", "open", "open", "digest", "open",
    ]  # fmt: skip


async def test_an_emergency_is_not_deferred_whatever_the_alert_says(desk: MatchingDesk) -> None:
    citizen = somebody()
    await desk.consents(citizen)
    for emergency, states in ((False, []), (True, [("open", True)])):
        about = posting(expires_at=desk.now + timedelta(days=1), kind="notice", emergency=emergency)
        await desk.posted(about)
        made = await desk.tell(citizen, about, emergency=emergency, deferred_until=desk.now + timedelta(hours=3))
        found = [(i["state"], i["emergency"]) for i in await desk.inbox(citizen) if i["id"] == str(made.id)]
        assert found == states
