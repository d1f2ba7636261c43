"""Before and after the replay: offers are opened and closed, citizens consent and withdraw, all through the public API."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

from demo.client import Api
from demo.offers import OFFICER, Offer
from demo.people import AWAKE, Person
from demo.tally import Opened, Tally, each
from deploy.local.errors import LocalError
from shared.contracts.watch import WATCHES
from shared.messaging.partitions import partition_of

KNOWN_WITHIN_S = 60.0
LOOK_EVERY_S = 0.25


class Stage:
    """Everything the run sets up, so that it can be cleared away again whatever happened."""

    def __init__(self, api: Api, tally: Tally, run: str) -> None:
        self._api, self._tally, self._run = api, tally, run
        self._consenting: list[str] = []
        self._scout = f"citizen:demo-{run}-scout"

    async def open_all(self, offers: list[Offer]) -> None:
        """Offers that are open before anybody moves."""
        await each(self._tally, "게시물 올리기 opening postings", offers, self._open_early, 8)

    async def _open_early(self, offer: Offer) -> None:
        await self.open(offer, during_run=False)

    async def open(self, offer: Offer, *, during_run: bool) -> None:
        """One offer, as an officer; returns when the matching index shows it."""
        asked_at = time.time()
        answer = await self._api.call("POST", offer.path, OFFICER, offer.body)
        opened = Opened(offer, answer["id"], asked_at, float("inf"), during_run)
        self._tally.add(opened)
        deadline = time.monotonic() + KNOWN_WITHIN_S
        while not await self._is_known(opened):
            if time.monotonic() > deadline:
                raise LocalError(
                    f"게시물이 {KNOWN_WITHIN_S:.0f}초 안에 매칭에 닿지 않았습니다.",
                    f"A posting did not reach matching within {KNOWN_WITHIN_S:.0f} s; see ./dev status.",
                )
            await asyncio.sleep(LOOK_EVERY_S)
        opened.known_at = time.time()

    async def _is_known(self, opened: Opened) -> bool:
        lat, lon = opened.offer.at
        path = "/api/matching/nearby"
        scout = f"{self._scout}-{opened.id[:4]}"  # one alone would ask from too many places (M10)
        answer = await self._api.call("GET", path, scout, lat=lat, lon=lon, radius_m=50)
        return any(item["posting"]["id"] == opened.id for item in answer["items"])

    async def welcome(self, people: list[Person]) -> None:
        """Consent and settings of every citizen, and proof that matching has read them all."""
        await each(self._tally, "시민 동의·설정 consent and settings", people, self._welcome_one)
        await self._wait_until_read()

    async def _welcome_one(self, person: Person) -> None:
        await self._consent(person.who)
        await self._api.call("PUT", "/api/matching/watch", person.who, person.watch)

    async def _consent(self, who: str) -> None:
        self._consenting.append(who)
        await self._api.call("POST", "/api/matching/consents/location", who, {})

    async def _wait_until_read(self) -> None:
        """A last citizen for each partition stands beside an open posting: who comes after all others and is told of it
        proves that matching has read the others too."""
        target = next(opened for opened in self._tally.opened if not opened.during_run)
        names: dict[int, str] = {}
        number = 0
        while len(names) < WATCHES.partitions:
            who = f"citizen:demo-{self._run}-last-{number}"
            names.setdefault(partition_of(who, WATCHES.partitions), who)
            number += 1

        async def stand(who: str) -> None:
            await self._consent(who)
            old_enough = {"birth_year": 1940, **AWAKE}
            await self._api.call("PUT", "/api/matching/watch", who, old_enough)
            await self._until_told(who, target)

        await each(self._tally, "매칭 준비 확인 waiting for matching", names.values(), stand, len(names))

    async def _until_told(self, who: str, target: Opened) -> None:
        lat, lon = target.offer.at
        fix = {"lat": lat, "lon": lon, "accuracy_m": 10, "observed_at": datetime.now(UTC).isoformat()}
        await self._api.call("POST", "/api/matching/positions", who, {"fixes": [fix]})
        deadline = time.monotonic() + KNOWN_WITHIN_S
        while time.monotonic() < deadline:
            page = await self._api.call("GET", "/api/matching/inbox", who, limit=200)
            if any(item["posting_id"] == target.id for item in page["items"]):
                return
            await asyncio.sleep(LOOK_EVERY_S)
        raise LocalError(
            f"알림이 {KNOWN_WITHIN_S:.0f}초 안에 오지 않았습니다: 매칭이 돌고 있는지 ./dev status로 확인하세요.",
            f"A citizen beside a posting was not told within {KNOWN_WITHIN_S:.0f} s: see ./dev status.",
        )

    async def clear(self) -> None:
        """Close what was opened and withdraw every consent."""
        await each(self._tally, "게시물 닫기 closing postings", self._tally.opened, self._close, 8)
        await each(self._tally, "동의 철회 withdrawing consents", self._consenting, self._withdraw)

    async def _close(self, opened: Opened) -> None:
        reason = {"reason": "재생이 끝났습니다 (표본)"}
        await self._api.call("POST", opened.offer.close_path.format(opened.id), OFFICER, reason)

    async def _withdraw(self, who: str) -> None:
        await self._api.call("DELETE", "/api/matching/consents/location", who)
