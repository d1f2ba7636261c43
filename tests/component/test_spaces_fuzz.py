"""Every route of bookings, waiting, subscriptions, series, availability and the desk, fuzzed from its own OpenAPI."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.spaces.app import build
from services.spaces.availability.api import router as availability
from services.spaces.bookings.api import router as bookings
from services.spaces.checkin.api import router as checkin
from services.spaces.desk.api import router as desk
from services.spaces.facilities.api import router as facilities
from services.spaces.series.api import router as series
from services.spaces.settings import Settings
from services.spaces.subscriptions.api import router as subscriptions
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.fuzzing import Served, Target, answered_as_described
from tests.issuer import Issuer, token
from tests.publishers import NOBODY_LISTENS, space_draft
from tests.spaces import span

pytestmark = pytest.mark.component

ROUTERS = (facilities, availability, bookings, checkin, desk, subscriptions, series)
OPERATIONS = sorted(
    (method, str(getattr(route, "path", "")))
    for router in ROUTERS
    for route in router.routes
    for method in sorted(getattr(route, "methods", ()))
)


@pytest_asyncio.fixture(scope="module")
async def target(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[Target]:
    await databases.migrated("spaces")
    made_of = settings_for(Settings, kafka_url=NOBODY_LISTENS, spaces_tick_s=3_600, spaces_holds_at_once=1_000_000)
    served = Served(build(made_of))
    url = await served.start()
    everyone = token(issuer, "officer:수완동", roles=["citizen", "officer", "moderator", "admin"])
    made = await asyncio.to_thread(Target, url, {"Authorization": f"Bearer {everyone}"})
    await asyncio.to_thread(prepare, made)
    yield made
    await served.stop()


def prepare(target: Target) -> None:
    """One of everything that a path may name."""
    space = target.post("/spaces", space_draft(space_kind="desk", capacity=40))
    full = target.post("/spaces", space_draft())
    booking = target.post(f"/spaces/{space['id']}/bookings", span())
    target.post(f"/spaces/{full['id']}/bookings", span())
    waiting = target.post(f"/spaces/{full['id']}/waitlist", span())
    plan = target.post("/plans", {"name": "월 20시간", "kind": "hours", "minutes": 1_200})
    subscription = target.post(f"/plans/{plan['id']}/subscriptions", None)
    weekly = target.post(f"/spaces/{space['id']}/series", {**span(hour=15), "rrule": "FREQ=WEEKLY;COUNT=3"})
    target.known = {
        "space_id": space["id"], "booking_id": booking["id"], "waiting_id": waiting["id"], "plan_id": plan["id"],
        "subscription_id": subscription["id"], "series_id": weekly["id"],
    }  # fmt: skip


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=lambda part: part)
def test_nothing_that_is_sent_breaks_it(target: Target, method: str, path: str) -> None:
    assert answered_as_described(target, method, path) > 0


def test_every_route_here_is_described(target: Target) -> None:
    described = {(method.upper(), path) for path, item in target.schema.raw_schema["paths"].items() for method in item}
    assert described >= set(OPERATIONS)
