"""Bookings on their real database: held, confirmed, decided, given up; never twice."""

from __future__ import annotations

import asyncio
from collections import Counter
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
from tests.spaces import BADA, HANEUL, NURI, OFFICER, SpacesDesk, minutes_after, open_spaces, span

pytestmark = pytest.mark.component


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[SpacesDesk]:
    """Nothing happens by itself here: no chore runs unless a test asks."""
    settings = settings_for(Settings, kafka_url=NOBODY_LISTENS, spaces_tick_s=3_600)
    async with open_spaces(databases, issuer, settings) as open_:
        yield open_


async def test_a_time_is_held_confirmed_and_told_each_time(desk: SpacesDesk) -> None:
    room = await desk.opened()
    held = await desk.held(room, HANEUL, people=3, name="하늘", purpose="회의")
    assert (held["state"], held["people"], held["price_krw"], held["version"]) == ("held", 3, 2_000, 1)
    confirmed = await desk.does(held, "confirm", HANEUL)
    assert (confirmed["state"], confirmed["hold_until"], confirmed["version"]) == ("confirmed", None, 2)
    assert await desk.booking(held, HANEUL) == confirmed
    assert await desk.told(held) == ["held", "confirmed"]


async def test_a_hundred_at_once_for_one_time_give_exactly_one_success(desk: SpacesDesk) -> None:
    room = await desk.opened()
    crowd = [f"citizen:{n}-{uuid4().hex[:6]}" for n in range(100)]
    answers = await asyncio.gather(*(desk.hold(room, who) for who in crowd))
    assert Counter(a.status_code for a in answers) == {201: 1, 409: 99}
    assert await desk.overlaps() == 0
    late = next(a for a in answers if a.status_code == 409).json()
    assert [e["rule"] for e in late["errors"]] == ["taken"]
    assert late["alternatives"]["other_times"]


async def test_the_alternatives_are_the_nearest_free_times_and_spaces(desk: SpacesDesk) -> None:
    far = {"name": "먼 곳", "lat": 35.1103, "lon": 126.7001}
    near = {"name": "가까운 곳", "lat": 35.1103, "lon": 126.7031}
    full = await desk.opened(place=far)
    other = await desk.opened(place=near, headline="옆 회의실")
    busy = await desk.opened(place=near, headline="찬 회의실")
    await desk.held(full, HANEUL)
    await desk.held(busy, HANEUL)
    late = await desk.hold(full, BADA)
    assert_problem(late, 409, "conflict")
    found = late.json()["alternatives"]
    hours_off = {minutes_between(span()["starts_at"], t["starts_at"]) for t in found["other_times"]}
    assert hours_off >= {-60, 60}
    assert [s["space_id"] for s in found["other_spaces"]] == [other["id"]]
    assert found["other_spaces"][0]["distance_m"] == 300
    again = await desk.hold(full, BADA, **found["other_times"][0])
    assert again.status_code == 201


def minutes_between(one: str, other: str) -> float:
    return (datetime.fromisoformat(other) - datetime.fromisoformat(one)) / timedelta(minutes=1)


async def test_an_end_may_be_the_next_start(desk: SpacesDesk) -> None:
    room = await desk.opened()
    for hour in (10, 11, 9):
        await desk.held(room, f"citizen:{uuid4().hex}", **span(hour=hour))
    inside = await desk.hold(room, NURI, **span(hour=10.5))
    assert inside.status_code == 409


async def test_setting_up_and_cleaning_up_keep_bookings_apart(desk: SpacesDesk) -> None:
    room = await desk.opened(before_min=10, after_min=20)
    await desk.held(room, HANEUL, **span(hour=10))
    assert (await desk.hold(room, BADA, **span(hour=11 + 29 / 60))).status_code == 409
    assert (await desk.hold(room, BADA, **span(hour=11.5))).status_code == 201
    assert (await desk.hold(room, NURI, **span(hour=8.5 + 1 / 60))).status_code == 409
    assert (await desk.hold(room, NURI, **span(hour=8.5))).status_code == 201


async def test_desks_are_booked_one_by_one_until_all_are_taken(desk: SpacesDesk) -> None:
    desks = await desk.opened(space_kind="desk", capacity=3)
    answers = await asyncio.gather(*(desk.hold(desks, f"citizen:{uuid4().hex}") for _ in range(8)))
    assert Counter(a.status_code for a in answers) == {201: 3, 409: 5}
    assert await desk.overlaps() == 0


