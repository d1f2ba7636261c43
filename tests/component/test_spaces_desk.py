"""Officers' numbers on the real database, and every booking route fuzzed from its own OpenAPI elsewhere."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest
import pytest_asyncio

from services.spaces.settings import Settings
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.jobs import tomorrow_at
from tests.publishers import NOBODY_LISTENS, assert_problem, broken_rules
from tests.spaces import HANEUL, SpacesDesk, minutes_after, open_spaces, span

pytestmark = pytest.mark.component


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[SpacesDesk]:
    settings = settings_for(Settings, kafka_url=NOBODY_LISTENS, spaces_tick_s=3_600)
    async with open_spaces(databases, issuer, settings) as open_:
        yield open_


def officer() -> str:
    return f"officer:기관{uuid4().hex[:8]}"


async def test_occupancy_and_no_shows_are_counted_by_hour_and_weekday(desk: SpacesDesk) -> None:
    us = officer()
    desks = await desk.opened(as_=us, space_kind="desk", capacity=2)
    used = await desk.booked(desks, HANEUL, **span(hour=10, hours=1.5))
    missed = await desk.booked(desks, f"citizen:{uuid4().hex}", **span(hour=14))
    given_up = await desk.booked(desks, HANEUL, **span(hour=16))
    await desk.does(given_up, "cancel", HANEUL, {"reason": "x"})
    with desk.clock.at(used["starts_at"]):
        await desk.does(used, "check-in", HANEUL)
    with desk.clock.at(minutes_after(missed["starts_at"], 16)):
        await desk.chores()
        day = {"since": tomorrow_at(0, days=2).isoformat(), "until": tomorrow_at(0, days=3).isoformat()}
        found = await desk.good("GET", "/desk/statistics", params=day, as_=us)
        written = await desk.ask("GET", "/desk/statistics", params=day | {"format": "csv"}, as_=us)
    weekday = tomorrow_at(0, days=2).weekday()
    cells = {(c["weekday"], c["hour"]): (c["open_minutes"], c["booked_minutes"], c["rate"]) for c in found["cells"]}
    assert len(cells) == 24
    assert cells[weekday, 10] == (120, 60, 0.5)
    assert cells[weekday, 11] == (120, 30, 0.25)
    assert cells[weekday, 14] == (120, 0, 0)
    assert (found["states"], found["no_show_rate"]) == ({"done": 1, "no_show": 1, "cancelled": 1}, 0.5)
    assert found["occupancy"] == round(90 / (2 * 24 * 60), 4)
    rows = list(csv.reader(io.StringIO(written.content.decode("utf-8-sig"))))
    assert rows[0][0].startswith("요일")
    assert ["노쇼율 no-show rate", "", "", "", "0.5"] in rows
    assert "citizen" not in written.text


async def test_statistics_are_of_the_officers_own_institution(desk: SpacesDesk) -> None:
    us, others = officer(), officer()
    ours = await desk.opened(as_=us)
    await desk.booked(ours, HANEUL)
    around = {"since": tomorrow_at(0, days=1).isoformat(), "until": tomorrow_at(0, days=5).isoformat()}
    assert (await desk.good("GET", "/desk/statistics", params=around, as_=us))["states"] == {"confirmed": 1}
    assert (await desk.good("GET", "/desk/statistics", params=around, as_=others))["states"] == {}
    one = await desk.ask("GET", "/desk/statistics", params=around | {"space_id": ours["id"]}, as_=others)
    assert_problem(one, 404, "not-found")
    assert_problem(await desk.ask("GET", "/desk/statistics", as_=HANEUL), 403, "forbidden")


async def test_ranges_of_statistics_are_bounded(desk: SpacesDesk) -> None:
    start = tomorrow_at(0)
    for until, rule in ((start - timedelta(days=1), "reversed"), (start + timedelta(days=36_500), "too-long")):
        query = {"since": start.isoformat(), "until": until.isoformat()}
        assert broken_rules(await desk.ask("GET", "/desk/statistics", params=query)) == {("body.until", rule)}


async def test_the_queue_is_read_by_cursor_the_oldest_first(desk: SpacesDesk) -> None:
    us = officer()
    room = await desk.opened(as_=us, approval="officer")
    made = [(await desk.booked(room, HANEUL, **span(hour=hour)))["id"] for hour in range(9, 14)]
    seen: list[str] = []
    query: dict[str, object] = {"limit": 2}
    while True:
        page = await desk.good("GET", "/desk/bookings", params=query, as_=us)
        seen += [b["id"] for b in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == made


@pytest.mark.parametrize(
    ("first", "last"),
    [("0001-01-01T00:00:00Z", "0001-01-02T00:00:00Z"), ("9999-12-31T20:00:00Z", "9999-12-31T21:00:00Z"),
     ("2026-12-01T00:00:00Z", "9999-12-31T23:00:00Z")],
)  # fmt: skip
async def test_times_at_the_ends_of_the_calendar_are_refused_everywhere(
    desk: SpacesDesk, first: str, last: str
) -> None:
    room = await desk.opened()
    span_, window = {"since": first, "until": last}, {"starts_at": first, "ends_at": last}
    rule = {"rrule": "FREQ=WEEKLY;COUNT=2"}
    answers = [
        await desk.ask("GET", "/availability", params=span_, as_=HANEUL),
        await desk.ask("GET", f"/spaces/{room['id']}/availability", params=span_, as_=HANEUL),
        await desk.ask("GET", "/desk/statistics", params=span_),
        await desk.ask("GET", f"/spaces/{room['id']}/quote", params=window, as_=HANEUL),
        await desk.ask("POST", f"/spaces/{room['id']}/bookings", window, as_=HANEUL),
        await desk.ask("POST", f"/spaces/{room['id']}/waitlist", window, as_=HANEUL),
        await desk.ask("POST", f"/spaces/{room['id']}/series", window | rule, as_=HANEUL),
    ]
    assert [{rule for _, rule in broken_rules(answer)} for answer in answers] == [{"time-range"}] * len(answers)
