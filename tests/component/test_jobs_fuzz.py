"""Every route of jobs, fuzzed from its own OpenAPI: no 5xx, nothing that its schema does not say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.jobs.app import ROUTERS, build
from services.jobs.settings import Settings
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.fuzzing import Served, Target, answered_as_described
from tests.issuer import Issuer, token
from tests.jobs import shift_draft
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
    await databases.migrated("jobs")
    many = {f"jobs_{act}_per_minute": 1_000_000 for act in ("writes", "claims", "reports")}
    served = Served(build(settings_for(Settings, kafka_url=NOBODY_LISTENS, jobs_tick_s=3_600, **many)))
    url = await served.start()
    everyone = token(issuer, "officer:수완동", roles=["citizen", "officer", "moderator", "admin"])
    made = await asyncio.to_thread(Target, url, {"Authorization": f"Bearer {everyone}"})
    posting = await asyncio.to_thread(made.post, "/postings", shift_draft(slots=900))
    claim = await asyncio.to_thread(made.post, f"/postings/{posting['id']}/claims", {})
    draft = await asyncio.to_thread(made.post, "/drafts", {"name": "서식", "keep": True})
    made.known = {"posting_id": posting["id"], "claim_id": claim["id"], "draft_id": draft["id"]}
    yield made
    await served.stop()


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=lambda part: part)
def test_nothing_that_is_sent_breaks_it(target: Target, method: str, path: str) -> None:
    assert answered_as_described(target, method, path) > 0


def test_every_route_is_fuzzed(target: Target) -> None:
    described = {(method.upper(), path) for path, item in target.schema.raw_schema["paths"].items() for method in item}
    assert described == set(OPERATIONS)
