"""Coming, not coming, waiting, points – on the real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from services.spaces.settings import Settings
from shared.contracts import Posting
from shared.contracts.space import PenaltyChanged, WaitingChanged
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.publishers import NOBODY_LISTENS, assert_problem
from tests.spaces import SpacesDesk, minutes_after, open_spaces, span

pytestmark = pytest.mark.component


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[SpacesDesk]:
    settings = settings_for(Settings, kafka_url=NOBODY_LISTENS, spaces_tick_s=3_600)
    async with open_spaces(databases, issuer, settings) as open_:
        yield open_


def somebody(name: str = "누구") -> str:
    return f"citizen:{name}-{uuid4().hex[:8]}"


async def postings(desk: SpacesDesk, space: dict[str, Any]) -> list[Posting]:
    """What was told of gaps at a space."""
    rows = await desk.rows("SELECT id FROM gap WHERE space_id = :id ORDER BY changed_at", id=space["id"])
    return [event for row in rows for event in await desk.events(row.id, Posting)]


async def test_one_checks_in_uses_the_room_and_leaves(desk: SpacesDesk) -> None:
    me, room = somebody(), await desk.opened()
    mine = await desk.booked(room, me)
    with desk.clock.at(minutes_after(mine["starts_at"], -10.1)):
        early = await desk.ask("POST", f"/bookings/{mine['id']}/check-in", as_=me)
        assert assert_problem(early, 409, "conflict")[0]["rule"] == "too-early"
    with desk.clock.at(minutes_after(mine["starts_at"], -9)):
        assert (await desk.does(mine, "check-in", me))["state"] == "in_use"
    with desk.clock.at(minutes_after(mine["starts_at"], 20)):
        assert (await desk.does(mine, "check-out", me))["state"] == "done"
        left = {"starts_at": minutes_after(mine["starts_at"], 21), "ends_at": minutes_after(mine["starts_at"], 60)}
        assert (await desk.hold(room, somebody(), **left)).status_code == 201
    assert await desk.told(mine) == ["held", "confirmed", "in_use", "done"]


async def test_what_is_in_use_is_over_at_its_end_by_itself(desk: SpacesDesk) -> None:
    me = somebody()
    mine = await desk.booked(await desk.opened(), me)
    with desk.clock.at(mine["starts_at"]):
        await desk.good("POST", f"/desk/bookings/{mine['id']}/check-in")
    with desk.clock.at(mine["ends_at"]):
        await desk.chores()
        assert (await desk.booking(mine, me))["state"] == "done"


async def test_who_comes_too_late_finds_the_time_released_and_a_point_given(desk: SpacesDesk) -> None:
    me, room = somebody(), await desk.opened()
    mine = await desk.booked(room, me)
    with desk.clock.at(minutes_after(mine["starts_at"], 15.1)):
        late = await desk.ask("POST", f"/bookings/{mine['id']}/check-in", as_=me)
        assert assert_problem(late, 409, "conflict")[0]["rule"] == "too-late"
        await desk.chores()
        await desk.chores()
        penalties = await desk.good("GET", "/penalties", as_=me)
    assert (penalties["live"], len(penalties["points"]), penalties["suspended_until"]) == (1, 1, None)
    (told,) = await desk.events(me, PenaltyChanged)
    assert (str(told.booking_id), told.state, told.live_points) == (mine["id"], "given", 1)


async def no_show(desk: SpacesDesk, room: dict[str, Any], who: str, days: int) -> None:
    mine = await desk.booked(room, who, **span(days=days))
    with desk.clock.at(minutes_after(mine["starts_at"], 16)):
        await desk.chores()
        assert (await desk.booking(mine, who))["state"] == "no_show"


async def test_three_no_shows_suspend_for_a_month_and_lapse_after_three(desk: SpacesDesk) -> None:
    me, room = somebody(), await desk.opened()
    for days in (2, 3, 4):
        await no_show(desk, room, me, days)
    with desk.clock.at(minutes_after(span(days=4)["starts_at"], 20)):
        refused = await desk.hold(room, me, **span(days=6))
        assert assert_problem(refused, 409, "conflict")[0]["rule"] == "suspended"
        waits = await desk.ask("POST", f"/spaces/{room['id']}/waitlist", span(days=6), as_=me)
        assert assert_problem(waits, 409, "conflict")[0]["rule"] == "suspended"
        until = (await desk.good("GET", "/penalties", as_=me))["suspended_until"]
    with desk.clock.at(until):
        assert (await desk.hold(room, me, **span(days=40))).status_code == 201
    lapses = [p["lapses_at"] for p in (await desk.good("GET", "/penalties", as_=me))["points"]]
    with desk.clock.at(max(lapses)):
        assert (await desk.good("GET", "/penalties", as_=me))["live"] == 0
    told = await desk.events(me, PenaltyChanged)
    assert [(t.live_points, t.suspended_until is not None) for t in told] == [(1, False), (2, False), (3, True)]


async def test_an_officer_takes_a_point_back_and_the_suspension_ends(desk: SpacesDesk) -> None:
    me, room = somebody(), await desk.opened()
    for days in (2, 3, 4):
        await no_show(desk, room, me, days)
    with desk.clock.at(minutes_after(span(days=4)["starts_at"], 20)):
        mine = {p["booking_id"] for p in (await desk.good("GET", "/penalties", as_=me))["points"]}
        listed = (await desk.good("GET", "/desk/penalties"))["items"]
        point = next(p for p in listed if p["booking_id"] in mine)
        path, because = f"/desk/penalties/{point['id']}/waive", {"reason": "진료 확인서"}
        assert_problem(await desk.ask("POST", path, because, as_="officer:송정동"), 404, "not-found")
        waived = await desk.good("POST", path, because)
        assert waived["waived_because"] == "진료 확인서"
        assert (await desk.hold(room, me, **span(days=6))).status_code == 201


async def test_a_no_shows_time_is_offered_in_line_and_each_offer_ends_after_ten_minutes(desk: SpacesDesk) -> None:
    owner, first, second, room = somebody("주인"), somebody("첫째"), somebody("둘째"), await desk.opened()
    mine = await desk.booked(room, owner, **span(hours=2))
    lines = [
        await desk.good("POST", f"/spaces/{room['id']}/waitlist", span(hours=2), as_=who) for who in (first, second)
    ]
    with desk.clock.at(minutes_after(mine["starts_at"], 15.1)):
        await desk.chores()
        one = await desk.good("GET", f"/waitlist/{lines[0]['id']}", as_=first)
        offer = await desk.good("GET", f"/bookings/{one['booking_id']}", as_=first)
        assert (one["state"], offer["state"], offer["ends_at"]) == ("offered", "held", mine["ends_at"])
        held_for = datetime.fromisoformat(one["offered_until"]) - desk.clock()
        assert timedelta(minutes=9) < held_for <= timedelta(minutes=10)
        assert (await desk.hold(room, somebody(), **near(mine, 20, 120))).status_code == 409
        extended = await desk.ask("POST", f"/bookings/{offer['id']}/extend", as_=first)
        assert_problem(extended, 409, "conflict")
        assert await postings(desk, room) == []
    with desk.clock.at(one["offered_until"]):
        await desk.chores()
        states = [(await desk.good("GET", f"/waitlist/{w['id']}", as_=who))["state"]
                  for w, who in zip(lines, (first, second), strict=True)]  # fmt: skip
        assert states == ["lapsed", "offered"]
        two = await desk.good("GET", f"/waitlist/{lines[1]['id']}", as_=second)
        taken = await desk.good("POST", f"/bookings/{two['booking_id']}/confirm", as_=second)
        assert taken["state"] == "confirmed"
    told = [(str(e.id), e.state) for e in await desk.events(room["id"], WaitingChanged)]
    assert told == [
        (lines[0]["id"], "waiting"), (lines[1]["id"], "waiting"), (lines[0]["id"], "offered"),
        (lines[0]["id"], "lapsed"), (lines[1]["id"], "offered"), (lines[1]["id"], "taken"),
    ]  # fmt: skip
    assert await postings(desk, room) == []


def near(booking: dict[str, Any], start: float, end: float) -> dict[str, str]:
    return {
        "starts_at": minutes_after(booking["starts_at"], start),
        "ends_at": minutes_after(booking["starts_at"], end),
    }


async def test_when_nobody_takes_the_offer_people_nearby_are_told_and_a_booking_ends_that(desk: SpacesDesk) -> None:
    owner, waits, room = somebody(), somebody(), await desk.opened(headline="수완 회의실")
    mine = await desk.booked(room, owner, **span(hours=2))
    await desk.good("POST", f"/spaces/{room['id']}/waitlist", span(hours=2), as_=waits)
    with desk.clock.at(minutes_after(mine["starts_at"], 15.1)):
        await desk.chores()
    with desk.clock.at(minutes_after(mine["starts_at"], 25.2)):
        await desk.chores()
        (told,) = await postings(desk, room)
        assert (told.kind, told.urgent, told.status, told.where.circles[0].radius_m) == ("space", True, "open", 700)
        assert told.ends_at == told.expires_at == datetime.fromisoformat(mine["ends_at"])
        assert told.headline == "지금 비었습니다: 수완 회의실"
        took = await desk.held(room, somebody(), **near(mine, 30, 90))
        assert [p.status for p in await postings(desk, room)] == ["open", "closed"]
    with desk.clock.at(took["hold_until"]):
        await desk.chores()
        statuses = [(p.version, p.status, p.urgency_epoch) for p in await postings(desk, room)]
        assert statuses == [(1, "open", 0), (2, "closed", 0), (3, "open", 0)]


async def test_a_booking_given_up_shortly_before_is_told_one_far_ahead_is_not(desk: SpacesDesk) -> None:
    me, room = somebody(), await desk.opened()
    far, soon = await desk.booked(room, me), await desk.booked(room, me, **span(hour=14))
    await desk.does(far, "cancel", me, {"reason": "못 감"})
    assert await postings(desk, room) == []
    with desk.clock.at(minutes_after(soon["starts_at"], -60)):
        await desk.does(soon, "cancel", me, {"reason": "못 감"})
    (told,) = await postings(desk, room)
    assert told.starts_at == datetime.fromisoformat(soon["starts_at"])


async def test_a_hold_that_runs_out_is_offered_to_who_waits_and_told_to_nobody(desk: SpacesDesk) -> None:
    me, waits, room = somebody(), somebody(), await desk.opened()
    held = await desk.held(room, me)
    line = await desk.good("POST", f"/spaces/{room['id']}/waitlist", span(), as_=waits)
    with desk.clock.at(held["hold_until"]):
        assert (await desk.hold(room, somebody())).status_code == 409  # who waits comes first, scheduler or not
        await desk.chores()
        assert (await desk.good("GET", f"/waitlist/{line['id']}", as_=waits))["state"] == "offered"
    assert await postings(desk, room) == []


async def test_nobody_waits_for_what_is_free_nor_twice_and_one_may_leave(desk: SpacesDesk) -> None:
    me, room = somebody(), await desk.opened()
    path = f"/spaces/{room['id']}/waitlist"
    free = await desk.ask("POST", path, span(), as_=me)
    assert assert_problem(free, 409, "conflict")[0]["rule"] == "free"
    await desk.booked(room, somebody())
    line = await desk.good("POST", path, span(), as_=me)
    assert assert_problem(await desk.ask("POST", path, span(), as_=me), 409, "conflict")[0]["rule"] == "waits-already"
    assert_problem(await desk.ask("POST", f"/waitlist/{line['id']}/leave", as_=somebody()), 404, "not-found")
    assert (await desk.good("POST", f"/waitlist/{line['id']}/leave", as_=me))["state"] == "left"
    assert [w["id"] for w in (await desk.good("GET", "/waitlist", as_=me))["items"]] == [line["id"]]


async def test_who_waited_in_vain_is_told_that_it_is_over(desk: SpacesDesk) -> None:
    me, room = somebody(), await desk.opened()
    owner = somebody()
    mine = await desk.booked(room, owner)
    line = await desk.good("POST", f"/spaces/{room['id']}/waitlist", span(), as_=me)
    with desk.clock.at(mine["starts_at"]):
        await desk.does(mine, "check-in", owner)
    with desk.clock.at(mine["ends_at"]):
        await desk.chores()
        assert (await desk.good("GET", f"/waitlist/{line['id']}", as_=me))["state"] == "over"


@pytest.mark.parametrize("how", ["closure", "space closed"])
async def test_a_gap_that_is_shut_meanwhile_is_told_as_gone_once(desk: SpacesDesk, how: str) -> None:
    me, room = somebody(), await desk.opened()
    mine = await desk.booked(room, me)
    with desk.clock.at(minutes_after(mine["starts_at"], -60)):
        await desk.does(mine, "cancel", me, {"reason": "못 감"})
        await desk.chores()
        assert [p.status for p in await postings(desk, room)] == ["open"]
        if how == "closure":
            start, end = (datetime.fromisoformat(mine[name]) for name in ("starts_at", "ends_at"))
            await desk.rows_of_closure(room, start + timedelta(minutes=30), end)
        else:
            await desk.good("POST", f"/spaces/{room['id']}/close", {"reason": "공사"})
        await desk.chores()
        await desk.chores()
    told = await postings(desk, room)
    assert [(p.version, p.status, p.closed_because) for p in told] == [
        (1, "open", None), (2, "closed", "마감: 지금은 열지 않습니다"),
    ]  # fmt: skip
