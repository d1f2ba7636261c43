"""Builds a service's FastAPI application: routes, problems, request ids, metrics, traces, health."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared import telemetry
from shared.settings import PlatformSettings
from shared.web import problems
from shared.web.observe import Observed

log = structlog.get_logger()

Check = Callable[[], Awaitable[str | None]]
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(
    service: str,
    settings: PlatformSettings,
    *,
    routers: Sequence[APIRouter] = (),
    checks: Mapping[str, Check] | None = None,
    watched: Mapping[str, Check] | None = None,
    lifespan: Lifespan | None = None,
    description: str = "",
) -> FastAPI:
    """`checks` name what the service cannot do without; each returns None or one sentence, and /readyz tells them all.

    `watched` are told there too, as degraded, and fail nothing: a gateway that routes by readiness must not refuse what
    the service can still take – an edit that waits in the outbox until Kafka is back.
    """

    app = FastAPI(
        title=f"당근 광산 · {service}",
        version="1",
        description=description,
        lifespan=_told(service, settings, lifespan),
        responses=problems.DOCUMENTED,
        docs_url=None,
        redoc_url=None,
        servers=[{"url": f"/api/{service}"}],  # the gateway strips this prefix
        generate_unique_id_function=lambda route: route.name,
        # FastAPI's own spans hold the query, and a query may be a coordinate: Observed makes ours.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    problems.install(app)
    for router in routers:
        app.include_router(router)
    app.include_router(_health(service, checks or {}, watched or {}))
    app.add_middleware(Observed, service=service)
    return app


def _told(service: str, settings: PlatformSettings, lifespan: Lifespan | None) -> Lifespan:
    """The service's own life, with telemetry before it and its beginning and end in the log."""

    @asynccontextmanager
    async def whole_life(app: FastAPI) -> AsyncIterator[None]:
        telemetry.configure(service, level=settings.log_level, otlp_endpoint=settings.otlp_endpoint)
        if lifespan is None:
            yield
            return
        async with lifespan(app):
            log.info("started")
            yield
        log.info("stopped")

    return whole_life


def _health(service: str, checks: Mapping[str, Check], watched: Mapping[str, Check]) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    ready_gauge = telemetry.READY.labels(service)

    async def find() -> dict[str, str | None]:
        found = {name: await _answer(check) for name, check in checks.items()}
        ready_gauge.set(all(problem is None for problem in found.values()))
        return found

    @router.get("/healthz")
    async def healthz() -> Response:
        return PlainTextResponse("ok")

    @router.get("/readyz")
    async def readyz() -> Response:
        found = await find()
        ready = all(problem is None for problem in found.values())
        degraded = {name: problem for name, check in watched.items() if (problem := await _answer(check)) is not None}
        told = {name: problem or "ok" for name, problem in found.items()}
        body = {"ready": ready, "checks": told, **({"degraded": degraded} if degraded else {})}
        return JSONResponse(body, 200 if ready else 503)

    @router.get("/metrics")
    async def metrics() -> Response:
        await find()
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router


async def _answer(check: Check) -> str | None:
    try:
        return await check()
    except Exception as error:  # noqa: BLE001 - a check that fails in any way is an answer: not ready
        return f"{type(error).__name__}"


def serve(app: FastAPI, settings: PlatformSettings) -> None:
    """Run until SIGTERM or SIGINT; open requests get ten seconds to end."""
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=10,
        timeout_keep_alive=75,
        h11_max_incomplete_event_size=64 * 1024,
    )
