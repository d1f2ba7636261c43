"""Job postings on their real database and broker: what is particular to jobs. The rest: test_offers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from shared.contracts import Posting
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.publishers import JOBS, SUWAN, Desk, broken_rules, hours_on, open_desk, told_on_kafka
from tests.stacks import Addresses
from tests.tap import Tap, tapping

pytestmark = pytest.mark.component


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[Desk]:
    async with open_desk(JOBS, databases, issuer, settings_for(JOBS.settings)) as open_:
        yield open_


@pytest_asyncio.fixture(scope="module")
async def tap(stack: Addresses) -> AsyncIterator[Tap]:
    async with tapping(stack.kafka_url, Posting.TOPIC) as listening:
        yield listening


async def test_each_change_reaches_kafka_in_order(desk: Desk, tap: Tap) -> None:
    made = await desk.opened()
    await desk.edit(made["id"], {"pay": {"amount_krw": 13_000}}, 1)
    await desk.end(made["id"])
    told = await told_on_kafka(desk, tap, made["id"], 3)
    assert [(posting.version, posting.status, posting.shows.pay_krw) for posting in told] == [
        (1, "open", 12_000),
        (2, "open", 13_000),
        (3, "closed", 13_000),
    ]


async def test_it_is_ready_once_its_events_flow(desk: Desk, tap: Tap) -> None:
    await told_on_kafka(desk, tap, (await desk.opened())["id"], 1)
    answer = await desk.http.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "checks": {"database": "ok"}})


async def test_the_event_says_where_for_whom_and_for_how_much(desk: Desk, tap: Tap) -> None:
    made = await desk.opened(radius_m=1_000, min_age=18, pay={"amount_krw": 50_000, "per": "day"}, slots=3, urgent=True)
    (posting,) = await told_on_kafka(desk, tap, made["id"], 1)
    (circle,) = posting.where.circles
    assert (circle.lat, circle.lon, circle.radius_m) == (SUWAN["lat"], SUWAN["lon"], 1_000)
    assert (posting.audience.interests, posting.audience.min_age) == (("library",), 18)
    assert (posting.audience.channel, posting.urgent) == ("수완동", True)
    assert posting.shows.model_dump(exclude_none=True) == {"place": SUWAN["name"], "pay_krw": 50_000, "pay_per": "day"}


async def test_what_is_left_out_has_a_usual_value(desk: Desk) -> None:
    made = await desk.opened()
    assert (made["radius_m"], made["slots"], made["urgent"], made["min_age"]) == (700, 1, False, None)
    assert made["pay"] == {"amount_krw": 12_000, "per": "hour", "minutes_per_piece": None}
    assert made["expires_at"] == made["starts_at"]


async def test_every_term_can_be_edited(desk: Desk) -> None:
    made = await desk.opened(min_age=20)
    edit: dict[str, Any] = {
        "headline": "새 제목", "description": "", "radius_m": 50, "interests": [], "min_age": None, "slots": 2, "urgent": True,
        "place": {"name": "첨단도서관", "address": None, "lat": 35.21, "lon": 126.84},
        "pay": {"amount_krw": 30_000, "per": "piece", "minutes_per_piece": 60},
        "starts_at": hours_on(5), "ends_at": hours_on(6), "expires_at": hours_on(5.5),
    }  # fmt: skip
    after = (await desk.edit(made["id"], edit, 1)).json()
    assert {name: after[name] for name in edit if not name.endswith("_at")} == {
        name: value for name, value in edit.items() if not name.endswith("_at")
    }
    assert (await desk.get(made["id"])).json() == after


async def test_null_clears_the_age_and_nothing_else(desk: Desk) -> None:
    made = await desk.opened(min_age=20)
    after = (await desk.edit(made["id"], {"min_age": None, "headline": None, "pay": None, "place": None}, 1)).json()
    assert after == {**made, "min_age": None, "version": 2, "changed_at": after["changed_at"]}


async def test_a_start_that_moves_takes_the_usual_expiry_along(desk: Desk) -> None:
    made = await desk.opened()
    after = (await desk.edit(made["id"], {"starts_at": hours_on(3)}, 1)).json()
    assert after["expires_at"] == after["starts_at"] != made["starts_at"]


async def test_another_place_begins_a_new_urgency_epoch_and_a_corrected_address_does_not(desk: Desk) -> None:
    made = await desk.opened()
    near = {
        **made["place"],
        "address": "바로 옆문",
        "lat": made["place"]["lat"] + 0.0008,
    }  # 89 m: the same step of distance
    far = {**made["place"], "lat": made["place"]["lat"] + 0.002}
    assert (await desk.edit(made["id"], {"place": near}, 1)).json()["urgency_epoch"] == 0
    assert (await desk.edit(made["id"], {"place": far}, 2)).json()["urgency_epoch"] == 1


async def test_becoming_urgent_begins_a_new_urgency_epoch(desk: Desk) -> None:
    made = await desk.opened()
    after = (await desk.edit(made["id"], {"urgent": True}, 1)).json()
    assert (made["urgency_epoch"], after["urgency_epoch"]) == (0, 1)
    assert (await desk.edit(made["id"], {"urgent": False}, 2)).json()["urgency_epoch"] == 1


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"ends_at": hours_on(1), "expires_at": hours_on(1)}, ("body.ends_at", "after-start")),
        ({"ends_at": hours_on(27)}, ("body.ends_at", "shift-too-long")),
        ({"starts_at": hours_on(-1)}, ("body.expires_at", "in-future")),
        ({"starts_at": hours_on(24 * 400), "ends_at": hours_on(24 * 400 + 1)}, ("body.starts_at", "too-far")),
        ({"expires_at": hours_on(5)}, ("body.expires_at", "before-end")),
        ({"pay": {"amount_krw": -1}}, ("body.pay.amount_krw", "greater_than_equal")),
        ({"pay": {"amount_krw": 10**400}}, ("body.pay.amount_krw", "less_than_equal")),
        ({"pay": {"amount_krw": 10.5}}, ("body.pay.amount_krw", "int_from_float")),
        ({"pay": {"amount_krw": "10320"}}, ("body.pay.amount_krw", "number")),
        ({"pay": {"amount_krw": 20_000, "per": "minute"}}, ("body.pay.per", "literal_error")),
        ({"radius_m": 49}, ("body.radius_m", "greater_than_equal")),
        ({"radius_m": 2_001}, ("body.radius_m", "less_than_equal")),
        ({"slots": 0}, ("body.slots", "greater_than_equal")),
        ({"slots": True}, ("body.slots", "number")),
        ({"urgent": "yes"}, ("body.urgent", "bool_type")),
        ({"headline": " 가 "}, ("body.headline", "string_too_short")),
        ({"headline": "가" * 201}, ("body.headline", "string_too_long")),
        ({"interests": ["UPPER"]}, ("body.interests.0", "string_pattern_mismatch")),
        ({"interests": ["a"] * 21}, ("body.interests", "too_long")),
        ({"place": {**SUWAN, "name": " "}}, ("body.place.name", "string_too_short")),
    ],
)
async def test_a_broken_rule_is_named_with_its_field(
    desk: Desk, changed: dict[str, Any], rule: tuple[str, str]
) -> None:
    assert broken_rules(await desk.post(JOBS.draft(**changed))) == {rule}


async def test_an_edit_is_held_to_the_same_rules(desk: Desk) -> None:
    made = await desk.opened()
    assert broken_rules(await desk.edit(made["id"], {"ends_at": made["starts_at"]}, 1)) == {
        ("body.ends_at", "after-start")
    }
    assert (await desk.get(made["id"])).json() == made
