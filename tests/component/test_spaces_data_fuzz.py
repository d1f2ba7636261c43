"""Every route of calendars, closures, imports, places and iCalendar, fuzzed from its own OpenAPI: no 5xx, nothing unsaid."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.spaces.app import build
from services.spaces.calendars.api import router as calendars
from services.spaces.closures.api import router as closures
from services.spaces.icalendar.api import router as icalendar
from services.spaces.imports.api import router as imports
from services.spaces.places.api import router as places
from services.spaces.settings import Settings
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.fuzzing import Served, Target, answered_as_described
from tests.issuer import Issuer, token
from tests.public_data import as_csv, room
from tests.publishers import NOBODY_LISTENS, hours_on, space_draft

pytestmark = pytest.mark.component

ROUTERS = (calendars, closures, imports, places, icalendar)
OPERATIONS = sorted(
    (method, str(getattr(route, "path", "")))
    for router in ROUTERS
    for route in router.routes
    for method in sorted(getattr(route, "methods", ()))
)


@pytest_asyncio.fixture(scope="module")
async def target(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[Target]:
    await databases.migrated("spaces")
    served = Served(build(settings_for(Settings, kafka_url=NOBODY_LISTENS, spaces_tick_s=3_600)))
    url = await served.start()
    everyone = token(issuer, "officer:수완동", roles=["citizen", "officer", "moderator", "admin"])
    made = await asyncio.to_thread(Target, url, {"Authorization": f"Bearer {everyone}"})
    space = await asyncio.to_thread(made.post, "/spaces", space_draft())
    link = await asyncio.to_thread(made.post, "/calendar-links", {"kind": "space", "space_id": space["id"]})
    shut = {"space_ids": [space["id"]], "starts_at": hours_on(5), "ends_at": hours_on(9), "reason": "공사"}
    closed = await asyncio.to_thread(made.post, "/closures?mode=apply", shut)
    made.known = {"space_id": space["id"], "link_id": link["id"], "closure_id": closed["closures"][0]["closure_id"]}
    yield made
    await served.stop()


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=lambda part: part)
def test_nothing_that_is_sent_breaks_it(target: Target, method: str, path: str) -> None:
    assert answered_as_described(target, method, path) > 0


CELLS = st.sampled_from(
    ["", "-1", "1e9", "nan", "9" * 400, "00:00", "24:00", "\ud800", "😀" * 50, "Y", "매주 월요일", "\u202e", "'; --"]
)


@settings(max_examples=60, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from(sorted(room())), CELLS, max_size=6), st.sampled_from(["dry-run", "valid-rows"]))
def test_no_cell_of_a_row_breaks_an_import(target: Target, changed: dict[str, str], mode: str) -> None:
    headers = target.headers | {"Idempotency-Key": f"cells-{abs(hash((mode, tuple(sorted(changed.items())))))}"}
    row = {**room(1), **changed}
    bodies = [json.dumps({"fields": [], "records": [row]}).encode()]
    if not any("\ud800" in cell for cell in changed.values()):
        bodies.append(as_csv(row))
    for number, body in enumerate(bodies):
        named = headers | {"Idempotency-Key": f"{headers['Idempotency-Key']}-{number}"}
        answer = httpx.post(f"{target.url}/imports/facilities?mode={mode}", content=body, headers=named)
        assert answer.status_code == 200, answer.text
        assert answer.json()["rows"] == 1


def test_every_route_of_these_is_fuzzed(target: Target) -> None:
    described = {(method.upper(), path) for path, item in target.schema.raw_schema["paths"].items() for method in item}
    assert set(OPERATIONS) <= described
