"""Bookings under a storm on the real database: whatever comes at once, no two of one unit ever overlap."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio

from services.spaces.settings import Settings
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.jobs import tomorrow_at
from tests.publishers import NOBODY_LISTENS
from tests.spaces import SpacesDesk, open_spaces

pytestmark = pytest.mark.component

ROOMS, REQUESTS, AT_ONCE = 20, 1_000, 64
STANDING = ("held", "pending", "confirmed", "in_use", "done")


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[SpacesDesk]:
    settings = settings_for(Settings, kafka_url=NOBODY_LISTENS, spaces_tick_s=3_600, spaces_holds_at_once=10_000)
    async with open_spaces(databases, issuer, settings) as open_:
        yield open_


def some_window(random_: random.Random) -> dict[str, str]:
    """Half an hour to four hours, in quarters of an hour, within a day and a night."""
    starts_at = tomorrow_at(9, days=2) + timedelta(minutes=15 * random_.randrange(96))
    ends_at = starts_at + timedelta(minutes=15 * random_.randrange(2, 17))
    return {"starts_at": starts_at.isoformat(), "ends_at": ends_at.isoformat()}


async def books(desk: SpacesDesk, rooms: list[dict[str, Any]], random_: random.Random, n: int) -> int:
    """One citizen's try; some who got a time confirm it, some give it up, some let it be. Returns the status."""
    room, who = random_.choice(rooms), f"citizen:{n % 97}"
    answer = await desk.hold(room, who, **some_window(random_))
    if answer.status_code == 201:
        made, turn = answer.json(), random_.random()
        if turn < 0.5:
            await desk.does(made, "confirm", who)
        elif turn < 0.7:
            await desk.does(made, "cancel", who, {"reason": "생각이 바뀜"})
    return answer.status_code


@pytest.mark.parametrize("seed", [7, 20_261_122])
async def test_a_thousand_random_bookings_at_once_on_twenty_rooms_never_overlap(desk: SpacesDesk, seed: int) -> None:
    random_ = random.Random(seed)
    rooms = [
        await desk.opened(before_min=random_.choice((0, 0, 15)), after_min=random_.choice((0, 15)), min_minutes=30)
        for _ in range(ROOMS)
    ]
    gate = asyncio.Semaphore(AT_ONCE)

    async def turn(n: int) -> int:
        async with gate:
            return await books(desk, rooms, random_, n)

    statuses = Counter(await asyncio.gather(*(turn(n) for n in range(REQUESTS))))
    assert set(statuses) == {201, 409}
    assert statuses[201] > 100
    assert await desk.overlaps() == 0
    booked = "SELECT * FROM booking WHERE space_id = ANY(CAST(:ids AS uuid[]))"
    assert_apart(await desk.rows(booked, ids=[UUID(room["id"]) for room in rooms]))


def assert_apart(rows: list[Any]) -> None:
    """The same, without the database's ranges: each unit's bookings in order, each beginning after the one before."""
    by_unit: dict[int, list[tuple[datetime, datetime]]] = defaultdict(list)
    for row in rows:
        if row.state in STANDING:
            before, after = timedelta(minutes=row.before_min), timedelta(minutes=row.after_min)
            by_unit[row.unit_id].append((row.starts_at - before, row.ends_at + after))
    assert len(by_unit) == ROOMS
    for taken in by_unit.values():
        taken.sort()
        assert all(one[1] <= following[0] for one, following in pairwise(taken))


INSERT = """
    INSERT INTO booking (id, space_id, unit_id, institution, citizen_id, version, state, starts_at, ends_at, occupied,
        before_min, after_min, people, price_krw, created_at, changed_at)
    VALUES ($1, $2, $3, '수완동', 'citizen:누구', 1, $4, $5, $6, tstzrange($5, $6), 0, 0, 1, 0, now(), now())
"""


async def inserts(dsn: str, space_id: str, unit_id: int, state: str, starts_at: datetime) -> bool:
    """A row written past every lock and rule of ours. Whether the database took it."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(INSERT, uuid4(), space_id, unit_id, state, starts_at, starts_at + timedelta(hours=1))
    except (asyncpg.ExclusionViolationError, asyncpg.DeadlockDetectedError):
        return False
    finally:
        await connection.close()
    return True


async def test_the_database_itself_refuses_what_overlaps(desk: SpacesDesk, databases: Databases) -> None:
    room = await desk.opened()
    (unit,) = await desk.rows("SELECT id FROM space_unit WHERE space_id = :id", id=room["id"])
    dsn, at = databases.url("spaces").replace("+asyncpg", ""), tomorrow_at(10, days=5)
    tries = [(state, at + timedelta(minutes=n)) for n in range(6) for state in STANDING]
    took = await asyncio.gather(*(inserts(dsn, room["id"], unit.id, state, start) for state, start in tries))
    assert sum(took) == 1
    for state, start, taken in (
        ("confirmed", at + timedelta(hours=3), True),
        ("held", at + timedelta(hours=4), True),  # end = next start
        ("cancelled", at + timedelta(hours=3), True),
        ("pending", at + timedelta(hours=4, minutes=59), False),
    ):
        assert await inserts(dsn, room["id"], unit.id, state, start) is taken
    assert await desk.overlaps() == 0