async def test_overnight_and_over_the_end_of_a_month(desk: SpacesDesk) -> None:
    room = await desk.opened(max_minutes=1_440)
    first_of_next_month = (tomorrow_at(0).replace(day=1) + timedelta(days=32)).replace(day=1)
    night = {
        "starts_at": (first_of_next_month - timedelta(hours=2)).isoformat(),
        "ends_at": (first_of_next_month + timedelta(hours=3)).isoformat(),
    }
    booked = await desk.booked(room, HANEUL, **night)
    assert booked["state"] == "confirmed"
    inside = {"starts_at": first_of_next_month.isoformat(), "ends_at": night["ends_at"]}
    assert (await desk.hold(room, BADA, **inside)).status_code == 409
    after = {"starts_at": night["ends_at"], "ends_at": minutes_after(night["ends_at"], 60)}
    assert (await desk.hold(room, BADA, **after)).status_code == 201


async def test_a_hold_that_ran_out_keeps_nobody_from_the_room_though_no_scheduler_runs(desk: SpacesDesk) -> None:
    room = await desk.opened()
    held = await desk.held(room, HANEUL)
    with desk.clock.at(minutes_after(held["hold_until"], 0)):
        assert (await desk.booking(held, HANEUL))["state"] == "expired"
        taken = await desk.held(room, BADA)
        late = await desk.ask("POST", f"/bookings/{held['id']}/confirm", as_=HANEUL)
        assert_problem(late, 409, "conflict")
    assert taken["state"] == "held"
    assert await desk.told(held) == ["held", "expired"]


async def test_a_no_show_keeps_nobody_from_the_room_though_no_scheduler_runs(desk: SpacesDesk) -> None:
    room = await desk.opened(min_minutes=15)
    mine = await desk.booked(room, HANEUL)
    with desk.clock.at(minutes_after(mine["starts_at"], 14)):
        left = {"starts_at": minutes_after(mine["starts_at"], 16), "ends_at": mine["ends_at"]}
        assert (await desk.hold(room, BADA, **left)).status_code == 409
    with desk.clock.at(minutes_after(mine["starts_at"], 15.1)):
        assert (await desk.hold(room, BADA, **left)).status_code == 201
    assert await desk.told(mine) == ["held", "confirmed", "no_show"]


async def test_chores_note_what_has_lapsed_once(desk: SpacesDesk) -> None:
    room = await desk.opened()
    held = await desk.held(room, HANEUL)
    with desk.clock.at(minutes_after(held["hold_until"], 0.1)):
        assert await desk.chores() >= 1
        assert await desk.chores() == 0
    assert await desk.told(held) == ["held", "expired"]


async def test_a_hold_is_extended_twice_and_no_more(desk: SpacesDesk) -> None:
    held = await desk.held(await desk.opened(), HANEUL)
    for n in (1, 2):
        held = await desk.does(held, "extend", HANEUL)
        assert held["extensions"] == n
    assert assert_problem(await desk.ask("POST", f"/bookings/{held['id']}/extend", as_=HANEUL), 409, "conflict")


async def test_an_officer_decides_where_the_space_says_so(desk: SpacesDesk) -> None:
    room = await desk.opened(approval="officer")
    first, second = await desk.booked(room, HANEUL), await desk.booked(room, BADA, **span(hour=15))
    assert first["state"] == "pending"
    assert (await desk.hold(room, NURI)).status_code == 409
    queue = await desk.good("GET", "/desk/bookings")
    assert [b["id"] for b in queue["items"]][-2:] == [first["id"], second["id"]]
    assert "citizen_id" not in queue["items"][0]
    approved = await desk.good("POST", f"/desk/bookings/{first['id']}/approve")
    rejected = await desk.good("POST", f"/desk/bookings/{second['id']}/reject", {"reason": "행사가 있습니다"})
    assert (approved["state"], rejected["state"], rejected["because"]) == ("confirmed", "rejected", "행사가 있습니다")
    assert (await desk.hold(room, NURI, **span(hour=15))).status_code == 201
    twice = await desk.ask("POST", f"/desk/bookings/{first['id']}/approve")
    assert_problem(twice, 409, "conflict")
    other = await desk.ask("POST", f"/desk/bookings/{first['id']}/reject", {"reason": "x"}, as_="officer:송정동")
    assert_problem(other, 404, "not-found")


async def test_what_is_not_decided_before_its_start_is_let_go(desk: SpacesDesk) -> None:
    room = await desk.opened(approval="officer")
    pending = await desk.booked(room, HANEUL)
    with desk.clock.at(pending["starts_at"]):
        assert_problem(await desk.ask("POST", f"/desk/bookings/{pending['id']}/approve"), 409, "conflict")
        assert (await desk.booking(pending, HANEUL))["state"] == "expired"


