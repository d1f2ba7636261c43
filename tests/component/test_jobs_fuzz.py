"""Every route of jobs, fuzzed from its own OpenAPI: no 5xx, nothing that its schema does not say."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from services.jobs.app import ROUTERS, build
from services.jobs.settings import Settings
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer, token
from tests.jobs import shift_draft
from tests.publishers import NOBODY_LISTENS
from tests.waiting import until

pytestmark = pytest.mark.component

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 12
OPERATIONS = sorted(
    (method, str(getattr(route, "path", "")))
    for router in ROUTERS
    for route in router.routes
    for method in sorted(getattr(route, "methods", ()))
)


class Served:
    """The service on a port of its own, in a thread of its own."""

    def __init__(self, app: Any) -> None:
        self.server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="on"))
        self.thread = threading.Thread(target=self.server.run, daemon=True)

    async def start(self) -> str:
        self.thread.start()
        await until(lambda: self.server.started, 30)
        return f"http://127.0.0.1:{self.server.servers[0].sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        self.server.should_exit = True
        await asyncio.to_thread(self.thread.join, 20)


class Target:
    """Where to send what, as whom, and the names of things that are really there."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.url, self.headers = url, headers
        self.schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
        self.known: dict[str, str] = {}

    def post(self, path: str, body: object) -> dict[str, Any]:
        headers = self.headers | {"Idempotency-Key": uuid4().hex}
        answer = httpx.post(f"{self.url}{path}", json=body, headers=headers)
        assert answer.is_success, answer.text
        made: dict[str, Any] = answer.json()
        return made


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
    operation = target.schema[path][method]

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(), really=st.booleans())
    def sends(case: Any, really: bool) -> None:
        if really:
            case.path_parameters = {**(case.path_parameters or {}), **{
                name: id_ for name, id_ in target.known.items() if name in (case.path_parameters or {})
            }}  # fmt: skip
        case.call_and_validate(base_url=target.url, headers=target.headers, checks=CHECKS)

    sends()


def test_every_route_is_fuzzed(target: Target) -> None:
    described = {(method.upper(), path) for path, item in target.schema.raw_schema["paths"].items() for method in item}
    assert described == set(OPERATIONS)
