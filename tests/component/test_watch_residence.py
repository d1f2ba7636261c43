"""Home 동, follows and muted topics as part of a citizen's settings; emergencies in the inbox."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from datetime import datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from services.matching.alerts.handlers import on_alerts
from services.matching.alerts.store import release_due
from services.matching.digests.domain import Budget
from services.matching.settings import Settings
from services.matching.watches.handlers import on_follows
from shared.contracts import Follows, Watch
from shared.contracts.watch import QuietHours
from shared.geo import district
from shared.messaging.consumer import Unit
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.desk_of_matching import MatchingDesk, open_matching
from tests.issuer import Issuer
from tests.publishers import broken_rules
from tests.samples import NOW, alert, posting

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


QUIET = QuietHours(starts=time(21), ends=time(8))


async def told_at(desk: MatchingDesk, citizen: str, when: str, **about: Any) -> tuple[str, datetime | None]:
    """State and due time of an alert that reaches the inbox at that moment."""
    now = datetime.fromisoformat(when)
    made = posting(expires_at=now + timedelta(days=1), starts_at=None, ends_at=None, **about)
    await desk.posted(made)
    told = alert(citizen, made, emergency=made.emergency, made_at=now, caused_at=now)
    async with desk.database.transaction() as tx:
        await on_alerts([told], Unit(tx, now), Budget(99, 5), QUIET)
    (row,) = await desk.rows("SELECT state, due_at FROM inbox_item WHERE id = :id", id=told.id)
    return row.state, row.due_at


@pytest.mark.parametrize(
    ("when", "until"),
    [
        ("2026-11-30T20:59:59.999999+09:00", None),
        ("2026-11-30T21:00:00+09:00", "2026-12-01T08:00:00+09:00"),  # the month turns meanwhile
        ("2026-12-31T23:59:59+09:00", "2027-01-01T08:00:00+09:00"),
        ("2027-01-01T00:00:00+09:00", "2027-01-01T08:00:00+09:00"),
        ("2026-02-28T21:00:00+09:00", "2026-03-01T08:00:00+09:00"),
        ("2026-11-30T07:59:59+09:00", "2026-11-30T08:00:00+09:00"),
        ("2026-11-30T08:00:00+09:00", None),
    ],
)
async def test_notices_wait_from_nine_to_eight_for_who_named_no_hours(
    desk: MatchingDesk, when: str, until: str | None
) -> None:
    citizen = somebody()
    await desk.consents(citizen)
    wanted = ("open", None) if until is None else ("deferred", datetime.fromisoformat(until))
    assert await told_at(desk, citizen, when, kind="notice") == wanted
    assert await told_at(desk, citizen, when, kind="job") == ("open", None)
    assert await told_at(desk, citizen, when, kind="notice", emergency=True) == ("open", None)


async def test_whoever_named_hours_has_theirs_and_none_at_all_if_they_say_so(desk: MatchingDesk) -> None:
    for starts, ends in (("00:00", "00:00"), ("12:00", "14:00")):
        citizen = somebody()
        await desk.consents(citizen, quiet={"starts": starts, "ends": ends})
        assert await told_at(desk, citizen, "2026-11-30T23:00:00+09:00", kind="notice") == ("open", None)


async def test_what_is_over_or_withdrawn_by_the_morning_is_never_told_and_what_was_edited_is_told_newest(
    desk: MatchingDesk,
) -> None:
    citizen, night = somebody(), datetime.fromisoformat("2027-03-31T23:30:00+09:00")
    await desk.consents(citizen)
    over, withdrawn, edited = (
        posting(kind="notice", starts_at=None, ends_at=None, expires_at=night + timedelta(hours=hours))
        for hours in (8, 48, 48)
    )
    await desk.posted(over, withdrawn, edited)
    async with desk.database.transaction() as tx:
        alerts = [alert(citizen, about, made_at=night, caused_at=night) for about in (over, withdrawn, edited)]
        await on_alerts(alerts, Unit(tx, night), Budget(99, 5), QUIET)
    newer = {"version": 2, "headline": "내일은 쉽니다"}
    await desk.posted(withdrawn.model_copy(update={"version": 2, "status": "closed"}), edited.model_copy(update=newer))
    async with desk.database.transaction() as tx:
        assert not await release_due(tx, night.replace(hour=23, minute=59))
        await release_due(tx, datetime.fromisoformat("2027-04-01T08:00:00+09:00"))
    assert [(i["headline"], i["state"]) for i in await desk.inbox(citizen)] == [("내일은 쉽니다", "open")]
