"""Server-Sent Events as a browser reads them, from a server that really listens."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from tests.waiting import until


@asynccontextmanager
async def listening(app: FastAPI) -> AsyncIterator[str]:
    """The application on a port of its own, in this loop, from start to clean stop."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, timeout_graceful_shutdown=5))
    serving = asyncio.create_task(server.serve())
    try:
        await until(lambda: server.started or serving.done(), 60)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


@dataclass
class Event:
    name: str
    id: str
    data: Any


@dataclass
class Stream:
    """What a stream has told so far."""

    events: list[Event] = field(default_factory=list)
    comments: int = 0
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def alerts(self) -> list[Event]:
        return [event for event in self.events if event.name == "alert"]

    @property
    def ids(self) -> list[str]:
        """The postings told of, in order."""
        return [event.data["posting_id"] for event in self.alerts]

    async def told(self, count: int, deadline_s: float = 20.0) -> list[Event]:
        await until(lambda: len(self.alerts) >= count, deadline_s, what=f"{len(self.alerts)} of {count} alerts")
        return self.alerts

    async def read(self, answer: httpx.Response) -> None:
        fields: dict[str, str] = {}
        async for line in answer.aiter_lines():
            if not line and fields:
                self.events.append(Event(fields.get("event", ""), fields.get("id", ""), json.loads(fields["data"])))
                fields = {}
            elif line.startswith(":"):
                self.comments += 1
            elif line:
                name, _, value = line.partition(": ")
                fields[name] = value


@asynccontextmanager
async def streaming(url: str, headers: Mapping[str, str], last_event_id: str | None = None) -> AsyncIterator[Stream]:
    """An open stream; its first event (`hello`) has been read."""
    named = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    stream = Stream()
    async with (
        httpx.AsyncClient(timeout=httpx.Timeout(10, read=None)) as http,
        http.stream("GET", f"{url}/stream", headers={**headers, **named}) as answer,
    ):
        stream.status, stream.headers = answer.status_code, answer.headers
        reading = asyncio.create_task(stream.read(answer))
        try:
            if answer.status_code == 200:
                await until(lambda: stream.events)
            yield stream
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, httpx.HTTPError):
                await reading
