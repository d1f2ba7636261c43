"""Series on the real database: a result for each date, skipped or refused, cancelled in part."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from services.spaces.settings import Settings
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.jobs import tomorrow_at
from tests.publishers import NOBODY_LISTENS, assert_problem, broken_rules
from tests.spaces import HANEUL, SpacesDesk, open_spaces, span

pytestmark = pytest.mark.component


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[SpacesDesk]:
    settings = settings_for(Settings, kafka_url=NOBODY_LISTENS, spaces_tick_s=3_600)
    async with open_spaces(databases, issuer, settings) as open_:
        yield open_


def somebody() -> str:
    return f"citizen:{uuid4().hex}"


def wish(count: int = 4, **changed: Any) -> dict[str, Any]:
    return {**span(), "rrule": f"FREQ=WEEKLY;COUNT={count}", "holidays": "keep", **changed}


def week(n: int, hour: float = 10) -> dict[str, str]:
    return span(days=2 + 7 * n, hour=hour)


async def made(desk: SpacesDesk, space: dict[str, Any], who: str, **changed: Any) -> dict[str, Any]:
    series: dict[str, Any] = await desk.good("POST", f"/spaces/{space['id']}/series", wish(**changed), as_=who)
    return series


def results(series: dict[str, Any]) -> list[str]:
    return [date["result"] for date in series["dates"]]


async def test_every_date_is_booked_and_is_a_booking_like_any_other(desk: SpacesDesk) -> None:
    me, room = somebody(), await desk.opened()
    series = await made(desk, room, me)
    assert (results(series), series["booked"]) == (["booked"] * 4, 4)
    assert [d["state"] for d in series["dates"]] == ["confirmed"] * 4
    one = await desk.good("GET", f"/bookings/{series['dates'][2]['booking_id']}", as_=me)
    assert (one["series_id"], one["starts_at"]) == (series["id"], series["dates"][2]["starts_at"])
    for n in range(4):
        assert (await desk.hold(room, HANEUL, **week(n))).status_code == 409


async def test_what_is_taken_is_skipped_and_named(desk: SpacesDesk) -> None:
    me, room = somebody(), await desk.opened()
    await desk.booked(room, somebody(), **week(1, 10.5))
    series = await made(desk, room, me)
    assert results(series) == ["booked", "conflict", "booked", "booked"]
    assert series["dates"][1]["rule"] == "taken"
    assert await desk.overlaps() == 0


async def test_all_or_nothing_books_nothing_and_lists_every_date(desk: SpacesDesk) -> None:
    me, room = somebody(), await desk.opened()
    await desk.booked(room, somebody(), **week(1))
    refused = await desk.ask("POST", f"/spaces/{room['id']}/series", wish(conflicts="refuse"), as_=me)
    assert_problem(refused, 409, "series-conflict")
    assert results(refused.json()) == ["booked", "conflict", "booked", "booked"]
    assert (await desk.hold(room, HANEUL, **week(0))).status_code == 201
    assert (await desk.good("GET", "/series", as_=me))["items"] == []


async def test_looking_books_nothing(desk: SpacesDesk) -> None:
    me, room = somebody(), await desk.opened()
    looked = await desk.ask("POST", f"/spaces/{room['id']}/series", wish(preview="look"), as_=me)
    assert (looked.status_code, results(looked.json())) == (200, ["booked"] * 4)
    assert (await desk.hold(room, HANEUL, **week(0))).status_code == 201
    assert (await desk.good("GET", "/bookings", as_=me))["items"] == []


async def test_closed_days_and_dates_too_far_ahead_have_their_own_results(desk: SpacesDesk) -> None:
    me, room = somebody(), await desk.opened(ahead_days=20, closes_at=None)
    start, end = (datetime.fromisoformat(week(1)[n]) for n in ("starts_at", "ends_at"))
    await desk.rows_of_closure(room, start, end)
    series = await made(desk, room, me)
    assert [(d["result"], d["rule"]) for d in series["dates"]] == [
        ("booked", None), ("closed", "closure"), ("booked", None), ("refused", "too-far"),
    ]  # fmt: skip


async def test_holidays_are_skipped_where_the_series_says_so(desk: SpacesDesk) -> None:
    me = somebody()
    room, other = await desk.opened(ahead_days=366), await desk.opened(ahead_days=366)
    declared = tomorrow_at(0, days=2 + 7).date()
    await desk.declare_holiday(declared, "임시공휴일")
    skipped = await made(desk, room, me, holidays="skip")
    assert [(d["result"], d["detail"]) for d in skipped["dates"]][1] == ("holiday", "임시공휴일")
    kept = await made(desk, other, me, holidays="keep")
    assert results(kept)[1] == "booked"


async def test_one_following_and_all_are_cancelled(desk: SpacesDesk) -> None:
    me, room = somebody(), await desk.opened()
    series = await made(desk, room, me, count=6)
    path, starts = f"/series/{series['id']}/cancel", [d["starts_at"] for d in series["dates"]]

    async def cancelled(**body: Any) -> list[str]:
        after = await desk.good("POST", path, {"reason": "못 감", **body}, as_=me)
        return [d["state"] for d in after["dates"]]

    c, k = "cancelled", "confirmed"
    assert await cancelled(scope="one", starts_at=starts[1]) == [k, c, k, k, k, k]
    assert (await desk.hold(room, HANEUL, **week(1))).status_code == 201
    assert await cancelled(scope="following", starts_at=starts[4]) == [k, c, k, k, c, c]
    assert await cancelled(scope="all") == [c] * 6
    again = await desk.ask("POST", path, {"scope": "all", "reason": "x"}, as_=me)
    assert assert_problem(again, 409, "conflict")[0]["rule"] == "no-date"


async def test_what_has_begun_is_not_cancelled_with_all(desk: SpacesDesk) -> None:
    me, room = somebody(), await desk.opened()
    series = await made(desk, room, me, count=3)
    with desk.clock.at(series["dates"][0]["starts_at"]):
        await desk.good("POST", f"/bookings/{series['dates'][0]['booking_id']}/check-in", as_=me)
        after = await desk.good("POST", f"/series/{series['id']}/cancel", {"scope": "all", "reason": "x"}, as_=me)
    assert [d["state"] for d in after["dates"]] == ["in_use", "cancelled", "cancelled"]


async def test_a_series_in_hours_stops_where_the_minutes_end(desk: SpacesDesk) -> None:
    me, room = somebody(), await desk.opened()
    plan = await desk.good("POST", "/plans", {"name": "두 시간", "kind": "hours", "minutes": 120, "carry_months": 12})
    mine = await desk.good("POST", f"/plans/{plan['id']}/subscriptions", as_=me)
    left = mine["left_minutes"]
    daily = wish(rrule="FREQ=DAILY;COUNT=4", subscription_id=mine["id"])
    series = await desk.ask("POST", f"/spaces/{room['id']}/series", daily | {"starts_at": span()["starts_at"]}, as_=me)
    booked = min(4, left // 60)
    if booked:
        assert results(series.json())[:1] == ["booked"]
        after = await desk.good("GET", f"/subscriptions/{mine['id']}", as_=me)
        used = sum(r == "booked" for r in results(series.json())) * 60
        assert used <= 240
        assert after["left_minutes"] <= left + 120 - used
    else:
        assert_problem(series, 409, "series-conflict")


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"rrule": "FREQ=WEEKLY"}, ("body.rrule", "endless")),
        ({"rrule": "FREQ=DAILY;COUNT=1000"}, ("body.rrule", "too-many")),
        ({"rrule": "FREQ=WEEKLY;UNTIL=21270101"}, ("body.rrule", "too-far")),
        ({"rrule": "FREQ=MINUTELY;COUNT=3"}, ("body.rrule", "frequency")),
        ({"rrule": ""}, ("body.rrule", "string_too_short")),
        ({"ends_at": "2026-01-01T00:00:00Z"}, ("body.ends_at", "after-start")),
        ({"starts_at": "9999-12-01T00:00:00Z", "ends_at": "9999-12-01T01:00:00Z"}, ("body.starts_at", "time-range")),
    ],
)
async def test_a_broken_rule_is_named_with_its_field(
    desk: SpacesDesk, changed: dict[str, Any], rule: tuple[str, str]
) -> None:
    room = await desk.opened()
    answer = await desk.ask("POST", f"/spaces/{room['id']}/series", wish(**changed), as_=HANEUL)
    assert broken_rules(answer) == {rule}


async def test_another_persons_series_is_not_known_to_be_there(desk: SpacesDesk) -> None:
    series = await made(desk, await desk.opened(), somebody())
    assert_problem(await desk.ask("GET", f"/series/{series['id']}", as_=HANEUL), 404, "not-found")
    cancel = {"scope": "all", "reason": "x"}
    assert_problem(await desk.ask("POST", f"/series/{series['id']}/cancel", cancel, as_=HANEUL), 404, "not-found")


async def test_a_hundred_dates_are_made_in_one_go_and_once(desk: SpacesDesk) -> None:
    me, room, key = somebody(), await desk.opened(ahead_days=366), uuid4().hex
    body = wish(rrule="FREQ=DAILY;COUNT=100")
    path = f"/spaces/{room['id']}/series"
    first = await desk.ask("POST", path, body, as_=me, key=key)
    again = await desk.ask("POST", path, body, as_=me, key=key)
    assert first.json() == again.json()
    assert first.json()["booked"] == 100
    last = datetime.fromisoformat(first.json()["dates"][-1]["starts_at"])
    assert last - datetime.fromisoformat(first.json()["dates"][0]["starts_at"]) == timedelta(days=99)
