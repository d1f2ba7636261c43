"""The three services that publish postings as tests see them: a draft that is good, a real application, its outbox."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI
from sqlalchemy import text

import services.jobs.app
import services.jobs.settings
import services.notices.app
import services.notices.settings
import services.spaces.app
import services.spaces.settings
from shared.clock import Clock, utc_now
from shared.contracts import Posting
from shared.database import Database
from shared.messaging.envelope import open_envelope
from shared.settings import PlatformSettings
from shared.web.problems import MEDIA_TYPE, TYPE_BASE
from tests.databases import Databases
from tests.issuer import Issuer, token
from tests.tap import Tap, first_of_each

NOBODY_LISTENS = "127.0.0.1:1"  # events then stay in the outbox, where a test can read them
SUWAN = {"name": "수완동 작은도서관", "address": "광산구 수완로 1", "lat": 35.1906, "lon": 126.8234}


def hours_on(hours: float) -> str:
    return (utc_now() + timedelta(hours=hours)).isoformat()


def job_draft(**changed: Any) -> dict[str, Any]:
    return {
        "headline": "책 정리 두 시간", "description": "서가 정리를 도와주세요", "place": SUWAN, "interests": ["library"],
        "starts_at": hours_on(2), "ends_at": hours_on(4), "pay": {"amount_krw": 12_000}, "not_a_duplicate": True, **changed,
    }  # fmt: skip


def space_draft(**changed: Any) -> dict[str, Any]:
    return {
        "headline": "수완동 작은 회의실", "description": "빔프로젝터 있음", "place": SUWAN, "interests": ["office"],
        "space_kind": "room", "capacity": 8, "price": {"amount_krw": 2_000, "per": "hour"},
        "accessibility": "휠체어 가능", **changed,
    }  # fmt: skip


def notice_draft(**changed: Any) -> dict[str, Any]:
    return {
        "headline": "수완동 물놀이장 열어요", "body": "7월 1일부터 매일 10시", "topics": ["children"],
        "target": {"circles": [{"lat": 35.1906, "lon": 126.8234}], "dongs": ["2920063700"]}, **changed,
    }  # fmt: skip


@dataclass(frozen=True)
class Service:
    """What differs between the three."""

    name: str
    path: str
    ending: str
    draft: Callable[..., dict[str, Any]]
    settings: type[PlatformSettings]
    build: Callable[..., FastAPI]
    kind: str
    long_text: str
    interests: str = "interests"

    def with_lat(self, lat: object) -> dict[str, Any]:
        """A draft with another latitude, whatever it may be."""
        if self.kind == "notice":
            return self.draft(target={"circles": [{"lat": lat, "lon": 126.8}]})
        return self.draft(place={**SUWAN, "lat": lat})


JOBS = Service("jobs", "/postings", "close", job_draft, services.jobs.settings.Settings,
               services.jobs.app.build, "job", "description")  # fmt: skip
SPACES = Service("spaces", "/spaces", "close", space_draft, services.spaces.settings.Settings,
                 services.spaces.app.build, "space", "description")  # fmt: skip
NOTICES = Service("notices", "/notices", "withdraw", notice_draft, services.notices.settings.Settings,
                  services.notices.app.build, "notice", "body", "topics")  # fmt: skip
PUBLISHERS = (JOBS, SPACES, NOTICES)


class SetClock:
    """The present, until a test moves it."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    @contextmanager
    def at(self, moment: str) -> Iterator[None]:
        """Inside, it is just after that moment."""
        self.ahead = datetime.fromisoformat(moment) - datetime.now(UTC)
        yield
        self.ahead = timedelta()


@dataclass(frozen=True)
class Desk:
    """One running service, and an officer's way of speaking to it."""

    service: Service
    http: httpx.AsyncClient
    database: Database
    issuer: Issuer
    clock: SetClock

    def bearer(self, as_: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token(self.issuer, as_)}"}

    async def post(
        self, draft: object = None, *, as_: str = "officer:수완동", key: str | None = None, raw: bytes | None = None
    ) -> httpx.Response:
        """POST a draft (a good one when left out), or `raw` bytes as they are."""
        headers = self.bearer(as_) | {"Idempotency-Key": key or uuid4().hex, "Content-Type": "application/json"}
        content = raw if raw is not None else json.dumps(self.service.draft() if draft is None else draft).encode()
        return await self.http.post(self.service.path, content=content, headers=headers)

    async def opened(self, *, as_: str = "officer:수완동", **changed: Any) -> dict[str, Any]:
        answer = await self.post(self.service.draft(**changed), as_=as_)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def get(self, id_: object) -> httpx.Response:
        return await self.http.get(f"{self.service.path}/{id_}")

    async def page(self, **query: Any) -> httpx.Response:
        return await self.http.get(self.service.path, params=query)

    async def edit(
        self, id_: object, edit: Mapping[str, Any], version: int | None, *, as_: str = "officer:수완동"
    ) -> httpx.Response:
        named = {} if version is None else {"If-Match": f'"v{version}"'}
        return await self.http.patch(f"{self.service.path}/{id_}", json=edit, headers=self.bearer(as_) | named)

    async def end(
        self, id_: object, reason: str = "다 찼습니다", *, as_: str = "officer:수완동", key: str | None = None
    ) -> httpx.Response:
        headers = self.bearer(as_) | {"Idempotency-Key": key or uuid4().hex}
        url = f"{self.service.path}/{id_}/{self.service.ending}"
        return await self.http.post(url, json={"reason": reason}, headers=headers)

    async def events(self, id_: object) -> list[Posting]:
        """What the outbox holds about one posting, in order."""
        query = text("SELECT payload FROM outbox WHERE aggregate_id = :id ORDER BY id")
        async with self.database.transaction() as tx:
            return [Posting.model_validate_json(row.payload) for row in await tx.execute(query, {"id": str(id_)})]

    async def waiting(self) -> int:
        async with self.database.transaction() as tx:
            return int((await tx.execute(text("SELECT count(*) FROM outbox"))).scalar_one())


@asynccontextmanager
async def open_desk(
    service: Service, databases: Databases, issuer: Issuer, settings: PlatformSettings
) -> AsyncIterator[Desk]:
    """The service in this process with its real database, from start to clean stop."""
    url, clock = await databases.migrated(service.name), SetClock()
    with_clock: Clock = clock
    app = service.build(settings, with_clock)
    database = Database(url, pool_size=2)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://service") as http,
    ):
        yield Desk(service, http, database, issuer, clock)
    await database.close()


def assert_problem(answer: httpx.Response, status: int, slug: str) -> list[dict[str, str]]:
    """Checks that the answer is this problem, as RFC 9457 has it; returns its errors."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    body = answer.json()
    assert (body["type"], body["status"]) == (TYPE_BASE + slug, status)
    assert body["title"]
    errors: list[dict[str, str]] = body.get("errors", [])
    return errors


def broken_rules(answer: httpx.Response) -> set[tuple[str, str]]:
    """The (field, rule) pairs of a 422."""
    return {(error["field"], error["rule"]) for error in assert_problem(answer, 422, "invalid")}


async def told_on_kafka(desk: Desk, tap: Tap, posting_id: str, count: int) -> list[Posting]:
    """What the relay carried to Kafka about one posting, each record a CloudEvent with an id of its own."""
    await tap.wait_for(lambda _: len(tap.of(posting_id)) >= count)
    envelopes = [open_envelope(record) for record in first_of_each(tap.of(posting_id))]
    assert {envelope.source for envelope in envelopes} == {f"/services/{desk.service.name}"}
    return [envelope.data for envelope in envelopes if isinstance(envelope.data, Posting)]
