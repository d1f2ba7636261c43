"""The spaces service as its tests speak to it: officers of institutions of a test's own, a clock that tests move."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI
from sqlalchemy import text

from services.spaces.app import build
from services.spaces.settings import Settings
from shared.contracts import EVENT_BY_TYPE
from shared.database import Database
from tests.databases import Databases
from tests.issuer import Issuer, token
from tests.publishers import SetClock, space_draft


@dataclass(frozen=True)
class Rooms:
    """One running spaces service."""

    app: FastAPI
    http: httpx.AsyncClient
    database: Database
    issuer: Issuer
    clock: SetClock

    async def ask(
        self, method: str, path: str, body: object = None, *, as_: str | None, key: str | None = None, **more: Any
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token(self.issuer, as_)}"} if as_ else {}
        if method in ("POST", "DELETE"):
            headers["Idempotency-Key"] = key or uuid4().hex
        return await self.http.request(method, path, json=body, headers=headers | more.pop("headers", {}), **more)

    async def good(self, method: str, path: str, body: object = None, *, as_: str | None, **more: Any) -> Any:
        answer = await self.ask(method, path, body, as_=as_, **more)
        assert answer.is_success, f"{answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def events(self, about: object) -> list[Any]:
        """What the outbox holds about something, in order."""
        query = text("SELECT payload, headers->>'ce_type' AS type FROM outbox WHERE aggregate_id = :id ORDER BY id")
        async with self.database.transaction() as tx:
            rows = list(await tx.execute(query, {"id": str(about)}))
        return [EVENT_BY_TYPE[row.type].model_validate(json.loads(row.payload)) for row in rows]


class Office:
    """An institution of a test's own, with its officer."""

    def __init__(self, rooms: Rooms) -> None:
        self.rooms, self.name = rooms, f"기관{uuid4().hex[:6]}"
        self.as_ = f"officer:{self.name}"

    async def ask(self, method: str, path: str, body: object = None, **more: Any) -> httpx.Response:
        return await self.rooms.ask(method, path, body, as_=self.as_, **more)

    async def good(self, method: str, path: str, body: object = None, **more: Any) -> Any:
        return await self.rooms.good(method, path, body, as_=self.as_, **more)

    async def room(self, **changed: Any) -> str:
        made = await self.good("POST", "/spaces", space_draft(**changed))
        return str(made["id"])

    async def set_calendar(self, space_id: str, hours: dict[str, Any], rest: str = "", version: int = 0) -> Any:
        body = {"hours": hours, "rest": rest}
        return await self.good("PUT", f"/spaces/{space_id}/calendar", body, headers={"If-Match": f'"v{version}"'})


@asynccontextmanager
async def open_rooms(databases: Databases, issuer: Issuer, settings: Settings) -> AsyncIterator[Rooms]:
    """The service in this process with its real database, from start to clean stop."""
    url, clock = await databases.migrated("spaces"), SetClock()
    app, database = build(settings, clock), Database(url, pool_size=2)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://spaces", timeout=60) as http,
    ):
        yield Rooms(app, http, database, issuer, clock)
    await database.close()
