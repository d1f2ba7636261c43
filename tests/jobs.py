"""The jobs service as tests speak to it: officers, citizens, a clock that tests move, and the events in its outbox."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI
from sqlalchemy import text

from services.jobs.app import build
from services.jobs.clockwork import do_chores
from services.jobs.settings import Settings
from shared.clock import SEOUL
from shared.contracts import EVENT_BY_TYPE, Event, Posting
from shared.database import Database
from tests.databases import Databases
from tests.issuer import Issuer, token
from tests.publishers import SUWAN, SetClock

OFFICER = "officer:수완동"
HANEUL, BADA, NURI = "citizen:하늘", "citizen:바다", "citizen:누리"


def tomorrow_at(hour: float, *, days: int = 1) -> datetime:
    """So many Korean days on, at an hour of the day."""
    today = datetime.now(SEOUL).replace(hour=0, minute=0, second=0, microsecond=0)
    return today + timedelta(days=days, hours=hour)


def shift_draft(days: int = 2, hour: float = 10, hours: float = 2, **changed: Any) -> dict[str, Any]:
    """Daytime work some days on, so that nothing hangs on the hour at which the tests run."""
    starts_at = tomorrow_at(hour, days=days)
    return {
        "headline": f"책 정리 {uuid4().hex[:6]}", "place": SUWAN, "starts_at": starts_at.isoformat(),
        "ends_at": (starts_at + timedelta(hours=hours)).isoformat(), "pay": {"amount_krw": 12_000},
        "not_a_duplicate": True, **changed,
    }  # fmt: skip


@dataclass(frozen=True)
class JobsDesk:
    """One running jobs service."""

    app: FastAPI
    http: httpx.AsyncClient
    database: Database
    issuer: Issuer
    clock: SetClock

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        as_: str | None = OFFICER,
        key: str | None = None,
        **more: Any,
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token(self.issuer, as_)}"} if as_ else {}
        if method == "POST":
            headers["Idempotency-Key"] = key or uuid4().hex
        return await self.http.request(method, path, json=body, headers=headers | more.pop("headers", {}), **more)

    async def good(self, method: str, path: str, body: object = None, **more: Any) -> Any:
        answer = await self.ask(method, path, body, **more)
        assert answer.is_success, f"{answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def opened(self, *, as_: str = OFFICER, **changed: Any) -> dict[str, Any]:
        made: dict[str, Any] = await self.good("POST", "/postings", shift_draft(**changed), as_=as_)
        return made

    async def claimed(self, posting: dict[str, Any], as_: str, **body: Any) -> dict[str, Any]:
        made: dict[str, Any] = await self.good("POST", f"/postings/{posting['id']}/claims", body, as_=as_)
        return made

    async def posting(self, posting: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = await self.good("GET", f"/postings/{posting['id']}")
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
async def open_jobs(databases: Databases, issuer: Issuer, settings: Settings) -> AsyncIterator[JobsDesk]:
    """The service in this process with its real database, from start to clean stop."""
    url, clock = await databases.migrated("jobs"), SetClock()
    app, database = build(settings, clock), Database(url, pool_size=2)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://jobs", timeout=60) as http,
    ):
        yield JobsDesk(app, http, database, issuer, clock)
    await database.close()
