"""왜 받았나요? (M8): the rule, the citizen's own settings as they were, the posting's version, in two languages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Literal
from uuid import uuid4

import pytest
import pytest_asyncio

from services.matching.settings import Settings
from services.matching.watches import store as watches
from shared.contracts.alert import Why
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.desk_of_matching import MatchingDesk, open_matching
from tests.issuer import Issuer
from tests.publishers import assert_problem
from tests.samples import posting


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[MatchingDesk]:
    async with open_matching(databases, issuer, settings_for(Settings)) as made:
        yield made


def somebody() -> str:
    return f"citizen:{uuid4().hex[:8]}"


def still_open(desk: MatchingDesk, **changed: Any) -> Any:
    return posting(**{"expires_at": desk.now + timedelta(days=1), "starts_at": None, "ends_at": None, **changed})


async def test_an_alert_says_its_rule_the_settings_of_then_and_the_posting_version(desk: MatchingDesk) -> None:
    citizen, about = somebody(), still_open(desk, version=2)
    wanted = await desk.consents(
        citizen, radius_m=500, interests=["library"], quiet={"starts": "22:00", "ends": "08:00"}
    )
    why = Why(
        cause="citizen_moved",
        watch_version=wanted["version"],
        rule="within_radius",
        reach_m=500,
        matched_interests=("library",),
    )
    made = await desk.tell(citizen, about, why=why)
    await desk.wants(citizen, radius_m=1_500)
    await desk.posted(about.model_copy(update={"version": 3, "headline": "시간이 바뀌었습니다"}))

    answer = await desk.get(f"/alerts/{made.id}/why", citizen)
    told = answer.json()
    assert (told["rule"], told["cause"], told["reach_m"]) == ("within_radius", "citizen_moved", 500)
    assert (told["watch_version"], told["posting_version"]) == (wanted["version"], 2)
    assert (told["settings"]["radius_m"], told["settings"]["interests"]) == (500, ["library"])
    assert answer.headers["content-language"] == "ko"
    for said in ("500m 안에", "약 400m", "library", "22:00–08:00", "버전 2", "지금은 버전 3"):
        assert said in told["text"], said
    for said in ("within 500 m", "about 400 m", "library", "22:00–08:00", "version 2", "version 3 now"):
        assert said in " ".join(told["en"]), said


async def test_the_language_is_the_one_asked_for(desk: MatchingDesk) -> None:
    citizen = somebody()
    await desk.consents(citizen)
    made = await desk.tell(citizen, still_open(desk))
    for asked, given in (
        ("en-US,en;q=0.9,ko;q=0.5", "en"),
        ("ko;q=0.9,en;q=0.3", "ko"),
        ("fr", "ko"),
        ("en;q=x", "ko"),
    ):
        answer = await desk.get(f"/alerts/{made.id}/why", citizen, {"Accept-Language": asked})
        assert answer.headers["content-language"] == given, asked
        assert answer.json()["text"] == " ".join(answer.json()[given])


async def test_a_dong_is_a_rule_of_its_own_and_has_no_reach(desk: MatchingDesk) -> None:
    citizen, about = somebody(), still_open(desk, kind="notice", where={"dongs": ["2920063700"]})
    await desk.consents(citizen)
    made = await desk.tell(
        citizen, about, distance_m=None, why=Why(cause="posting_changed", watch_version=2, rule="in_dong")
    )
    told = (await desk.get(f"/alerts/{made.id}/why", citizen)).json()
    assert (told["rule"], told["reach_m"]) == ("in_dong", None)
    assert "수완동 안에" in told["text"]


@pytest.mark.parametrize(
    ("rule", "ko", "en"),
    [
        ("home_dong", "사는 동으로 고르신", "named as your home"),
        ("following", "팔로우하시는 기관", "that you follow"),
    ],
)
async def test_what_no_position_had_a_part_in_says_nothing_of_where_one_was(
    desk: MatchingDesk, rule: Literal["home_dong", "following"], ko: str, en: str
) -> None:
    citizen, about = somebody(), still_open(desk, kind="notice", where={"dongs": ["2920063700"]})
    await desk.wants(citizen)
    why = Why(cause="posting_changed", watch_version=1, rule=rule)
    made = await desk.tell(citizen, about, distance_m=None, dong=None, why=why)
    told = (await desk.get(f"/alerts/{made.id}/why", citizen)).json()
    assert (ko in told["ko"][0], en in told["en"][0]) == (True, True), told
    assert "계셨" not in told["text"]
    assert "계신" not in told["text"]
    assert "you were" not in " ".join(told["en"]).lower()


async def test_a_reminder_and_an_emergency_say_so(desk: MatchingDesk) -> None:
    citizen = somebody()
    await desk.consents(citizen)
    reminder = await desk.tell(citizen, still_open(desk, kind="notice"), reminder=True)
    emergency = await desk.tell(citizen, still_open(desk, kind="notice", emergency=True), emergency=True)
    plain = await desk.tell(citizen, still_open(desk, kind="notice"))
    texts = [(await desk.get(f"/alerts/{made.id}/why", citizen)).json() for made in (reminder, emergency, plain)]
    assert [("마감 전에 다시" in told["text"], "긴급 소식" in told["text"]) for told in texts] == [
        (True, False),
        (False, True),
        (False, False),
    ]
    assert "reminded before its deadline" in " ".join(texts[0]["en"])


async def test_nobody_else_is_told_why(desk: MatchingDesk) -> None:
    citizen = somebody()
    await desk.consents(citizen)
    made = await desk.tell(citizen, still_open(desk))
    assert_problem(await desk.get(f"/alerts/{made.id}/why", somebody()), 404, "not-found")
    assert_problem(await desk.get(f"/alerts/{uuid4()}/why", citizen), 404, "not-found")
    assert_problem(await desk.get(f"/alerts/{made.id}/why", "officer:수완동 행정복지센터"), 403, "forbidden")


async def test_replaced_settings_are_forgotten_in_time_and_then_said_to_be(desk: MatchingDesk) -> None:
    citizen = somebody()
    await desk.consents(citizen, radius_m=300)
    made = await desk.tell(citizen, still_open(desk), why=Why(cause="watch_changed", watch_version=2, reach_m=300))
    await desk.wants(citizen, radius_m=900)
    for days, kept in ((89, True), (91, False)):
        async with desk.database.transaction() as tx:
            await watches.forget_versions(tx, desk.now + timedelta(days=days), 90)
        told = (await desk.get(f"/alerts/{made.id}/why", citizen)).json()
        assert (told["settings"] is not None) == kept
    assert "지워졌습니다" in told["text"]
    kept_versions = await desk.rows("SELECT version FROM watch_version WHERE citizen_id = :id", id=citizen)
    assert [row.version for row in kept_versions] == [3], "the settings in force stay, however old"


async def test_a_remembered_version_holds_no_place_and_no_name_of_what_was_muted(desk: MatchingDesk) -> None:
    citizen = somebody()
    await desk.consents(citizen, muted_channels=["ch:1"], muted_postings=[str(uuid4())])
    rows = await desk.rows("SELECT settings FROM watch_version WHERE citizen_id = :id", id=citizen)
    assert {name for row in rows for name in row.settings} == set(watches.REMEMBERED)
