"""The spaces service as tests speak to it: officers, citizens, a clock that tests move, and the events in its outbox."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI
from sqlalchemy import text

from services.spaces.app import build
from services.spaces.clockwork import do_chores
from services.spaces.parts import SpacesParts
from services.spaces.settings import Settings
from shared.contracts import EVENT_BY_TYPE, Event
from shared.contracts.space import BookingChanged
from shared.database import Database
from tests.databases import Databases
from tests.issuer import Issuer, token
from tests.jobs import tomorrow_at
from tests.publishers import SetClock, space_draft

OFFICER = "officer:수완동"
HANEUL, BADA, NURI, GAON = "citizen:하늘", "citizen:바다", "citizen:누리", "citizen:가온"
OVERLAPS = text("""
    SELECT count(*) FROM booking a JOIN booking b ON a.unit_id = b.unit_id AND a.id < b.id AND a.occupied && b.occupied
    WHERE a.state IN ('held', 'pending', 'confirmed', 'in_use', 'done')
    AND b.state IN ('held', 'pending', 'confirmed', 'in_use', 'done')
""")


def span(days: int = 2, hour: float = 10, hours: float = 1) -> dict[str, str]:
    """A time some Korean days on, as a body has it."""
    starts_at = tomorrow_at(hour, days=days)
    return {"starts_at": starts_at.isoformat(), "ends_at": (starts_at + timedelta(hours=hours)).isoformat()}


def minutes_after(moment: str, minutes: float) -> str:
    return (datetime.fromisoformat(moment) + timedelta(minutes=minutes)).isoformat()


@dataclass(frozen=True)
class SpacesDesk:
    """One running spaces service."""

    app: FastAPI
    http: httpx.AsyncClient
    database: Database
    issuer: Issuer
    clock: SetClock

    @property
    def parts(self) -> SpacesParts:
        made: SpacesParts = self.app.state.parts
        return made

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
        made: dict[str, Any] = await self.good("POST", "/spaces", space_draft(**changed), as_=as_)
        return made

    async def hold(self, space: dict[str, Any], as_: str, **body: Any) -> httpx.Response:
        return await self.ask("POST", f"/spaces/{space['id']}/bookings", {**span(), **body}, as_=as_)

    async def held(self, space: dict[str, Any], as_: str, **body: Any) -> dict[str, Any]:
        answer = await self.hold(space, as_, **body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def booked(self, space: dict[str, Any], as_: str, **body: Any) -> dict[str, Any]:
        made = await self.held(space, as_, **body)
        return await self.does(made, "confirm", as_)

    async def does(self, booking: dict[str, Any], act: str, as_: str, body: object = None) -> dict[str, Any]:
        after: dict[str, Any] = await self.good("POST", f"/bookings/{booking['id']}/{act}", body, as_=as_)
        return after

    async def booking(self, booking: dict[str, Any], as_: str) -> dict[str, Any]:
        found: dict[str, Any] = await self.good("GET", f"/bookings/{booking['id']}", as_=as_)
        return found

    async def chores(self) -> int:
        return await do_chores(self.parts)

    async def events(self, about: object, *types: type[Event]) -> list[Any]:
        """What the outbox holds about something, in order; of these types, if any are named."""
        query = text("SELECT payload, headers->>'ce_type' AS type FROM outbox WHERE aggregate_id = :id ORDER BY id")
        async with self.database.transaction() as tx:
            rows = list(await tx.execute(query, {"id": str(about)}))
        events = [EVENT_BY_TYPE[row.type].model_validate(json.loads(row.payload)) for row in rows]
        return [event for event in events if not types or isinstance(event, types)]

    async def told(self, booking: dict[str, Any]) -> list[str]:
        """The states of a booking that were told, in order."""
        events = await self.events(booking["space_id"], BookingChanged)
        return [event.state for event in events if str(event.id) == booking["id"]]

    async def rows(self, query: str, **values: Any) -> list[Any]:
        async with self.database.transaction() as tx:
            return list(await tx.execute(text(query), values))

    async def rows_of_closure(self, space: dict[str, Any], starts_at: datetime, ends_at: datetime) -> None:
        """A closure, straight into the table of calendars: no booking is looked at."""
        statement = text(
            "INSERT INTO closure (id, space_id, starts_at, ends_at, reason, source, made_by, made_at) "
            "VALUES (gen_random_uuid(), :space, :since, :until, '청소', 'officer', 'officer:1', now())"
        )
        async with self.database.transaction() as tx:
            await tx.execute(statement, {"space": space["id"], "since": starts_at, "until": ends_at})

    async def declare_holiday(self, day: date, name: str) -> None:
        """A public holiday, straight into the table of calendars."""
        statement = text(
            "INSERT INTO declared_holiday (day, name, declared_by, declared_at) VALUES (:day, :name, 'admin', now())"
        )
        async with self.database.transaction() as tx:
            await tx.execute(statement, {"day": day, "name": name})

    async def overlaps(self) -> int:
        """Pairs of bookings that stand in each other's way: there may never be one."""
        async with self.database.transaction() as tx:
            return int((await tx.execute(OVERLAPS)).scalar_one())


@asynccontextmanager
async def open_spaces(databases: Databases, issuer: Issuer, settings: Settings) -> AsyncIterator[SpacesDesk]:
    """The service in this process with its real database, from start to clean stop."""
    url, clock = await databases.migrated("spaces"), SetClock()
    app, database = build(settings, clock), Database(url, pool_size=2)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://spaces", timeout=60) as http,
    ):
        yield SpacesDesk(app, http, database, issuer, clock)
    await database.close()
