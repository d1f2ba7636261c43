"""Spaces on their real database and broker: what is particular to spaces. The rest: test_offers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from shared.contracts import Posting
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.publishers import SPACES, SUWAN, Desk, broken_rules, hours_on, open_desk, told_on_kafka
from tests.stacks import Addresses
from tests.tap import Tap, tapping

pytestmark = pytest.mark.component


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[Desk]:
    async with open_desk(SPACES, databases, issuer, settings_for(SPACES.settings)) as open_:
        yield open_


@pytest_asyncio.fixture(scope="module")
async def tap(stack: Addresses) -> AsyncIterator[Tap]:
    async with tapping(stack.kafka_url, Posting.TOPIC) as listening:
        yield listening


async def test_each_change_reaches_kafka_in_order(desk: Desk, tap: Tap) -> None:
    made = await desk.opened()
    await desk.edit(made["id"], {"price": {"amount_krw": 0}}, 1)
    await desk.end(made["id"], "공사로 닫습니다")
    told = await told_on_kafka(desk, tap, made["id"], 3)
    assert [(posting.version, posting.status, posting.shows.price_krw) for posting in told] == [
        (1, "open", 2_000),
        (2, "open", 0),
        (3, "closed", 0),
    ]
    assert told[-1].closed_because == "공사로 닫습니다"


async def test_the_event_says_where_until_when_and_for_how_much(desk: Desk, tap: Tap) -> None:
    made = await desk.opened(opens_at=hours_on(1), closes_at=hours_on(9), price={"amount_krw": 90_000, "per": "month"})
    (posting,) = await told_on_kafka(desk, tap, made["id"], 1)
    (circle,) = posting.where.circles
    assert (circle.lat, circle.lon, circle.radius_m) == (SUWAN["lat"], SUWAN["lon"], 700)
    assert (posting.audience.interests, posting.audience.channel) == (("office",), "수완동")
    assert posting.starts_at == datetime.fromisoformat(made["opens_at"])
    assert posting.ends_at == posting.expires_at == datetime.fromisoformat(made["closes_at"])
    assert posting.shows.model_dump(exclude_none=True) == {
        "place": SUWAN["name"],
        "price_krw": 90_000,
        "price_per": "month",
    }


async def test_what_is_left_out_has_a_usual_value(desk: Desk) -> None:
    draft = {name: SPACES.draft()[name] for name in ("headline", "place", "space_kind", "capacity")}
    made = (await desk.post(draft)).json()
    assert (made["radius_m"], made["price"], made["interests"]) == (700, {"amount_krw": 0, "per": "hour"}, [])
    assert (made["opens_at"], made["closes_at"], made["accessibility"]) == (None, None, None)
    offered_for = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"])
    assert offered_for == timedelta(days=30)


async def test_every_term_can_be_edited(desk: Desk) -> None:
    made = await desk.opened()
    edit: dict[str, Any] = {
        "headline": "새 이름", "description": "", "radius_m": 2_000, "interests": ["study"], "space_kind": "desk", "capacity": 1,
        "place": {"name": "첨단도서관", "address": None, "lat": 35.21, "lon": 126.84}, "accessibility": "승강기 있음",
        "price": {"amount_krw": 500, "per": "use"},
        "opens_at": hours_on(5), "closes_at": hours_on(60), "expires_at": hours_on(50),
    }  # fmt: skip
    after = (await desk.edit(made["id"], edit, 1)).json()
    assert {name: after[name] for name in edit if not name.endswith("_at")} == {
        name: value for name, value in edit.items() if not name.endswith("_at")
    }
    assert (await desk.get(made["id"])).json() == after


async def test_null_clears_what_may_be_absent(desk: Desk) -> None:
    made = await desk.opened(opens_at=hours_on(1), closes_at=hours_on(9))
    clear = {"opens_at": None, "closes_at": None, "accessibility": None, "capacity": None, "price": None}
    after = (await desk.edit(made["id"], clear, 1)).json()
    cleared = {"opens_at": None, "closes_at": None, "accessibility": None}
    assert after == {**made, **cleared, "version": 2, "changed_at": after["changed_at"]}


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"space_kind": "hall"}, ("body.space_kind", "literal_error")),
        ({"capacity": 0}, ("body.capacity", "greater_than_equal")),
        ({"capacity": 10**30}, ("body.capacity", "less_than_equal")),
        ({"price": {"amount_krw": -1}}, ("body.price.amount_krw", "greater_than_equal")),
        ({"price": {"amount_krw": 1, "per": "week"}}, ("body.price.per", "literal_error")),
        ({"accessibility": " "}, ("body.accessibility", "string_too_short")),
        ({"closes_at": hours_on(-1)}, ("body.closes_at", "in-future")),
        ({"opens_at": hours_on(3), "closes_at": hours_on(2)}, ("body.closes_at", "after-opening")),
        ({"expires_at": hours_on(-1)}, ("body.expires_at", "in-future")),
        ({"expires_at": "9999-12-31T23:59:59Z"}, ("body.expires_at", "too-far")),
        ({"closes_at": hours_on(2), "expires_at": hours_on(3)}, ("body.expires_at", "before-closing")),
        ({"opens_at": hours_on(3), "expires_at": hours_on(2)}, ("body.expires_at", "after-opening")),
        ({"opens_at": hours_on(24 * 400)}, ("body.expires_at", "too-far")),
    ],
)
async def test_a_broken_rule_is_named_with_its_field(
    desk: Desk, changed: dict[str, Any], rule: tuple[str, str]
) -> None:
    assert broken_rules(await desk.post(SPACES.draft(**changed))) == {rule}


async def test_a_closing_time_before_the_offers_end_needs_a_new_end(desk: Desk) -> None:
    made = await desk.opened()
    assert broken_rules(await desk.edit(made["id"], {"closes_at": hours_on(5)}, 1)) == {
        ("body.expires_at", "before-closing")
    }
    both = {"closes_at": hours_on(5), "expires_at": hours_on(4)}
    assert (await desk.edit(made["id"], both, 1)).status_code == 200
