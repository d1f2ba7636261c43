"""What is seen of every request: an id, a span, its duration by route template, one log line. Never the query."""

from __future__ import annotations

import time
from uuid import uuid4

import structlog
from opentelemetry import propagate
from opentelemetry.trace import SpanKind
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import telemetry

log = structlog.get_logger()

QUIET_ROUTES = {"/healthz", "/readyz", "/metrics"}


class Observed:
    """Plain ASGI, so that a stream is passed on as it comes. The query may hold a coordinate and is never logged."""

    def __init__(self, app: ASGIApp, *, service: str) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in QUIET_ROUTES:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = (headers.get("x-request-id") or uuid4().hex)[:64]
        started, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        context = propagate.extract(dict(headers))
        with (
            structlog.contextvars.bound_contextvars(request_id=request_id, service=self._service),
            telemetry.span(scope["method"], context=context, kind=SpanKind.SERVER) as span,
        ):
            try:
                await self._app(scope, receive, sending)
            finally:
                route = getattr(scope.get("route"), "path", "unmatched")
                span.update_name(f"{scope['method']} {route}")
                attributes = {"http.request.method": scope["method"], "http.route": route}
                span.set_attributes({**attributes, "http.response.status_code": status})
                self._tell(scope["method"], route, status, time.perf_counter() - started)

    def _tell(self, method: str, route: str, status: int, took_s: float) -> None:
        telemetry.HTTP_SECONDS.labels(self._service, method, route, str(status)).observe(took_s)
        log.info("request", method=method, route=route, status=status, ms=round(took_s * 1000, 1))
