"""The public HTTP API as the demo uses it, through the gateway, with tokens of the development issuer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx

from deploy.local import state
from deploy.local.errors import LocalError
from deploy.local.home import Home
from deploy.local.stack import Stack

AT_ONCE = 32
TRIES = 6
BUSY = frozenset({429, 502, 503, 504})


class Api:
    """A few connections that many citizens share. A busy answer is tried again; any other failure ends the demo."""

    def __init__(self, http: httpx.AsyncClient, streams: httpx.AsyncClient, stack: Stack) -> None:
        self._http, self._streams, self._stack = http, streams, stack
        self._tokens: dict[str, str] = {}
        self.retries = 0

    def token(self, who: str) -> str:
        if who not in self._tokens:
            self._tokens[who] = self._stack.token(who)
        return self._tokens[who]

    async def call(self, method: str, path: str, who: str, body: dict[str, Any] | None = None, **query: Any) -> Any:
        """The answer's JSON. Every POST carries an Idempotency-Key, the same for every try."""
        headers = {"Authorization": f"Bearer {self.token(who)}", "Idempotency-Key": uuid4().hex}
        for attempt in range(TRIES):
            try:
                answer = await self._http.request(method, path, json=body, headers=headers, params=query or None)
            except httpx.TransportError as error:
                problem = type(error).__name__
            else:
                if answer.status_code < 400:
                    return answer.json()
                problem = f"{answer.status_code} {answer.text[:300]}"
                if answer.status_code not in BUSY:
                    break
            self.retries += 1
            await asyncio.sleep(0.1 * 2**attempt)
        raise LocalError(f"{method} {path} 요청이 실패했습니다.", f"{method} {path} failed: {problem}")

    @asynccontextmanager
    async def stream(self, who: str, after: str | None) -> AsyncIterator[httpx.Response]:
        """The citizen's live stream, open: from now on, or after the event that was seen last."""
        headers = {"Authorization": f"Bearer {self.token(who)}", "Accept": "text/event-stream"}
        headers |= {"Last-Event-ID": after} if after else {}
        timeout = httpx.Timeout(30.0, read=None, pool=None)
        async with self._streams.stream("GET", "/api/matching/stream", headers=headers, timeout=timeout) as answer:
            if answer.status_code != 200:
                await answer.aread()
                raise LocalError(
                    "실시간 알림을 열지 못했습니다.", f"GET /stream: {answer.status_code} {answer.text[:200]}"
                )
            yield answer


@asynccontextmanager
async def connected(stack: Stack, streams: int) -> AsyncIterator[Api]:
    """Refused where tokens come from another issuer than this stack's own."""
    found = state.running(Home(stack.home))
    if found is not None and "issuer" in found.external:
        raise LocalError(
            "이 스택은 다른 발급자를 쓰고 있어 표본 시민을 만들 수 없습니다.",
            "This stack uses an issuer of its own: the demo cannot sign tokens for sample citizens.",
        )
    # Two pools: with every request httpx looks through all connections of its pool, and streams would only be in the way.
    calls, listening = (httpx.Limits(max_connections=n, max_keepalive_connections=n) for n in (AT_ONCE, streams))
    url = stack.gateway_url
    async with (
        httpx.AsyncClient(base_url=url, limits=calls, timeout=60.0, trust_env=False) as http,
        httpx.AsyncClient(base_url=url, limits=listening, trust_env=False) as live,
    ):
        yield Api(http, live, stack)
