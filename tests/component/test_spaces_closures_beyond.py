"""What else hangs on a closure: free times that were told, and credits that paid for what is moved or cancelled."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from services.spaces.settings import Settings
from shared.contracts import Posting
from tests.calendar_files import calendar, event
from tests.component.test_spaces_subscriptions import assert_balanced, in_month, next_month, of
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.publishers import NOBODY_LISTENS
from tests.spaces import SpacesDesk, open_spaces

pytestmark = pytest.mark.component


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[SpacesDesk]:
    settings = settings_for(Settings, kafka_url=NOBODY_LISTENS, spaces_tick_s=3_600)
    async with open_spaces(databases, issuer, settings) as open_:
        yield open_


def somebody() -> str:
    return f"citizen:{uuid4().hex}"


class Office:
    """An institution of a test's own, so that its rooms are nobody else's alternatives."""

    def __init__(self, desk: SpacesDesk) -> None:
        self.desk, self.as_ = desk, f"officer:기관{uuid4().hex[:6]}"

    async def room(self, **changed: Any) -> dict[str, Any]:
        return await self.desk.opened(as_=self.as_, **changed)

    async def close(self, space: dict[str, Any], span: dict[str, str]) -> list[dict[str, Any]]:
        body = {"space_ids": [space["id"]], **span, "reason": "누수 공사"}
        report = await self.desk.good("POST", "/closures?mode=apply", body, as_=self.as_)
        affected: list[dict[str, Any]] = report["affected"]
        return affected


def soon() -> dict[str, str]:
    """A time that begins in an hour, as free times are told to people nearby."""
    start = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(hours=1)
    return {"starts_at": start.isoformat(), "ends_at": (start + timedelta(hours=1)).isoformat()}


async def told_free(desk: SpacesDesk, space: dict[str, Any]) -> list[str]:
    rows = await desk.rows("SELECT id FROM gap WHERE space_id = :id ORDER BY changed_at", id=space["id"])
    return [posting.status for row in rows for posting in await desk.events(row.id, Posting)]


async def given_up(desk: SpacesDesk, space: dict[str, Any], span: dict[str, str]) -> None:
    me = somebody()
    booking = await desk.booked(space, me, **span)
    await desk.good("POST", f"/bookings/{booking['id']}/cancel", {"reason": "못 갑니다"}, as_=me)
    assert await told_free(desk, space) == ["open"]


async def test_a_free_time_that_was_told_is_closed_with_its_room(desk: SpacesDesk) -> None:
    office, span = Office(desk), soon()
    space = await office.room()
    await given_up(desk, space, span)
    await office.close(space, span)
    assert await told_free(desk, space) == ["open", "closed"]


async def test_a_free_time_that_was_told_is_closed_by_another_calendar(desk: SpacesDesk) -> None:
    office, span = Office(desk), soon()
    space = await office.room()
    await given_up(desk, space, span)
    busy = event(f"DTSTART:{datetime.fromisoformat(span['starts_at']):%Y%m%dT%H%M%SZ}", "DURATION:PT30M")
    path = f"/spaces/{space['id']}/calendar/imports?mode=apply"
    answer = await desk.ask("POST", path, as_=office.as_, content=calendar(busy))
    assert answer.json()["added"] == 1
    assert await told_free(desk, space) == ["open", "closed"]


async def test_who_is_moved_takes_the_free_time_of_the_other_room(desk: SpacesDesk) -> None:
    office, span = Office(desk), soon()
    space, other = await office.room(), await office.room(headline="옆 회의실")
    await given_up(desk, other, span)
    await desk.booked(space, somebody(), **span)
    (affected,) = await office.close(space, span)
    assert affected["moved_to"] == other["id"]
    assert await told_free(desk, other) == ["open", "closed"]


async def paid(desk: SpacesDesk, office: Office, space: dict[str, Any], me: str, **terms: Any) -> tuple[Any, Any]:
    body = {"name": "월 20시간", "kind": "hours", "minutes": 1_200, "price_krw": 30_000, **terms}
    offered = await desk.good("POST", "/plans", body, as_=office.as_)
    mine = await desk.good("POST", f"/plans/{offered['id']}/subscriptions", as_=me)
    booking = await desk.booked(space, me, subscription_id=mine["id"], **in_month(3, hours=2))
    assert (booking["credit_minutes"], (await of(desk, mine, me))["left_minutes"]) == (120, 1_080)
    return mine, booking


async def test_credits_stay_with_a_booking_that_is_moved_and_come_back_whole_with_one_that_is_not(
    desk: SpacesDesk,
) -> None:
    office, me, you = Office(desk), somebody(), somebody()
    space, other = await office.room(), await office.room(headline="옆 회의실")
    with desk.clock.at(next_month()):
        mine, moved = await paid(desk, office, space, me)
        (affected,) = await office.close(space, in_month(3, hours=2))
        assert affected["moved_to"] == other["id"]
        after = await desk.booking(moved, me)
        assert (after["credit_minutes"], (await of(desk, mine, me))["left_minutes"]) == (120, 1_080)
        # A plan that names its spaces pays for no other, so this one is cancelled though a room is free.
        third = await office.room(headline="다른 방")
        yours, _ = await paid(desk, office, third, you, space_ids=[third["id"]])
        (affected,) = await office.close(third, in_month(3, hours=2))
        assert affected["becomes"] == "cancelled"
        assert (await of(desk, yours, you))["left_minutes"] == 1_200
    await assert_balanced(desk)
