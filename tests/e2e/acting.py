"""A visitor of the first page, and an officer who works through the public API meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
from playwright.async_api import Browser, ConsoleMessage, Page, Request, expect

from shared.clock import SEOUL

START = (35.191759, 126.817265)  # where the page puts the sample citizen, in 수완동
DEADLINE_MS = 15_000

expect.set_options(timeout=DEADLINE_MS)


@dataclass
class Visit:
    """One page in a browser context of its own; `requests` holds what it asked for, `told` what the console complained of."""

    page: Page
    url: str
    citizen: str
    requests: list[Request] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    errors_expected: bool = False

    @classmethod
    async def begin(cls, url: str, browser: Browser, **look: Any) -> Visit:
        look = {"viewport": {"width": 1280, "height": 800}, "locale": "ko-KR", "reduced_motion": "reduce", **look}
        context = await browser.new_context(**look)
        page = await context.new_page()
        page.set_default_timeout(DEADLINE_MS)
        visit = cls(page, url, f"sample-{uuid4().hex[:8]}")
        page.on("request", lambda request: visit.requests.append(request))
        page.on("console", visit._console)
        page.on("pageerror", lambda error: visit.told.append(str(error)))
        return visit

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.told.append(message.text)

    async def open(self) -> Page:
        """The page, drawn and signed in."""
        await self.page.goto(f"{self.url}/?citizen={self.citizen}")
        await expect(self.page.locator("path.dong")).to_have_count(21)
        await expect(self.page.locator("#consent, #withdraw, #token")).to_be_visible()
        return self.page

    async def consent(self) -> None:
        await self.page.click("#consent")
        await expect(self.page.locator("#withdraw")).to_be_visible()
        await expect(self.page.locator("#live")).to_have_attribute("data-state", "live")

    def sent(self, path: str) -> list[Request]:
        return [request for request in self.requests if path in request.url]

    async def end(self) -> None:
        await self.page.context.close()
        if not self.errors_expected:
            assert self.told == []


class Officer:
    """Posts, edits and closes jobs as an institution does."""

    def __init__(self, url: str, institution: str = "광산 시험기관") -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=20)
        self._institution = institution

    async def __aenter__(self) -> Officer:
        answer = await self._client.post("/auth/token", json={"as": f"officer:{self._institution}"})
        self._client.headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['access_token']}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def post(
        self, headline: str, *, north_m: float = 0, lat: float = START[0], lon: float = START[1], urgent: bool = False
    ) -> dict[str, Any]:
        """A job at 14–17 tomorrow in Korea, so many metres north of the place."""
        starts = (datetime.now(SEOUL) + timedelta(days=1)).replace(hour=14, minute=0, second=0, microsecond=0)
        draft = {
            "headline": headline,
            "place": {"name": "시험 장소", "lat": lat + north_m / 111_195, "lon": lon},
            "starts_at": starts.isoformat(),
            "ends_at": (starts + timedelta(hours=3)).isoformat(),
            "pay": {"amount_krw": 12_000, "per": "hour"},
            "urgent": urgent,
            "not_a_duplicate": True,
        }
        return await self._created("/api/jobs/postings", draft)

    async def edit(self, job: dict[str, Any], **changes: Any) -> dict[str, Any]:
        headers = {"If-Match": f'"v{job["version"]}"'}
        answer = await self._client.patch(f"/api/jobs/postings/{job['id']}", json=changes, headers=headers)
        edited: dict[str, Any] = answer.raise_for_status().json()
        return edited

    async def close(self, job: dict[str, Any], reason: str) -> dict[str, Any]:
        return await self._created(f"/api/jobs/postings/{job['id']}/close", {"reason": reason})

    async def _created(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self._client.post(path, json=body, headers={"Idempotency-Key": uuid4().hex})
        made: dict[str, Any] = answer.raise_for_status().json()
        return made