async def test_a_cancelled_time_is_free_and_the_reason_kept(desk: SpacesDesk) -> None:
    room = await desk.opened()
    mine = await desk.booked(room, HANEUL)
    gone = await desk.does(mine, "cancel", HANEUL, {"reason": "일이 생겼습니다"})
    assert (gone["state"], gone["because"]) == ("cancelled", "일이 생겼습니다")
    assert (await desk.hold(room, BADA)).status_code == 201
    again = await desk.ask("POST", f"/bookings/{mine['id']}/cancel", {"reason": "x"}, as_=HANEUL)
    assert_problem(again, 409, "conflict")


async def test_a_booking_is_changed_on_the_version_it_was_read_in(desk: SpacesDesk) -> None:
    room = await desk.opened()
    mine = await desk.held(room, HANEUL)
    path = f"/bookings/{mine['id']}"
    assert_problem(await desk.ask("PATCH", path, {"people": 2}, as_=HANEUL), 428, "precondition-required")
    later = await desk.ask(
        "PATCH", path, span(hour=10.5, hours=2) | {"people": 2}, as_=HANEUL, headers={"If-Match": '"v1"'}
    )
    assert (later.status_code, later.json()["price_krw"], later.json()["people"]) == (200, 4_000, 2), later.text
    old = await desk.ask("PATCH", path, {"people": 1}, as_=HANEUL, headers={"If-Match": '"v1"'})
    assert_problem(old, 412, "precondition-failed")
    await desk.held(room, BADA, **span(hour=14))
    onto = await desk.ask("PATCH", path, span(hour=13.5), as_=HANEUL, headers={"If-Match": '"v2"'})
    assert_problem(onto, 409, "conflict")
    assert (await desk.hold(room, NURI, **span(hour=9.5))).status_code == 201
    assert await desk.overlaps() == 0


async def test_the_same_key_books_once(desk: SpacesDesk) -> None:
    room, key = await desk.opened(), uuid4().hex
    path = f"/spaces/{room['id']}/bookings"
    answers = await asyncio.gather(*(desk.ask("POST", path, span(), as_=HANEUL, key=key) for _ in range(10)))
    assert {a.status_code for a in answers} == {201}
    assert len({a.json()["id"] for a in answers}) == 1
    other = await desk.ask("POST", path, span(hour=12), as_=HANEUL, key=key)
    assert broken_rules_of_key(other) == "idempotency-key-reused"


def broken_rules_of_key(answer: Any) -> str:
    (error,) = assert_problem(answer, 422, "idempotency-key-reused")
    return error["rule"]


async def test_another_persons_booking_is_not_known_to_be_there(desk: SpacesDesk) -> None:
    mine = await desk.held(await desk.opened(), HANEUL)
    for method, act in (("GET", ""), ("POST", "/confirm"), ("POST", "/extend")):
        assert_problem(await desk.ask(method, f"/bookings/{mine['id']}{act}", as_=BADA), 404, "not-found")


async def test_one_citizen_holds_no_more_than_five_times_at_once(desk: SpacesDesk) -> None:
    room, who = await desk.opened(), f"citizen:{uuid4().hex}"
    for hour in range(8, 13):
        await desk.held(room, who, **span(hour=hour))
    assert assert_problem(await desk.hold(room, who, **span(hour=15)), 409, "conflict")[0]["rule"] == "holds"


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ({"starts_at": "2026-01-01T10:00:00+09:00", "ends_at": "2026-01-01T11:00:00+09:00"}, ("body.starts_at", "in-future")),
        (span(hours=-1), ("body.ends_at", "after-start")),
        (span(hours=0), ("body.ends_at", "after-start")),
        (span(hours=0.25), ("body.ends_at", "length")),
        (span(hours=24 * 365 * 100), ("body.ends_at", "length")),
        (span(days=91), ("body.starts_at", "too-far")),
        (span(hour=10 + 1 / 3600), ("body.starts_at", "whole-minutes")),
        (span() | {"people": 9}, ("body.people", "capacity")),
        (span() | {"people": 0}, ("body.people", "greater_than_equal")),
        (span() | {"name": "a\0b"}, ("body.name", "nul-character")),
        (span() | {"starts_at": "내일"}, ("body.starts_at", "rfc3339")),
        (span() | {"starts_at": "9999-12-31T23:59:00-23:00"}, ("body.starts_at", "time-range")),
    ],
)  # fmt: skip
async def test_a_broken_rule_is_named_with_its_field(
    desk: SpacesDesk, body: dict[str, Any], rule: tuple[str, str]
) -> None:
    room = await desk.opened()
    assert broken_rules(await desk.ask("POST", f"/spaces/{room['id']}/bookings", body, as_=HANEUL)) == {rule}


