"""Matching's API with its real stores, and what reaches its inbox handed in as its worker would."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
from fastapi import FastAPI
from sqlalchemy import text

from services.matching.alerts.handlers import on_alerts, on_postings
from services.matching.app import build
from services.matching.digests.domain import Budget
from services.matching.parts import Parts
from services.matching.settings import Settings
from shared.contracts import Alert, Posting
from shared.database import Database
from shared.messaging.consumer import Unit
from tests.databases import Databases
from tests.issuer import Issuer, token
from tests.publishers import SetClock
from tests.samples import alert


@dataclass(frozen=True)
class MatchingDesk:
    """One running API, and the inbox's handlers beside it."""

    http: httpx.AsyncClient
    database: Database
    settings: Settings
    issuer: Issuer
    clock: SetClock
    app: FastAPI

    @property
    def parts(self) -> Parts:
        made: Parts = self.app.state.parts
        return made

    def bearer(self, as_: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token(self.issuer, as_)}"}

    async def get(self, path: str, as_: str, headers: Mapping[str, str] | None = None, **query: Any) -> httpx.Response:
        return await self.http.get(path, params=query, headers={**self.bearer(as_), **(headers or {})})

    async def consents(self, citizen: str, **settings: Any) -> dict[str, Any]:
        """The citizen agrees to location and says what they want; returns the watch."""
        headers = self.bearer(citizen) | {"Idempotency-Key": uuid4().hex}
        granted = await self.http.post("/consents/location", json={}, headers=headers)
        assert granted.status_code == 201, granted.text
        return await self.wants(citizen, **settings)

    async def wants(self, citizen: str, **settings: Any) -> dict[str, Any]:
        answer = await self.http.put("/watch", json=settings, headers=self.bearer(citizen))
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def posted(self, *postings: Posting) -> None:
        """Postings reach the inbox."""
        async with self.database.transaction() as tx:
            await on_postings(postings, Unit(tx, self.clock()))

    async def alerted(self, *alerts: Alert) -> None:
        """Alerts reach the inbox."""
        async with self.database.transaction() as tx:
            budget = Budget(self.settings.budget_per_day, self.settings.budget_urgent_reserve)
            await on_alerts(alerts, Unit(tx, self.clock()), budget)

    async def tell(self, citizen: str, about: Posting, **changed: Any) -> Alert:
        """One alert about a posting, made now."""
        now = self.clock()
        made = alert(citizen, about, urgent=about.urgent, made_at=now, caused_at=now, **changed)
        await self.alerted(made)
        return made

    async def inbox(self, citizen: str) -> list[dict[str, Any]]:
        answer = await self.get("/inbox", citizen, limit=200)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def mark(self, citizen: str, id_: UUID, **marking: Any) -> httpx.Response:
        return await self.http.patch(f"/inbox/{id_}", json=marking, headers=self.bearer(citizen))

    async def rows(self, query: str, **values: Any) -> Sequence[Any]:
        async with self.database.transaction() as tx:
            return (await tx.execute(text(query), values)).all()

    @property
    def now(self) -> datetime:
        return self.clock()


@asynccontextmanager
async def open_matching(databases: Databases, issuer: Issuer, settings: Settings) -> AsyncIterator[MatchingDesk]:
    """The API in this process with its real database, Redis and broker, from start to clean stop."""
    url, clock = await databases.migrated("matching"), SetClock()
    app = build(settings, clock=clock)
    database = Database(url, pool_size=4)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://matching") as http,
    ):
        yield MatchingDesk(http, database, settings, issuer, clock, app)
    await database.close()
