"""Closing spaces and declaring holidays on the real database: listed first, moved or cancelled, each told exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from services.spaces.settings import Settings
from shared.clock import SEOUL
from shared.contracts.space import BookingChanged
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.publishers import NOBODY_LISTENS, SUWAN, assert_problem, broken_rules
from tests.rooms import Office, Rooms, open_rooms

pytestmark = pytest.mark.component

ALL_DAY = [{"opens": "00:00", "closes": "24:00"}]
ALWAYS: dict[str, Any] = dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), ALL_DAY)


@pytest_asyncio.fixture(scope="module")
async def rooms(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[Rooms]:
    settings = settings_for(Settings, kafka_url=NOBODY_LISTENS, spaces_tick_s=3_600)
    async with open_rooms(databases, issuer, settings) as running:
        yield running


def somebody() -> str:
    return f"citizen:{uuid4().hex[:8]}"


def day_at(hour: float, days: int = 3) -> datetime:
    midnight = datetime.now(SEOUL).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(days=days, hours=hour)


async def held(rooms: Rooms, space: str, hour: float, as_: str, days: int = 3, **more: Any) -> dict[str, Any]:
    at = day_at(hour, days)
    wish = {"starts_at": at.isoformat(), "ends_at": (at + timedelta(hours=1)).isoformat(), **more}
    made: dict[str, Any] = await rooms.good("POST", f"/spaces/{space}/bookings", wish, as_=as_)
    return made


async def booked(rooms: Rooms, space: str, hour: float, as_: str, days: int = 3, **more: Any) -> dict[str, Any]:
    made = await held(rooms, space, hour, as_, days, **more)
    done: dict[str, Any] = await rooms.good("POST", f"/bookings/{made['id']}/confirm", as_=as_)
    return done


async def seen(rooms: Rooms, booking: dict[str, Any], as_: str) -> dict[str, Any]:
    found: dict[str, Any] = await rooms.good("GET", f"/bookings/{booking['id']}", as_=as_)
    return found


async def told(rooms: Rooms, booking: dict[str, Any], *spaces: str) -> list[BookingChanged]:
    """Every event of a booking, in whichever space, by version."""
    events = [event for space in spaces for event in await rooms.events(space) if isinstance(event, BookingChanged)]
    return sorted((event for event in events if str(event.id) == booking["id"]), key=lambda event: event.version)


def closing(*spaces: str, first: float = 9, last: float = 18, **more: Any) -> dict[str, Any]:
    span = {"starts_at": day_at(first).isoformat(), "ends_at": day_at(last).isoformat()}
    return {"space_ids": list(spaces), **span, "reason": "누수 공사", **more}


async def close(office: Office, body: dict[str, Any], mode: str = "apply") -> dict[str, Any]:
    report: dict[str, Any] = await office.good("POST", f"/closures?mode={mode}", body)
    return report


async def test_those_affected_are_listed_first_and_nothing_changes(rooms: Rooms) -> None:
    office, me = Office(rooms), somebody()
    space, other = await office.room(), await office.room(headline="옆 회의실")
    made = await booked(rooms, space, 10, me)
    before = await told(rooms, made, space, other)
    report = await close(office, closing(space), "dry-run")
    (affected,) = report["affected"]
    assert (affected["booking_id"], affected["becomes"], affected["moved_to"]) == (made["id"], "moved", other)
    assert (report["applied"], await seen(rooms, made, me)) == (False, made)
    assert await told(rooms, made, space, other) == before
    assert (await office.good("GET", "/closures"))["items"] == []


async def test_whoever_is_affected_is_moved_and_told_once(rooms: Rooms) -> None:
    office, me = Office(rooms), somebody()
    space, other = await office.room(), await office.room(headline="옆 회의실")
    made = await booked(rooms, space, 10, me)
    before = await told(rooms, made, space, other)
    report = await close(office, closing(space))
    after = await seen(rooms, made, me)
    assert (after["space_id"], after["state"], after["starts_at"]) == (other, "confirmed", made["starts_at"])
    assert "누수 공사 · 옆 회의실" in after["because"]
    events = await told(rooms, made, space, other)
    assert len(events) == len(before) + 1
    assert (str(events[-1].space_id), events[-1].state, events[-1].version) == (other, "confirmed", made["version"] + 1)
    (closure,) = (await office.good("GET", "/closures"))["items"]
    assert closure["id"] == report["closures"][0]["closure_id"]
    again = await close(office, closing(space))
    assert again["affected"] == []
    assert await told(rooms, made, space, other) == events
    refused = await rooms.ask(
        "POST",
        f"/spaces/{space}/bookings",
        {"starts_at": made["starts_at"], "ends_at": made["ends_at"]},
        as_=somebody(),
    )
    assert assert_problem(refused, 409, "conflict")[0]["rule"] == "closure"


async def test_who_can_go_nowhere_is_cancelled_and_told_once(rooms: Rooms) -> None:
    office, me, you = Office(rooms), somebody(), somebody()
    space, small = await office.room(), await office.room(capacity=2, headline="작은 방")
    far = await office.room(place={**SUWAN, "name": "먼 곳", "lat": 35.21, "lon": 126.85})
    many = await booked(rooms, space, 10, me, people=8)
    few = await booked(rooms, space, 12, you, people=2)
    hold = await held(rooms, space, 15, somebody())
    report = await close(office, closing(space))
    fates = {one["booking_id"]: (one["becomes"], one["moved_to"]) for one in report["affected"]}
    assert fates == {many["id"]: ("cancelled", None), few["id"]: ("moved", small), hold["id"]: ("cancelled", None)}
    after = await seen(rooms, many, me)
    assert (after["state"], after["because"]) == ("cancelled", "누수 공사")
    for one in (many, few, hold):
        events = await told(rooms, one, space, small, far)
        assert [event.version for event in events] == list(range(1, len(events) + 1))
        assert len(events) == one["version"] + 1


async def test_an_alternative_is_open_free_alike_and_of_the_same_institution(rooms: Rooms) -> None:
    office, other = Office(rooms), Office(rooms)
    space = await office.room()
    await other.room()
    await office.room(space_kind="desk", capacity=8)
    shut = await office.room(headline="쉬는 방")
    await office.set_calendar(shut, {})
    taken = await office.room(headline="찬 방")
    await booked(rooms, taken, 10, somebody())
    made = await booked(rooms, space, 10, somebody())
    (affected,) = (await close(office, closing(space)))["affected"]
    assert (affected["booking_id"], affected["becomes"]) == (made["id"], "cancelled")


async def test_two_of_one_time_do_not_get_the_same_room(rooms: Rooms) -> None:
    office = Office(rooms)
    first, second, spare = await office.room(), await office.room(), await office.room(headline="남는 방")
    await booked(rooms, first, 10, somebody())
    await booked(rooms, second, 10, somebody())
    report = await close(office, closing(first, second))
    assert sorted(one["becomes"] for one in report["affected"]) == ["cancelled", "moved"]
    assert [one["moved_to"] for one in report["affected"] if one["moved_to"]] == [spare]


async def test_without_rebooking_everybody_is_cancelled(rooms: Rooms) -> None:
    office = Office(rooms)
    space = await office.room()
    await office.room(headline="옆 회의실")
    await booked(rooms, space, 10, somebody())
    assert [one["becomes"] for one in (await close(office, closing(space, rebook=False)))["affected"]] == ["cancelled"]


async def test_a_whole_building_is_closed_by_its_name(rooms: Rooms) -> None:
    office = Office(rooms)
    hall = {**SUWAN, "name": "신창문화센터"}
    inside = {await office.room(place=hall), await office.room(place=hall)}
    outside = await office.room()
    body = closing() | {"place": "신창문화센터"}
    del body["space_ids"]
    report = await close(office, body)
    assert {one["space_id"] for one in report["closures"]} == inside
    assert (await rooms.good("GET", f"/spaces/{outside}/calendar", as_=None))["closures"] == []


async def test_bookings_and_closings_at_once_leave_nobody_in_a_closed_room(rooms: Rooms) -> None:
    office = Office(rooms)
    space = await office.room(space_kind="seat", capacity=30)
    who = [somebody() for _ in range(30)]
    wishes = [rooms.ask("POST", f"/spaces/{space}/bookings",
                        {"starts_at": day_at(10).isoformat(), "ends_at": day_at(11).isoformat()}, as_=one) for one in who]  # fmt: skip
    shut = office.ask("POST", "/closures?mode=apply", closing(space))
    *answers, closed = await asyncio.gather(*wishes[:15], *wishes[15:], shut)
    assert closed.status_code == 200
    assert {answer.status_code for answer in answers} <= {201, 409}
    for one in who:
        mine = (await rooms.good("GET", "/bookings", as_=one))["items"]
        assert [booking["state"] for booking in mine] in ([], ["cancelled"])


async def test_a_lifted_closure_opens_the_space_again(rooms: Rooms) -> None:
    office = Office(rooms)
    space = await office.room()
    closure = (await close(office, closing(space)))["closures"][0]["closure_id"]
    assert_problem(await Office(rooms).ask("DELETE", f"/closures/{closure}"), 403, "not-yours")
    lifted = await office.good("DELETE", f"/closures/{closure}")
    assert (await office.good("DELETE", f"/closures/{closure}"))["lifted_at"] == lifted["lifted_at"]
    assert (await held(rooms, space, 10, somebody()))["state"] == "held"
    assert_problem(await office.ask("DELETE", f"/closures/{uuid4()}"), 404, "not-found")
    assert (await office.good("GET", "/closures"))["items"] == []
    assert len((await office.good("GET", "/closures?over=true"))["items"]) == 1


async def test_what_makes_no_sense_is_refused(rooms: Rooms) -> None:
    office, other = Office(rooms), Office(rooms)
    space, theirs = await office.room(), await other.room()

    async def rule(body: dict[str, Any]) -> set[tuple[str, str]]:
        return broken_rules(await office.ask("POST", "/closures", body))

    assert await rule(closing(space, first=18, last=9)) == {("body.ends_at", "after-start")}
    assert await rule(closing(space, first=-90, last=-80)) == {("body.ends_at", "in-future")}
    assert await rule(closing(space, last=24 * 365 * 100)) == {("body.ends_at", "too-long")}
    assert await rule(closing(space, reason=" ")) == {("body.reason", "string_too_short")}
    assert await rule(closing()) == {("body", "spaces")}
    assert_problem(await office.ask("POST", "/closures", closing(space, theirs)), 403, "not-yours")
    assert_problem(await office.ask("POST", "/closures", closing(space, str(uuid4()))), 404, "not-found")
    assert_problem(await rooms.ask("POST", "/closures", closing(space), as_=somebody()), 403, "forbidden")


async def test_bookings_outside_changed_hours_are_settled_when_the_officer_says_so(rooms: Rooms) -> None:
    office, me, you = Office(rooms), somebody(), somebody()
    space, other = await office.room(), await office.room(headline="옆 회의실")
    late, early = await booked(rooms, space, 20, me), await booked(rooms, space, 10, you)
    await office.set_calendar(space, {key: [{"opens": "09:00", "closes": "18:00"}] for key in ALWAYS})
    path, body = f"/spaces/{space}/calendar/settle", {"reason": "운영시간이 바뀌었습니다"}
    looked = await office.good("POST", path, body)
    assert [(one["booking_id"], one["moved_to"]) for one in looked["affected"]] == [(late["id"], other)]
    assert (await seen(rooms, late, me))["space_id"] == space
    before = await told(rooms, late, space, other)
    done = await office.good("POST", f"{path}?mode=apply", body)
    assert done["affected"] == looked["affected"]
    assert (await seen(rooms, late, me))["space_id"] == other
    assert len(await told(rooms, late, space, other)) == len(before) + 1
    assert (await seen(rooms, early, you))["version"] == early["version"]
    assert (await office.good("POST", f"{path}?mode=apply", body))["affected"] == []
    assert_problem(await Office(rooms).ask("POST", path, body), 403, "not-yours")
    assert_problem(await office.ask("POST", f"/spaces/{uuid4()}/calendar/settle", body), 404, "not-found")


def free_day(days: int) -> date:
    """A Tuesday to come that is no holiday by law, so many weeks on."""
    day = (datetime.now(SEOUL) + timedelta(days=days)).date()
    while day.weekday() != 1 or (day.month, day.day) in {(12, 25), (1, 1), (2, 9), (5, 5)}:
        day += timedelta(days=1)
    return day


async def test_a_newly_declared_holiday_settles_whom_it_affects_once(rooms: Rooms) -> None:
    office, me, you = Office(rooms), somebody(), somebody()
    day = free_day(20)
    days = (day - datetime.now(SEOUL).date()).days
    resting, always = await office.room(), await office.room(headline="쉬지 않는 방")
    await office.set_calendar(resting, ALWAYS, "법정공휴일")
    mine, yours = await booked(rooms, resting, 10, me, days), await booked(rooms, resting, 10, you, days + 1)
    there = await booked(rooms, always, 14, you, days)
    body = {"day": day.isoformat(), "name": "임시공휴일"}
    looked = await rooms.good("POST", "/holidays", body, as_="admin")
    assert [(one["booking_id"], one["moved_to"]) for one in looked["affected"]] == [(mine["id"], always)]
    assert (await seen(rooms, mine, me))["space_id"] == resting
    before = await told(rooms, mine, resting, always)
    key = uuid4().hex
    done = await rooms.good("POST", "/holidays?mode=apply", body, as_="admin", key=key)
    assert done["affected"] == looked["affected"]
    assert await rooms.good("POST", "/holidays?mode=apply", body, as_="admin", key=key) == done
    assert (await seen(rooms, mine, me))["space_id"] == always
    assert len(await told(rooms, mine, resting, always)) == len(before) + 1
    for one in (yours, there):
        assert (await seen(rooms, one, you))["version"] == one["version"]
    assert_problem(await rooms.ask("POST", "/holidays?mode=apply", body, as_="admin"), 409, "conflict")
    assert body | {"kind": "temporary"} in await rooms.good("GET", "/holidays", as_=None)
    refused = await rooms.ask("POST", f"/spaces/{resting}/bookings", {
        "starts_at": day_at(12, days).isoformat(), "ends_at": day_at(13, days).isoformat()}, as_=somebody())  # fmt: skip
    assert broken_rules(refused) == {("body.starts_at", "rest-day")}
    assert (await rooms.ask("DELETE", f"/holidays/{day}", as_="admin")).status_code == 204
    assert (await held(rooms, resting, 12, somebody(), days))["state"] == "held"


async def test_only_an_admin_declares_and_only_what_is_no_holiday_yet(rooms: Rooms) -> None:
    body = {"day": "2027-12-25", "name": "임시공휴일"}
    assert_problem(await rooms.ask("POST", "/holidays", body, as_="admin"), 409, "conflict")
    assert_problem(await rooms.ask("DELETE", "/holidays/2027-12-25", as_="admin"), 409, "conflict")
    assert_problem(await rooms.ask("DELETE", "/holidays/2027-12-24", as_="admin"), 404, "not-found")
    assert_problem(await rooms.ask("POST", "/holidays", body, as_="officer:수완동"), 403, "forbidden")
    wrong = await rooms.ask("POST", "/holidays", {"day": "2027-02-30", "name": "x"}, as_="admin")
    assert {field for field, _ in broken_rules(wrong)} == {"body.day", "body.name"}
