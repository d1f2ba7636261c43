"""Every route of delivery, fuzzed from its own OpenAPI: no 5xx, nothing that its schema does not say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.delivery.app import ROUTERS, build
from services.delivery.settings import Settings
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.delivery import Device, push_service
from tests.fuzzing import Served, Target, answered_as_described
from tests.issuer import Issuer, token
from tests.publishers import NOBODY_LISTENS

pytestmark = pytest.mark.component

OPERATIONS = sorted(
    (method, str(getattr(route, "path", "")))
    for router in ROUTERS
    for route in router.routes
    for method in sorted(getattr(route, "methods", ()))
)


@pytest_asyncio.fixture(scope="module")
async def target(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[Target]:
    await databases.migrated("delivery")
    settings = settings_for(
        Settings, kafka_url=NOBODY_LISTENS, smtp_host="127.0.0.1", smtp_port=1, smtp_tls="none", delivery_tick_s=3_600,
        delivery_requests_per_minute=1_000_000, mail_confirmations_per_hour=1_000_000,
    )  # fmt: skip
    served = Served(build(settings))
    url = await served.start()
    everyone = token(issuer, "citizen:하늘")
    made = await asyncio.to_thread(Target, url, {"Authorization": f"Bearer {everyone}"})
    async with push_service() as peer:
        body = Device(peer).subscription() | {"endpoint": "https://push.example.com/x"}
    device = await asyncio.to_thread(made.post, "/subscriptions/push", body)
    made.known = {"target_id": device["id"]}
    yield made
    await served.stop()


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=lambda part: part)
def test_nothing_that_is_sent_breaks_it(target: Target, method: str, path: str) -> None:
    assert answered_as_described(target, method, path) > 0


def test_every_route_is_fuzzed(target: Target) -> None:
    described = {(method.upper(), path) for path, item in target.schema.raw_schema["paths"].items() for method in item}
    assert described == set(OPERATIONS)
