"""Availability agrees with the booking engine, through random histories; one statement reads any number of spaces."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from sqlalchemy import event, text

from services.spaces.availability import store
from services.spaces.availability.domain import free_times, is_free
from services.spaces.bookings.domain import Wish
from services.spaces.bookings.engine import locked_space
from services.spaces.bookings.handlers import hold_on
from services.spaces.calendars.domain import Span
from services.spaces.settings import Settings
from shared.rules import Refused
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.jobs import tomorrow_at
from tests.publishers import NOBODY_LISTENS, assert_problem, broken_rules
from tests.spaces import HANEUL, SpacesDesk, minutes_after, open_spaces, span

pytestmark = pytest.mark.component


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[SpacesDesk]:
    settings = settings_for(Settings, kafka_url=NOBODY_LISTENS, spaces_tick_s=3_600, spaces_holds_at_once=10_000)
    async with open_spaces(databases, issuer, settings) as open_:
        yield open_


class Granted(Exception):  # noqa: N818
    """The engine said yes; nothing of it is kept."""


async def engine_grants(desk: SpacesDesk, space_id: str, window: Span) -> bool:
    """What the booking engine itself would say, now."""
    try:
        async with desk.database.transaction() as tx:
            space = await locked_space(tx, UUID(space_id))
            await hold_on(tx, space, f"citizen:{uuid4().hex}", Wish(window), desk.parts)
            raise Granted
    except Granted:
        return True
    except Refused:
        return False


async def listing_grants(desk: SpacesDesk, space_id: str, window: Span) -> bool:
    now, late_s = desk.clock(), desk.parts.settings.spaces_checkin_late_s
    async with desk.database.transaction() as tx:
        (times,) = await store.times_of(tx, [UUID(space_id)], window, now, late_s)
    return is_free(times, window, now)


def some_span(random_: random.Random, start: datetime, quarters: int) -> Span:
    starts_at = start + timedelta(minutes=15 * random_.randrange(quarters))
    return Span(starts_at, starts_at + timedelta(minutes=15 * random_.randrange(1, 20)))


async def some_history(desk: SpacesDesk, random_: random.Random, space: dict[str, Any], start: datetime) -> None:
    """Bookings in every state: held, confirmed, cancelled, lapsed, in use, left early."""
    for _ in range(random_.randrange(3, 12)):
        window, who = some_span(random_, start, 4 * 48), f"citizen:{uuid4().hex}"
        body = {"starts_at": window.starts_at.isoformat(), "ends_at": window.ends_at.isoformat()}
        answer = await desk.hold(space, who, **body)
        if answer.status_code != 201:
            continue
        made, act = answer.json(), random_.choice(("hold", "confirm", "confirm", "cancel", "arrive", "leave"))
        if act == "cancel":
            await desk.does(made, "cancel", who, {"reason": "x"})
        elif act != "hold":
            await desk.does(made, "confirm", who)
        if act in ("arrive", "leave"):
            with desk.clock.at(made["starts_at"]):
                await desk.does(made, "check-in", who)
        if act == "leave":
            with desk.clock.at(minutes_after(made["starts_at"], 7.5)):
                await desk.does(made, "check-out", who)


@pytest.mark.parametrize("seed", range(6))
async def test_what_is_listed_as_free_is_what_the_engine_grants(desk: SpacesDesk, seed: int) -> None:
    random_ = random.Random(seed)
    start = tomorrow_at(6, days=2)
    space = await desk.opened(
        space_kind=random_.choice(("room", "desk")), capacity=random_.choice((1, 2, 3)), min_minutes=random_.choice((15, 30, 60)),
        max_minutes=random_.choice((120, 240, 600)), before_min=random_.choice((0, 10)), after_min=random_.choice((0, 5, 20)),
        lead_minutes=random_.choice((0, 0, 90)), closes_at=random_.choice((None, (start + timedelta(hours=40)).isoformat())),
    )  # fmt: skip
    await closes_for_a_while(desk, random_, space, start)
    await some_history(desk, random_, space, start)
    compared = {True: 0, False: 0}
    for turn in range(5):
        with desk.clock.at((start + timedelta(hours=8 * turn, minutes=random_.randrange(60))).isoformat()):
            for _ in range(25):
                window = some_span(random_, start, 4 * 48)
                listed = await listing_grants(desk, space["id"], window)
                assert listed == await engine_grants(desk, space["id"], window), (window, desk.clock())
                compared[listed] += 1
    assert min(compared.values()) > 0


async def closes_for_a_while(desk: SpacesDesk, random_: random.Random, space: dict[str, Any], start: datetime) -> None:
    """Hours by weekday and a closure, straight into the tables of calendars."""
    closed = some_span(random_, start, 4 * 40)
    async with desk.database.transaction() as tx:
        await tx.execute(
            text(
                "INSERT INTO closure (id, space_id, starts_at, ends_at, reason, source, made_by, made_at) "
                "VALUES (:id, :space, :since, :until, '청소', 'officer', 'officer:1', now())"
            ),
            {"id": uuid4(), "space": UUID(space["id"]), "since": closed.starts_at, "until": closed.ends_at},
        )
        if random_.random() < 0.7:
            days = [[[random_.choice((360, 540)), random_.choice((1_080, 1_560))]] for _ in range(7)]
            hours = f'{{"weekdays": {days}, "holidays": null}}'
            await tx.execute(
                text(
                    "INSERT INTO space_calendar (space_id, version, hours, rest_text, changed_by, changed_at) "
                    "VALUES (:space, 1, CAST(:hours AS jsonb), '', 'officer:1', now())"
                ),
                {"space": UUID(space["id"]), "hours": hours},
            )


@asynccontextmanager
async def counted(desk: SpacesDesk) -> AsyncIterator[list[str]]:
    """The statements that the service sends meanwhile."""
    sent: list[str] = []

    def note(*told: Any) -> None:
        sent.append(told[2])

    engine = desk.parts.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


async def test_a_week_of_many_spaces_is_one_statement(desk: SpacesDesk) -> None:
    for n in range(12):
        room = await desk.opened(headline=f"회의실 {n}", space_kind="desk", capacity=3)
        await desk.held(room, f"citizen:{uuid4().hex}", **span(days=1 + n % 5))
    async with counted(desk) as sent:
        found = await desk.good("GET", "/availability", params={"limit": 500}, as_=HANEUL)
    assert len(sent) == 1
    assert len(found["items"]) >= 12
    async with counted(desk) as sent:
        await desk.good("GET", "/availability", params={"limit": 2}, as_=HANEUL)
        await desk.good("GET", "/free-now", params={"lat": 35.19, "lon": 126.82}, as_=HANEUL)
    assert len(sent) == 2


async def test_free_times_say_how_many_and_how_old_and_never_whose(desk: SpacesDesk) -> None:
    desks = await desk.opened(space_kind="desk", capacity=2)
    await desk.held(desks, HANEUL, **span(hour=10))
    asked = {"since": span(hour=9)["starts_at"], "until": span(hour=12)["starts_at"]}
    answer = await desk.ask("GET", f"/spaces/{desks['id']}/availability", params=asked, as_="citizen:바다")
    free = answer.json()["space"]["free"]
    assert [(f["starts_at"][11:16], f["ends_at"][11:16], f["units"]) for f in free] == [
        ("00:00", "01:00", 2), ("00:00", "03:00", 1), ("02:00", "03:00", 2),
    ]  # fmt: skip
    assert "citizen" not in answer.text
    assert answer.json()["age_s"] < 5
    assert datetime.fromisoformat(answer.json()["as_of"]) <= desk.clock()


async def test_the_list_goes_on_by_cursor_and_names_each_space_once(desk: SpacesDesk) -> None:
    as_ = f"officer:기관{uuid4().hex[:6]}"
    made = [(await desk.opened(as_=as_))["id"] for _ in range(5)]
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2, "institution": as_.removeprefix("officer:")}
    while True:
        page = await desk.good("GET", "/availability", params=query, as_=HANEUL)
        seen += [item["space_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == made[::-1]


async def test_free_now_is_within_the_radius_and_can_be_booked_at_once(desk: SpacesDesk) -> None:
    here = {"name": "여기", "lat": 35.2211, "lon": 126.7511}
    near, far = {**here, "lat": 35.2266}, {**here, "lat": 35.2281}  # 612 m and 779 m north
    free, busy = await desk.opened(place=near), await desk.opened(place=here, headline="찬 방")
    later, closed = await desk.opened(place=here, lead_minutes=120), await desk.opened(place=here)
    await desk.opened(place=far)
    await desk.good("POST", f"/spaces/{closed['id']}/close", {"reason": "공사"})
    now = desk.clock().replace(second=0, microsecond=0)
    soon = {"starts_at": now.isoformat(), "ends_at": (now + timedelta(hours=1)).isoformat()}
    await desk.held(busy, HANEUL, **soon)
    point = {"lat": here["lat"], "lon": here["lon"]}
    found = (await desk.good("GET", "/free-now", params=point, as_=HANEUL))["items"]
    assert [(f["space_id"], f["distance_m"]) for f in found] == [(free["id"], 700)]
    assert later["id"] not in {f["space_id"] for f in found}
    window = {"starts_at": found[0]["free_from"], "ends_at": minutes_after(found[0]["free_from"], 60)}
    assert (await desk.hold(free, HANEUL, **window)).status_code == 201
    assert (await desk.good("GET", "/free-now", params=point, as_=HANEUL))["items"] == []


async def test_ranges_that_are_reversed_or_a_century_long_are_refused(desk: SpacesDesk) -> None:
    def asked(since: str, until: str) -> dict[str, str]:
        return {"since": since, "until": until}

    reversed_, century = (
        asked("2027-01-02T00:00:00Z", "2027-01-01T00:00:00Z"),
        asked("2027-01-01T00:00:00Z", "2127-01-01T00:00:00Z"),
    )
    for query, rule in ((reversed_, "reversed"), (century, "too-long"), (asked("9999-12-31T00:00:00Z", ""), "rfc3339")):
        answer = await desk.ask("GET", "/availability", params=query, as_=HANEUL)
        assert {rule_ for _, rule_ in broken_rules(answer)} == {rule}
    last = await desk.ask("GET", "/availability", params={"since": "9999-12-31T00:00:00Z"}, as_=HANEUL)
    assert {rule_ for _, rule_ in broken_rules(last)} == {"time-range"}


async def test_nobody_asks_without_a_token_and_unknown_spaces_are_not_found(desk: SpacesDesk) -> None:
    assert_problem(await desk.ask("GET", "/availability", as_=None), 401, "unauthenticated")
    assert_problem(await desk.ask("GET", f"/spaces/{uuid4()}/availability", as_=HANEUL), 404, "not-found")


async def test_an_empty_history_is_free_all_the_time(desk: SpacesDesk) -> None:
    room = await desk.opened()
    asked, now = Span(tomorrow_at(0, days=1), tomorrow_at(0, days=8)), desk.clock()
    async with desk.database.transaction() as tx:
        (times,) = await store.times_of(tx, [UUID(room["id"])], asked, now, 900)
    assert [(f.starts_at, f.ends_at) for f in free_times(times, asked, now)] == [(asked.starts_at, asked.ends_at)]
