"""The notices service as tests speak to it: officers by role, citizens, a clock that tests move, and its outbox."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
from fastapi import FastAPI
from sqlalchemy import text

from services.notices.app import build
from services.notices.clockwork import do_chores
from services.notices.settings import Settings
from shared.contracts import EVENT_BY_TYPE, Event, Posting
from shared.database import Database
from tests.databases import Databases
from tests.issuer import Issuer, token
from tests.publishers import SetClock, notice_draft

OFFICER = "officer:수완동"


def somebody() -> str:
    """A citizen of one test's own."""
    return f"citizen:{uuid4().hex[:10]}"


@dataclass(frozen=True)
class Institution:
    """A verified institution with an author, an approver, and one who is both."""

    name: str
    author: str
    approver: str
    both: str


@dataclass(frozen=True)
class NoticesDesk:
    """One running notices service."""

    app: FastAPI
    http: httpx.AsyncClient
    database: Database
    issuer: Issuer
    clock: SetClock

    def bearer(self, as_: str) -> dict[str, str]:
        """`officer:기관#이름` is an officer of that institution whose subject is the whole."""
        role, _, name = as_.partition(":")
        claims = {"institution": name.partition("#")[0]} if role == "officer" else {}
        return {"Authorization": f"Bearer {token(self.issuer, as_, **claims)}"}

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        as_: str | None = OFFICER,
        key: str | None = None,
        version: int | None = None,
        **more: Any,
    ) -> httpx.Response:
        headers = self.bearer(as_) if as_ else {}
        if method == "POST":
            headers["Idempotency-Key"] = key or uuid4().hex
        if version is not None:
            headers["If-Match"] = f'"v{version}"'
        return await self.http.request(method, path, json=body, headers=headers | more.pop("headers", {}), **more)

    async def good(self, method: str, path: str, body: object = None, **more: Any) -> Any:
        answer = await self.ask(method, path, body, **more)
        assert answer.is_success, f"{answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def institution(self, *, verified: bool = True) -> Institution:
        """One of a test's own, its officers named by an admin."""
        name = f"기관 {uuid4().hex[:8]}"
        made = Institution(name, *(f"officer:{name}#{who}" for who in ("글쓴이", "승인자", "둘다")))
        await self.good("PUT", f"/institutions/{name}", {"verified": verified}, as_="admin")
        named = {made.author: ["author"], made.approver: ["approver"], made.both: ["author", "approver"]}
        for subject, roles in named.items():
            path = f"/institutions/{name}/officers/{quote(subject, safe='')}"
            await self.good("PUT", path, {"roles": roles}, as_="admin")
        return made

    async def channel(self, name: str, *, as_: str = "admin") -> dict[str, Any]:
        """The institution's own channel."""
        page = await self.good("GET", "/channels", params={"institution": name, "limit": 200}, as_=None)
        found: dict[str, Any] = next(channel for channel in page["items"] if channel["name"] == name)
        return found

    async def published(self, *, as_: str = OFFICER, **changed: Any) -> dict[str, Any]:
        made: dict[str, Any] = await self.good("POST", "/notices", notice_draft(**changed), as_=as_)
        return made

    async def notice(self, id_: str) -> dict[str, Any]:
        found: dict[str, Any] = await self.good("GET", f"/notices/{id_}", as_=None)
        return found

    async def chores(self) -> int:
        return await do_chores(self.app.state.parts)

    async def events(self, about: object, *types: type[Event]) -> list[Any]:
        """What the outbox holds about something, in order; of these types, if any are named."""
        query = text("SELECT payload, headers->>'ce_type' AS type FROM outbox WHERE aggregate_id = :id ORDER BY id")
        async with self.database.transaction() as tx:
            rows = list(await tx.execute(query, {"id": str(about)}))
        events = [EVENT_BY_TYPE[row.type].model_validate(json.loads(row.payload)) for row in rows]
        return [event for event in events if not types or isinstance(event, types)]

    async def told(self, about: object) -> list[Posting]:
        return await self.events(about, Posting)


@asynccontextmanager
async def open_notices(databases: Databases, issuer: Issuer, settings: Settings) -> AsyncIterator[NoticesDesk]:
    """The service in this process with its real database, from start to clean stop."""
    url, clock = await databases.migrated("notices"), SetClock()
    app, database = build(settings, clock), Database(url, pool_size=2)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://notices", timeout=60) as http,
    ):
        yield NoticesDesk(app, http, database, issuer, clock)
    await database.close()
