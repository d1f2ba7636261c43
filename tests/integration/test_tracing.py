"""One trace from the officer's request to the inbox, as a collector sees it; and nothing private on the way."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from deploy.local import ports
from shared.settings import PlatformSettings
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer, token
from tests.processes import Nursery, Running, nursery
from tests.publishers import job_draft
from tests.waiting import until

pytestmark = pytest.mark.integration
STARTED_WITHIN_S = 60.0
TOLD_WITHIN_S = 30.0
SECRET_LAT = "35.19481759"  # so many digits that no time and no duration looks like it
HEADLINE = "아무도 모르는 제목"


class Collector:
    """An OTLP/HTTP collector that keeps what it is sent."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Any]] = []
        kept = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                if self.path == "/v1/traces":
                    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                        name = next(
                            a.value.string_value for a in resource.resource.attributes if a.key == "service.name"
                        )
                        kept.extend((name, span) for scope in resource.scope_spans for span in scope.spans)
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def of(self, service: str, trace_id: str) -> list[Any]:
        return [span for name, span in self.spans if name == service and span.trace_id.hex() == trace_id]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.stop()


class Processes:
    """The jobs service and the inbox's worker, as they run in the product."""

    def __init__(self, children: Nursery, settings: PlatformSettings, collector: Collector) -> None:
        taken: list[int] = []
        self.running: dict[str, Running] = {}
        self.urls: dict[str, str] = {}
        for module, *arguments in (("services.jobs.app",), ("services.matching.worker", "inbox")):
            taken.append(ports.pick(None, taken))
            environment = _environment(settings, taken[-1], collector.url)
            self.running[module] = children.start(module, *arguments, environment=environment)
            self.urls[module] = f"http://127.0.0.1:{taken[-1]}"

    async def ready(self) -> None:
        async with httpx.AsyncClient() as http:
            for module, url in self.urls.items():

                async def answers(url: str = url) -> bool:
                    try:
                        return (await http.get(f"{url}/readyz")).status_code == 200
                    except httpx.TransportError:
                        return False

                await until(answers, STARTED_WITHIN_S, what=f"{module} ready")


def _environment(settings: PlatformSettings, port: int, collector_url: str) -> dict[str, str]:
    told = settings.model_dump(include={"kafka_url", "postgres_url", "redis_url", "database_prefix", "oidc_issuer"})
    ours = {f"GWANGSAN_{name.upper()}": str(value) for name, value in told.items()}
    return {
        **ours,
        "GWANGSAN_PORT": str(port),
        "GWANGSAN_OTLP_ENDPOINT": collector_url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }


@pytest_asyncio.fixture(scope="module")
async def processes(
    databases: Databases, settings_for: SettingsFor, collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Processes]:
    for service in ("jobs", "matching"):
        await databases.migrated(service)
    with nursery(tmp_path_factory.mktemp("traced")) as children:
        made = Processes(children, settings_for(PlatformSettings), collector)
        await made.ready()
        yield made


async def post_job(processes: Processes, issuer: Issuer, trace: str) -> httpx.Response:
    headers = {
        "Authorization": f"Bearer {token(issuer, 'officer:수완동')}",
        "Idempotency-Key": uuid4().hex,
        "traceparent": f"00-{trace}-b7ad6b7169203331-01",
    }
    async with httpx.AsyncClient(base_url=processes.urls["services.jobs.app"]) as http:
        return await http.post(f"/postings?lat={SECRET_LAT}", json=job_draft(headline=HEADLINE), headers=headers)


async def test_one_trace_from_the_request_to_the_inbox_and_nothing_private(
    processes: Processes, collector: Collector, issuer: Issuer
) -> None:
    trace = uuid4().hex
    answer = await post_job(processes, issuer, trace)
    assert answer.status_code == 201, answer.text
    consumed = await until(lambda: collector.of("gwangsan-matching-inbox", trace), TOLD_WITHIN_S, what="inbox span")
    served = await until(lambda: collector.of("gwangsan-jobs", trace), TOLD_WITHIN_S, what="request span")
    assert [span.name for span in served] == ["POST /postings"]
    assert consumed[0].name == "process postings.v1"
    assert consumed[0].parent_span_id == served[0].span_id
    assert consumed[0].links[0].span_id == served[0].span_id
    sent = "".join(str(span) for _, span in collector.spans)
    assert not [private for private in (HEADLINE, SECRET_LAT, "수완동") if private in sent]


async def test_every_log_line_is_json_with_ids_and_nothing_private(
    processes: Processes, collector: Collector, issuer: Issuer
) -> None:
    trace = uuid4().hex
    answer = await post_job(processes, issuer, trace)
    await until(lambda: collector.of("gwangsan-jobs", trace), TOLD_WITHIN_S)
    lines = [json.loads(line) for line in processes.running["services.jobs.app"].said().splitlines()]
    request = next(line for line in lines if line["event"] == "request" and line["trace_id"] == trace)
    assert (request["route"], request["status"]) == ("/postings", 201)
    assert request["request_id"] == answer.headers["x-request-id"]
    said = "".join(running.said() for running in processes.running.values())
    assert not [private for private in (HEADLINE, SECRET_LAT, "수완동", "?lat", "Bearer") if private in said]
