"""A crowd that walks about real matching processes, and the truth about whom they must tell, by brute force."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from aiokafka import AIOKafkaProducer, TopicPartition

from deploy.local import ports
from services.matching.engine.session import GROUP
from services.matching.settings import Settings
from shared.contracts import Posting
from shared.contracts.location import LOCATIONS
from shared.messaging import kafka
from shared.messaging.envelope import body_of, headers_of, kafka_headers
from tests.desk_of_matching import MatchingDesk
from tests.engines import north_of
from tests.matching_model import metres_between
from tests.processes import Nursery, Running
from tests.samples import posting
from tests.waiting import until

Point = tuple[float, float]
Told = set[tuple[str, UUID]]
STEPS, STEP_S, REACH_M = 60, 3, 3_000
DEADLINE_S = 60.0


@dataclass
class Crowd:
    """Citizens with their walks; each walk ends about now, so that no step is too old to match."""

    desk: MatchingDesk
    producer: AIOKafkaProducer
    offers: list[Posting] = field(default_factory=list)
    walks: dict[str, list[Point]] = field(default_factory=dict)

    async def gathers(self, citizens: int, seed: int) -> None:
        """Everybody consents and has a walk of so many steps of at most 150 m, north and south."""
        dice = random.Random(seed)
        for _ in range(citizens):
            citizen, metres = f"citizen:{uuid4().hex[:10]}", dice.uniform(-REACH_M, REACH_M)
            self.walks[citizen] = []
            for _ in range(STEPS):
                metres = max(-REACH_M, min(REACH_M, metres + dice.uniform(-150, 150)))
                self.walks[citizen].append(north_of(metres))
        await asyncio.gather(*(self.desk.consents(citizen) for citizen in self.walks))
        await until(self._relayed, 30, what="the settings reach the engine before the first fix")

    async def _relayed(self) -> bool:
        return not await self.desk.rows("SELECT 1 FROM outbox LIMIT 1")

    async def opens(self, count: int, seed: int, **changed: Any) -> list[Posting]:
        """Postings somewhere along the walks."""
        dice = random.Random(seed)
        made = [
            posting(
                where={"circles": [dict(zip(("lat", "lon"), north_of(dice.uniform(-REACH_M, REACH_M)), strict=True), radius_m=200)]},
                kind="notice", starts_at=None, ends_at=None, changed_at=self.desk.now,
                expires_at=self.desk.now + timedelta(days=1), **changed,
            )
            for _ in range(count)
        ]  # fmt: skip
        await self.publish(made)
        self.offers += made
        return made

    async def publish(self, postings: Iterable[Posting]) -> None:
        for offer in postings:
            headers = headers_of(offer, event_id=uuid4(), source="/tests", time=self.desk.now)
            key = offer.topic_key().encode()
            await self.producer.send(offer.TOPIC, body_of(offer), key=key, headers=kafka_headers(headers))
        await self.producer.flush()

    async def walk(self, first: int, last: int, at_once: int = 10) -> None:
        """The steps from first to last of everybody, through the API, some at a time."""
        for start in range(first, last, at_once):
            await asyncio.gather(*(self._send(citizen, start, min(last, start + at_once)) for citizen in self.walks))

    async def _send(self, citizen: str, first: int, last: int) -> None:
        steps = self.walks[citizen]
        ends = self.started + timedelta(seconds=STEP_S * (first - len(steps)))
        fixes = [
            {
                "lat": lat,
                "lon": lon,
                "accuracy_m": 5,
                "observed_at": (ends + timedelta(seconds=STEP_S * nth)).isoformat(),
            }
            for nth, (lat, lon) in enumerate(steps[first:last])
        ]
        answer = await self.desk.http.post("/positions", json={"fixes": fixes}, headers=self.desk.bearer(citizen))
        assert (answer.status_code, answer.json()["refused"]) == (202, 0), answer.text

    def __post_init__(self) -> None:
        self.started = self.desk.now

    def expected(self, offers: Sequence[Posting], since: int = 0, until: int | None = None) -> Told:
        """Everybody who at one of these steps stood in a circle."""
        return {
            (citizen, offer.id)
            for citizen, steps in self.walks.items()
            for offer in offers
            for circle in offer.where.circles
            if any(metres_between(*step, circle.lat, circle.lon) <= circle.radius_m for step in steps[since:until])
        }

    async def told(self) -> Told:
        """Of this crowd's postings: others are still open on the same street."""
        query = (
            "SELECT citizen_id, posting_id FROM inbox_item WHERE citizen_id = ANY(:crowd) AND posting_id = ANY(:offers)"
        )
        rows = await self.desk.rows(query, crowd=list(self.walks), offers=[offer.id for offer in self.offers])
        assert max(Counter(map(tuple, rows)).values(), default=1) == 1, "told twice"
        return {(row.citizen_id, row.posting_id) for row in rows}

    async def shown(self) -> set[UUID] | None:
        """This crowd's postings as somebody finds them by asking where they are; None while that cannot be told of one."""
        asking, found = next(reversed(self.walks)), set[UUID]()
        for offer in self.offers:
            circle = offer.where.circles[0]
            answer = await self.desk.get("/nearby", asking, lat=circle.lat, lon=circle.lon, radius_m=100)
            if answer.status_code != 200:
                return None
            found |= {UUID(item["posting"]["id"]) for item in answer.json()["items"]}
        return found & {offer.id for offer in self.offers}

    async def hears(self, expected: Told) -> None:
        """Sooner or later exactly these are told."""

        async def enough() -> bool:
            return expected <= await self.told()

        with contextlib.suppress(AssertionError):
            await until(enough, DEADLINE_S)
        told = await self.told()
        missing, unexpected = self.steps_of(expected - told), self.steps_of(told - expected)
        assert not missing, f"{len(missing)} of {len(expected)} missing: {missing[:5]}"
        assert not unexpected

    async def all_taken(self) -> None:
        """Every fix is behind the engine for good: who reads on begins after the last."""
        where = [TopicPartition(LOCATIONS.name, partition) for partition in range(LOCATIONS.partitions)]
        consumer = kafka.consumer(self.desk.settings.kafka_url, group=GROUP)
        await consumer.start()
        try:
            ends = await consumer.end_offsets(where)

            async def committed() -> bool:
                return all([(await consumer.committed(tp) or 0) >= ends[tp] for tp in where])

            await until(committed, 30, what="the engine's offsets reach the end of the fixes")
        finally:
            await consumer.stop()

    def steps_of(self, pairs: Told) -> list[tuple[str, UUID, list[int]]]:
        """Pairs with the steps at which the citizen stood there, to find a fault by."""
        there = [self.expected(self.offers, nth, nth + 1) if pairs else set() for nth in range(STEPS)]
        return [(*pair, [nth for nth in range(STEPS) if pair in there[nth]]) for pair in sorted(pairs)]


@asynccontextmanager
async def crowd_of(desk: MatchingDesk) -> AsyncIterator[Crowd]:
    producer = kafka.producer(desk.settings.kafka_url)
    await producer.start()
    try:
        yield Crowd(desk, producer)
    finally:
        await producer.stop()


@dataclass(frozen=True)
class Workers:
    """Starts engines and inboxes as processes."""

    children: Nursery
    settings: Settings

    def start(self, name: str) -> Running:
        told = self.settings.model_copy(update={"port": ports.pick(None, ())})
        return self.children.start("tests.integration.matching_process", name, told.model_dump_json())
