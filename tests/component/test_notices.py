"""Notices on their real database and broker: what is particular to notices. The rest: test_offers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from shared.contracts import Posting
from shared.geo import district
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.publishers import NOTICES, Desk, broken_rules, hours_on, open_desk, told_on_kafka
from tests.stacks import Addresses
from tests.tap import Tap, tapping

pytestmark = pytest.mark.component

HERE = {"lat": 35.1906, "lon": 126.8234, "radius_m": 700}


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[Desk]:
    async with open_desk(NOTICES, databases, issuer, settings_for(NOTICES.settings)) as open_:
        yield open_


@pytest_asyncio.fixture(scope="module")
async def tap(stack: Addresses) -> AsyncIterator[Tap]:
    async with tapping(stack.kafka_url, Posting.TOPIC) as listening:
        yield listening


async def test_edits_supersede_and_withdrawing_keeps_the_reason_on_kafka(desk: Desk, tap: Tap) -> None:
    made = await desk.opened()
    await desk.edit(made["id"], {"headline": "물놀이장은 2일부터 열어요"}, 1)
    await desk.end(made["id"], "비가 와서 취소합니다")
    told = await told_on_kafka(desk, tap, made["id"], 3)
    assert [(notice.version, notice.headline, notice.status, notice.closed_because) for notice in told] == [
        (1, "수완동 물놀이장 열어요", "open", None),
        (2, "물놀이장은 2일부터 열어요", "open", None),
        (3, "물놀이장은 2일부터 열어요", "closed", "비가 와서 취소합니다"),
    ]


async def test_the_event_says_where_for_whom_and_from_which_channel(desk: Desk, tap: Tap) -> None:
    made = await desk.opened(channel="수완동/어린이", urgent=True)
    (notice,) = await told_on_kafka(desk, tap, made["id"], 1)
    assert notice.where.model_dump(mode="json") == {"circles": [HERE], "dongs": ["1233063700"]} == made["target"]
    assert (notice.audience.interests, notice.audience.channel) == (("children",), "수완동/어린이")
    assert (notice.urgent, notice.starts_at, notice.ends_at) == (True, None, None)


async def test_what_is_left_out_has_a_usual_value(desk: Desk) -> None:
    made = (await desk.post({"headline": "알림", "body": "본문", "target": {"circles": [HERE]}})).json()
    assert (made["topics"], made["channel"], made["urgent"]) == ([], "수완동", False)
    published_for = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"])
    assert published_for == timedelta(days=14)


async def test_old_and_new_codes_name_the_same_dongs(desk: Desk) -> None:
    old, new = sorted(d.old_code for d in district().dongs), sorted(d.code for d in district().dongs)
    for given in (old, new, [*old, *new], [*new[::-1], *old]):
        made = await desk.opened(target={"dongs": given})
        assert made["target"] == {"circles": [], "dongs": new}
    edited = await desk.edit(made["id"], {"target": {"dongs": [old[3]]}}, 1)
    assert edited.json()["target"]["dongs"] == [district().by_code[old[3]].code]


async def test_the_other_code_of_the_same_dong_is_no_change(desk: Desk) -> None:
    made = await desk.opened(target={"dongs": ["2920063700"]})
    assert (await desk.edit(made["id"], {"target": {"dongs": ["1233063700"]}}, 1)).json() == made


@pytest.mark.parametrize(
    ("target", "rule"),
    [
        ({}, ("body.target", "no-target")),
        ({"circles": [], "dongs": []}, ("body.target", "no-target")),
        ({"dongs": ["1233063700", "1111051500"]}, ("body.target.dongs.1", "unknown-dong")),
        ({"dongs": ["수완동"]}, ("body.target.dongs.0", "unknown-dong")),
        ({"dongs": [" 1233063700"]}, ("body.target.dongs.0", "unknown-dong")),
        ({"dongs": [""]}, ("body.target.dongs.0", "unknown-dong")),
        ({"dongs": ["1233063700"] * 43}, ("body.target.dongs", "too_long")),
        ({"dongs": ["1\0"]}, ("body.target.dongs", "nul-character")),
        ({"dongs": [1233063700]}, ("body.target.dongs.0", "string_type")),
        ({"circles": [HERE] * 21}, ("body.target.circles", "too_long")),
        ({"circles": [{**HERE, "radius_m": 2_001}]}, ("body.target.circles.0.radius_m", "less_than_equal")),
        ({"circles": [{**HERE, "lon": 180.5}]}, ("body.target.circles.0.lon", "less_than_equal")),
        ({"polygon": []}, ("body.target.polygon", "extra_forbidden")),
    ],
)
async def test_a_target_that_is_none_is_refused_by_field_and_rule(
    desk: Desk, target: dict[str, Any], rule: tuple[str, str]
) -> None:
    assert broken_rules(await desk.post(NOTICES.draft(target=target))) == {rule}


@pytest.mark.parametrize("channel", ["첨단1동", "수완동2", "수완동-어린이", "/수완동"])
async def test_nobody_publishes_in_anothers_channel(desk: Desk, channel: str) -> None:
    assert broken_rules(await desk.post(NOTICES.draft(channel=channel))) == {("body.channel", "own-channel")}
    made = await desk.opened()
    assert broken_rules(await desk.edit(made["id"], {"channel": channel}, 1)) == {("body.channel", "own-channel")}


async def test_every_term_can_be_edited(desk: Desk) -> None:
    made = await desk.opened()
    edit: dict[str, Any] = {
        "headline": "새 제목", "body": "새 본문", "topics": [], "channel": "수완동/통계", "urgent": True,
        "target": {"circles": [{**HERE, "radius_m": 50}, HERE], "dongs": []}, "expires_at": hours_on(24),
    }  # fmt: skip
    after = (await desk.edit(made["id"], edit, 1)).json()
    assert {name: after[name] for name in edit if name != "expires_at"} == {
        name: value for name, value in edit.items() if name != "expires_at"
    }
    assert (after["urgency_epoch"], after["version"]) == (1, 2)
    assert (await desk.get(made["id"])).json() == after


async def test_null_changes_nothing(desk: Desk) -> None:
    made = await desk.opened()
    nothing = dict.fromkeys(("headline", "body", "topics", "channel", "urgent", "target", "expires_at"))
    assert (await desk.edit(made["id"], nothing, 1)).json() == made


@pytest.mark.parametrize(
    ("expires_at", "rule"),
    [(hours_on(-1), "in-future"), (hours_on(24 * 367), "too-far"), ("0001-01-01T00:00:00Z", "in-future")],
)
async def test_a_notice_ends_in_the_coming_year(desk: Desk, expires_at: str, rule: str) -> None:
    assert broken_rules(await desk.post(NOTICES.draft(expires_at=expires_at))) == {("body.expires_at", rule)}
