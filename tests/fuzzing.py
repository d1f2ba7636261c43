"""Every route of a service sent what its OpenAPI allows and does not, over real HTTP."""

from __future__ import annotations

import asyncio
import threading
from typing import Any
from uuid import uuid4

import httpx
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

from tests.waiting import until

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 12


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


def answered_as_described(target: Target, method: str, path: str) -> int:
    """Sends what the operation's schema allows and does not; returns how many requests were answered as it says.

    Raises at the first answer that is a 5xx or not what the schema describes.
    """
    operation, answered = target.schema[path][method], [0]

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
        answered[0] += 1

    sends()
    return answered[0]
