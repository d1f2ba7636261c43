"""Calendars on the real database: set by officers, read by anybody, loaded for many spaces in one statement."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from sqlalchemy import event

from services.spaces.calendars import store
from services.spaces.calendars.domain import Span, allows
from services.spaces.settings import Settings
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.publishers import NOBODY_LISTENS, assert_problem, broken_rules
from tests.rooms import Office, Rooms, open_rooms

pytestmark = pytest.mark.component

OFFICE_DAY = [{"opens": "09:00", "closes": "18:00"}]
WEEKDAYS: dict[str, Any] = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), OFFICE_DAY)


@pytest_asyncio.fixture(scope="module")
async def rooms(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[Rooms]:
    async with open_rooms(databases, issuer, settings_for(Settings, kafka_url=NOBODY_LISTENS)) as running:
        yield running


def kst(written: str) -> datetime:
    return datetime.fromisoformat(f"{written}+09:00")


async def test_without_a_calendar_it_is_open_all_day(rooms: Rooms) -> None:
    space = await Office(rooms).room()
    answer = await rooms.ask("GET", f"/spaces/{space}/calendar?since=2026-12-01&days=2", as_=None)
    told = answer.json()
    assert (answer.headers["ETag"], told["version"], told["rest"]["text"]) == ('"v0"', 0, "")
    (only,) = told["open"]
    assert datetime.fromisoformat(only["starts_at"]) == kst("2026-12-01T00:00")
    assert datetime.fromisoformat(only["ends_at"]) == kst("2026-12-03T00:00")
    assert told["holidays_known_until"] == "2027-12-31"


async def test_an_officer_sets_hours_and_rest_days_and_sees_how_they_are_understood(rooms: Rooms) -> None:
    office = Office(rooms)
    space = await office.room()
    set_ = await office.set_calendar(space, WEEKDAYS, "매주 월요일, 법정공휴일, 기타 관장이 정하는 날")
    assert set_["version"] == 1
    assert set_["rest"]["understood"] == ["매주 월요일", "공휴일·대체공휴일·임시공휴일"]
    assert set_["rest"]["unparsed"] == ["기타 관장이 정하는 날"]
    told = await rooms.good("GET", f"/spaces/{space}/calendar?since=2026-12-21&days=7", as_=None)
    days = [datetime.fromisoformat(one["starts_at"]).astimezone(kst("2026-01-01").tzinfo).day for one in told["open"]]
    assert days == [22, 23, 24]  # Monday rests, the 25th is a holiday, the weekend has no hours
    again = await office.set_calendar(space, WEEKDAYS, "매주 월요일, 법정공휴일, 기타 관장이 정하는 날", version=1)
    assert again["version"] == 1
    assert again["hours"] == set_["hours"]


@pytest.mark.parametrize(
    ("hours", "shown"),
    [
        ({"mon": [{"opens": "00:00", "closes": "00:00"}]}, []),
        ({"mon": [{"opens": "00:00", "closes": "24:00"}]}, [{"opens": "00:00", "closes": "24:00"}]),
        ({"mon": [{"opens": "22:00", "closes": "06:00"}]}, [{"opens": "22:00", "closes": "06:00"}]),
        ({"mon": [{"opens": "09:00", "closes": "09:00"}]}, [{"opens": "09:00", "closes": "09:00"}]),
    ],
)
async def test_hours_come_back_as_they_were_written(rooms: Rooms, hours: dict[str, Any], shown: list[Any]) -> None:
    office = Office(rooms)
    space = await office.room()
    set_ = await office.set_calendar(space, hours)
    assert set_["hours"]["mon"] == shown


@pytest.mark.parametrize(
    ("hours", "rule"),
    [
        ({"mon": [{"opens": "9:00", "closes": "18:00"}]}, ("body.hours.mon.0.opens", "time-of-day")),
        ({"mon": [{"opens": "24:00", "closes": "18:00"}]}, ("body.hours", "openings")),
        ({"mon": [{"opens": "25:00", "closes": "18:00"}]}, ("body.hours.mon.0.opens", "time-of-day")),
        ({"mon": [*OFFICE_DAY, {"opens": "12:00", "closes": "13:00"}]}, ("body.hours", "openings")),
        ({"monday": OFFICE_DAY}, ("body.hours.monday", "extra_forbidden")),
        ({"mon": OFFICE_DAY * 7}, ("body.hours.mon", "too_long")),
    ],
)
async def test_hours_that_make_no_sense_are_refused(rooms: Rooms, hours: Any, rule: tuple[str, str]) -> None:
    office = Office(rooms)
    space = await office.room()
    answer = await office.ask("PUT", f"/spaces/{space}/calendar", {"hours": hours}, headers={"If-Match": '"v0"'})
    assert broken_rules(answer) == {rule}


async def test_only_its_own_officer_sets_it_on_the_version_that_was_read(rooms: Rooms) -> None:
    office, other = Office(rooms), Office(rooms)
    space = await office.room()
    path, body = f"/spaces/{space}/calendar", {"hours": WEEKDAYS}
    assert (await office.ask("PUT", path, body)).status_code == 428
    assert_problem(await other.ask("PUT", path, body, headers={"If-Match": '"v0"'}), 403, "not-yours")
    await office.set_calendar(space, WEEKDAYS)
    stale = await office.ask("PUT", path, body, headers={"If-Match": '"v0"'})
    assert_problem(stale, 412, "precondition-failed")
    assert stale.headers["ETag"] == '"v1"'
    assert_problem(await rooms.ask("PUT", path, body, as_="citizen:하늘"), 403, "forbidden")
    assert_problem(await rooms.ask("GET", f"/spaces/{uuid4()}/calendar", as_=None), 404, "not-found")


async def test_a_text_is_read_without_being_kept(rooms: Rooms) -> None:
    read = await Office(rooms).good("POST", "/rest-days/read", {"text": "매월 둘째 넷째 일요일, 시험기간"})
    assert (read["understood"], read["unparsed"]) == (["매월 둘째·넷째 일요일"], ["시험기간"])


async def test_anybody_reads_the_holidays(rooms: Rooms) -> None:
    told = await rooms.good("GET", "/holidays", as_=None)
    assert {"day": "2027-02-09", "name": "설날 대체공휴일", "kind": "substitute"} in told
    assert [one["day"] for one in told] == sorted(one["day"] for one in told)


async def test_rules_of_many_spaces_take_one_statement(rooms: Rooms) -> None:
    office = Office(rooms)
    space, plain = UUID(await office.room()), UUID(await office.room())
    await office.set_calendar(str(space), WEEKDAYS, "매주 월요일")
    window = Span(kst("2026-12-07T10:00"), kst("2026-12-07T11:00"))
    seen: list[str] = []
    engine = rooms.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *told: seen.append(told[2]))
    async with rooms.database.transaction() as tx:
        rules = await store.rules_of(tx, [space, plain], window)
    assert len(seen) == 1
    refused = allows(rules[space], window)
    assert refused is not None
    assert refused.rule == "rest-day"
    assert allows(rules[plain], window) is None
    tuesday = Span(window.starts_at + timedelta(days=1), window.ends_at + timedelta(days=1))
    assert allows(rules[space], tuesday) is None