async def test_lead_time_and_the_spaces_own_range_hold(desk: SpacesDesk) -> None:
    room = await desk.opened(lead_minutes=60)
    soon = desk.clock().replace(second=0, microsecond=0) + timedelta(minutes=30)
    near = {"starts_at": soon.isoformat(), "ends_at": (soon + timedelta(hours=1)).isoformat()}
    assert broken_rules(await desk.hold(room, HANEUL, **near)) == {("body.starts_at", "lead")}
    closing = await desk.opened(closes_at=tomorrow_at(10, days=2).isoformat())
    assert broken_rules(await desk.hold(closing, HANEUL)) == {("body.ends_at", "closes-before")}


async def test_a_closed_space_takes_no_bookings(desk: SpacesDesk) -> None:
    room = await desk.opened()
    await desk.good("POST", f"/spaces/{room['id']}/close", {"reason": "공사"})
    assert assert_problem(await desk.hold(room, HANEUL), 409, "conflict")[0]["rule"] == "closed"


async def test_a_cut_of_capacity_lists_whom_it_affects(desk: SpacesDesk) -> None:
    desks = await desk.opened(space_kind="desk", capacity=3)
    people = [f"citizen:{n}-{uuid4().hex[:6]}" for n in range(3)]
    booked = [await desk.booked(desks, who) for who in people]
    path, first = f"/spaces/{desks['id']}", {"If-Match": '"v1"'}
    refused = await desk.ask("PATCH", path, {"capacity": 1}, headers=first)
    assert_problem(refused, 409, "capacity-sold")
    assert {b["id"] for b in refused.json()["affected"]} == {b["id"] for b in booked[1:]}
    assert (await desk.good("GET", path))["capacity"] == 3
    await desk.does(booked[0], "cancel", people[0], {"reason": "못 갑니다"})
    kept = await desk.ask("PATCH", path, {"capacity": 2}, headers=first)
    assert kept.status_code == 200, kept.text
    cut = await desk.ask("PATCH", f"{path}?affected=cancel", {"capacity": 1}, headers={"If-Match": '"v2"'})
    assert cut.status_code == 200, cut.text
    states = Counter([(await desk.booking(b, who))["state"] for b, who in zip(booked, people, strict=True)])
    assert states == {"cancelled": 2, "confirmed": 1}
    assert (await desk.hold(desks, NURI)).status_code == 409
    assert await desk.overlaps() == 0


async def test_a_room_for_fewer_people_lists_the_larger_parties(desk: SpacesDesk) -> None:
    room = await desk.opened(capacity=8)
    large, _ = await desk.booked(room, HANEUL, people=7), await desk.booked(room, BADA, people=2, **span(hour=15))
    refused = await desk.ask("PATCH", f"/spaces/{room['id']}", {"capacity": 4}, headers={"If-Match": '"v1"'})
    assert [b["id"] for b in refused.json()["affected"]] == [large["id"]]


async def test_an_officer_calls_a_booking_off_and_it_is_told_once(desk: SpacesDesk) -> None:
    mine = await desk.booked(await desk.opened(), HANEUL)
    off = await desk.good("POST", f"/desk/bookings/{mine['id']}/cancel", {"reason": "누수 공사"}, as_=OFFICER)
    assert off["because"] == "누수 공사"
    again = await desk.ask("POST", f"/desk/bookings/{mine['id']}/cancel", {"reason": "누수 공사"})
    assert_problem(again, 409, "conflict")
    assert await desk.told(mine) == ["held", "confirmed", "cancelled"]


async def test_my_bookings_come_newest_first_by_cursor(desk: SpacesDesk) -> None:
    room, who = await desk.opened(), f"citizen:{uuid4().hex}"
    made = [(await desk.booked(room, who, **span(hour=hour)))["id"] for hour in range(9, 14)]
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await desk.good(
            "GET", "/bookings", as_=who, params={"limit": 2} | ({"cursor": cursor} if cursor else {})
        )
        seen += [b["id"] for b in page["items"]]
        cursor = page["next_cursor"]
    assert seen == made[::-1]
