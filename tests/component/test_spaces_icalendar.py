"""Calendar links and imported calendars on the real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from icalendar import Calendar

from services.spaces.settings import Settings
from shared.clock import SEOUL
from tests.calendar_files import NEW_YORK, calendar, event
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.publishers import NOBODY_LISTENS, assert_problem, broken_rules
from tests.rooms import Office, Rooms, open_rooms

pytestmark = pytest.mark.component


@pytest_asyncio.fixture(scope="module")
async def rooms(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[Rooms]:
    settings = settings_for(Settings, kafka_url=NOBODY_LISTENS, spaces_tick_s=3_600)
    async with open_rooms(databases, issuer, settings) as running:
        yield running


def somebody() -> str:
    return f"citizen:{uuid4().hex[:8]}"


def day_at(hour: int, days: int = 3) -> datetime:
    midnight = datetime.now(SEOUL).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(days=days, hours=hour)


def ics(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def meeting(hour: int, *more: str, uid: str = "one", sequence: int = 0, days: int = 3) -> str:
    at = day_at(hour, days)
    return event(f"DTSTART:{ics(at)}", "DURATION:PT1H", "SUMMARY:김씨 상담", *more, uid=uid, sequence=sequence)


async def booked(rooms: Rooms, space: str, hour: int, as_: str) -> dict[str, Any]:
    at = day_at(hour)
    window = {"starts_at": at.isoformat(), "ends_at": (at + timedelta(hours=1)).isoformat()}
    held = await rooms.good("POST", f"/spaces/{space}/bookings", window, as_=as_)
    made: dict[str, Any] = await rooms.good("POST", f"/bookings/{held['id']}/confirm", as_=as_)
    return made


async def linked(rooms: Rooms, as_: str, **body: Any) -> dict[str, Any]:
    made: dict[str, Any] = await rooms.good("POST", "/calendar-links", body, as_=as_)
    return made


async def read(rooms: Rooms, link: dict[str, Any], **more: Any) -> httpx.Response:
    return await rooms.ask("GET", link["url"].removeprefix("/api/spaces"), as_=None, **more)


async def test_my_bookings_are_a_feed_that_follows_them(rooms: Rooms) -> None:
    office, me = Office(rooms), somebody()
    space = await office.room()
    made = await booked(rooms, space, 10, me)
    link = await linked(rooms, me, kind="bookings")
    answer = await read(rooms, link)
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    (told,) = components(answer, "VEVENT")
    assert (str(told["UID"]), str(told["STATUS"]), str(told["SUMMARY"])) == (
        f"{made['id']}@gwangsan.example", "CONFIRMED", "수완동 작은 회의실",
    )  # fmt: skip
    assert (told["DTSTART"].dt, told["DTEND"].dt) == (day_at(10), day_at(11))
    assert told["SEQUENCE"] == made["version"] - 1
    assert str(told["LOCATION"]) == "수완동 작은도서관, 광산구 수완로 1"
    same = await read(rooms, link, headers={"If-None-Match": answer.headers["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    await rooms.good("POST", f"/bookings/{made['id']}/cancel", {"reason": "못 갑니다"}, as_=me)
    after = await read(rooms, link, headers={"If-None-Match": answer.headers["ETag"]})
    assert after.status_code == 200
    assert components(after, "VEVENT") == []


async def test_a_link_is_secret_told_once_and_revocable(rooms: Rooms) -> None:
    me, other, key = somebody(), somebody(), uuid4().hex
    link = await linked(rooms, me, kind="bookings")
    assert len(link["url"].partition("key=")[2]) >= 43
    (listed,) = await rooms.good("GET", "/calendar-links", as_=me)
    assert (listed["id"], listed["url"]) == (link["id"], None)
    first = await rooms.ask("POST", "/calendar-links", {"kind": "bookings"}, as_=me, key=key)
    again = await rooms.ask("POST", "/calendar-links", {"kind": "bookings"}, as_=me, key=key)
    assert (again.json()["id"], again.json()["url"]) == (first.json()["id"], None)
    assert_problem(await rooms.ask("DELETE", f"/calendar-links/{link['id']}", as_=other), 404, "not-found")
    assert (await read(rooms, link)).status_code == 200
    revoked = await rooms.good("DELETE", f"/calendar-links/{link['id']}", as_=me)
    assert revoked["revoked_at"]
    assert_problem(await read(rooms, link), 404, "not-found")
    assert_problem(await rooms.ask("GET", "/calendar.ics?key=" + "x" * 43, as_=None), 404, "not-found")
    assert broken_rules(await rooms.ask("POST", "/calendar-links", {"kind": "space"}, as_=me)) == {("body", "space")}


async def test_links_have_a_limit(rooms: Rooms) -> None:
    me = somebody()
    for _ in range(20):
        await linked(rooms, me, kind="bookings")
    assert_problem(await rooms.ask("POST", "/calendar-links", {"kind": "bookings"}, as_=me), 409, "conflict")


def components(answer: httpx.Response, name: str) -> list[Any]:
    return list(Calendar.from_ical(answer.content).walk(name))


def free_busy(answer: httpx.Response) -> list[tuple[str, datetime, datetime]]:
    (busy,) = components(answer, "VFREEBUSY")
    told = busy.get("FREEBUSY", [])
    many = told if isinstance(told, list) else [told]
    return [(one.params["FBTYPE"], one.start, one.end) for one in many]


async def test_a_space_s_free_busy_tells_when_and_nothing_of_whom(rooms: Rooms) -> None:
    office, me = Office(rooms), somebody()
    space = await office.room()
    hours = {day: [{"opens": "09:00", "closes": "18:00"}] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
    await office.set_calendar(space, hours)
    await booked(rooms, space, 10, me)
    link = await linked(rooms, somebody(), kind="space", space_id=space)
    answer = await read(rooms, link)
    day = [one for one in free_busy(answer) if day_at(0) <= one[1] < day_at(24)]
    assert day == [("BUSY", day_at(10), day_at(11)), ("BUSY-UNAVAILABLE", day_at(18), day_at(33))]
    assert me.encode() not in answer.content
    shown = await rooms.ask("GET", link["url"].removeprefix("/api/spaces") + "&show=events", as_=None)
    times = {(one["DTSTART"].dt, str(one["SUMMARY"])) for one in components(shown, "VEVENT")}
    assert (day_at(10), "사용 중") in times


async def test_desks_are_busy_only_when_all_are_taken(rooms: Rooms) -> None:
    office = Office(rooms)
    space = await office.room(space_kind="desk", capacity=2)
    link = await linked(rooms, somebody(), kind="space", space_id=space)
    await booked(rooms, space, 10, somebody())
    assert free_busy(await read(rooms, link)) == []
    await booked(rooms, space, 10, somebody())
    assert free_busy(await read(rooms, link)) == [("BUSY", day_at(10), day_at(11))]


class Room:
    """A room whose other calendar is taken in."""

    def __init__(self, rooms: Rooms, office: Office, space: str) -> None:
        self.rooms, self.office, self.space = rooms, office, space

    async def send(self, raw: bytes, query: str = "mode=apply", **more: Any) -> httpx.Response:
        path = f"/spaces/{self.space}/calendar/imports?{query}"
        return await self.office.ask("POST", path, content=raw, headers={"Content-Type": "text/calendar"}, **more)

    async def took(self, *parts: str, query: str = "mode=apply") -> dict[str, Any]:
        answer = await self.send(calendar(*parts), query)
        assert answer.status_code == 200, answer.text
        report: dict[str, Any] = answer.json()
        return report

    async def closures(self) -> list[datetime]:
        told = await self.rooms.good("GET", f"/spaces/{self.space}/calendar", as_=None)
        return [datetime.fromisoformat(one["starts_at"]).astimezone(SEOUL) for one in told["closures"]]


async def a_room(rooms: Rooms) -> Room:
    office = Office(rooms)
    return Room(rooms, office, await office.room())


async def test_a_calendar_shuts_the_room_and_nothing_written_in_it_is_kept(rooms: Rooms) -> None:
    room = await a_room(rooms)
    looked = await room.took(meeting(10), query="mode=dry-run")
    assert (looked["applied"], looked["added"], await room.closures()) == (False, 1, [])
    assert (await room.took(meeting(10)))["added"] == 1
    assert await room.closures() == [day_at(10)]
    told = (await rooms.ask("GET", f"/spaces/{room.space}/calendar", as_=None)).text
    assert "김씨" not in told
    window = {"starts_at": day_at(10).isoformat(), "ends_at": day_at(11).isoformat()}
    refused = await rooms.ask("POST", f"/spaces/{room.space}/bookings", window, as_=somebody())
    assert assert_problem(refused, 409, "conflict")[0]["rule"] == "closure"


async def test_uid_and_sequence_make_it_repeatable(rooms: Rooms) -> None:
    room = await a_room(rooms)
    await room.took(meeting(10, sequence=1), meeting(14, uid="two"))
    again = await room.took(meeting(10, sequence=1), meeting(14, uid="two"))
    assert (again["added"], again["lifted"], again["unchanged"]) == (0, 0, 2)
    moved = await room.took(meeting(12, sequence=2))
    assert (moved["added"], moved["lifted"]) == (1, 1)
    assert await room.closures() == [day_at(12), day_at(14)]
    old = await room.took(meeting(10, sequence=1))
    assert (old["added"], old["stale"]) == (0, ["one"])
    gone = await room.took(meeting(12, "STATUS:CANCELLED", sequence=3))
    assert (gone["cancelled"], gone["lifted"]) == (1, 1)
    assert (await room.took(meeting(12, sequence=2)))["stale"] == ["one"]
    whole = await room.took(meeting(16, uid="three"), query="mode=apply&whole=true")
    assert (whole["added"], whole["lifted"]) == (1, 1)
    assert await room.closures() == [day_at(16)]


async def test_zones_whole_days_and_series_come_in(rooms: Rooms) -> None:
    room = await a_room(rooms)
    day = day_at(0)
    whole = event(f"DTSTART;VALUE=DATE:{day:%Y%m%d}", uid="whole")
    abroad = event(f"DTSTART;TZID=Our zone:{day_at(0, 6):%Y%m%d}T100000", "DURATION:PT1H", uid="abroad")
    series = meeting(10, "RRULE:FREQ=DAILY;COUNT=2", uid="series", days=8)
    assert (await room.took(NEW_YORK.format(name="Our zone"), whole, abroad, series))["added"] == 4
    assert (await room.closures())[0] == day
    assert (await room.closures())[2:] == [day_at(10, 8), day_at(10, 9)]


async def test_rules_without_end_are_refused_unless_said_until_when(rooms: Rooms) -> None:
    room = await a_room(rooms)
    endless = meeting(10, "RRULE:FREQ=DAILY")
    told = await room.took(endless)
    assert (told["added"], [(error["uid"], error["rule"]) for error in told["errors"]]) == (0, [("one", "endless")])
    until = day_at(0, 5).date().isoformat()
    assert (await room.took(endless, query=f"mode=apply&until={until}"))["added"] == 3
    assert await room.closures() == [day_at(10, 3), day_at(10, 4), day_at(10, 5)]


async def test_bookings_in_the_way_are_told_and_stand(rooms: Rooms) -> None:
    room, me = await a_room(rooms), somebody()
    made = await booked(rooms, room.space, 10, me)
    told = await room.took(meeting(10))
    assert [one["id"] for one in told["affected"]] == [made["id"]]
    assert (await rooms.good("GET", f"/bookings/{made['id']}", as_=me))["state"] == "confirmed"


async def test_what_is_hostile_is_refused_and_says_why(rooms: Rooms) -> None:
    room = await a_room(rooms)
    assert_problem(await room.send(b"BEGIN:VCALENDAR\r\n" + b"X-A:" + b"a" * 10_000_000), 413, "too-large")
    assert broken_rules(await room.send(b"hello")) == {("body.file", "icalendar")}
    deep = b"BEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\n" * 100_000
    assert broken_rules(await room.send(deep)) == {("body.file", "icalendar")}
    never = calendar(*(meeting(10, "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=2", uid=str(n)) for n in range(300)))
    assert broken_rules(await room.send(never)) == {("body.file", "too-costly")}
    many = calendar(*(meeting(10, "RRULE:FREQ=DAILY;COUNT=300", uid=str(n)) for n in range(300)))
    assert broken_rules(await room.send(many)) == {("body.file", "too-many-occurrences")}
    assert_problem(
        await Office(rooms).ask("POST", f"/spaces/{room.space}/calendar/imports", content=calendar()), 403, "not-yours"
    )
    assert await room.closures() == []


async def test_one_key_is_for_one_calendar(rooms: Rooms) -> None:
    room, key = await a_room(rooms), uuid4().hex
    first = await room.send(calendar(meeting(10)), key=key)
    again = await room.send(calendar(meeting(10)), key=key)
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (first.json(), "true")
    assert_problem(await room.send(calendar(meeting(11)), key=key), 422, "idempotency-key-reused")
