"""Put a workload on the topics, and read the alerts back: the same bytes for every system that is measured."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec
import numpy as np
from aiokafka import AIOKafkaProducer, TopicPartition

from services.matching.engine import replay
from shared.contracts import Event, Fix, Posting, Watch
from shared.contracts.alert import ALERTS
from shared.contracts.location import LOCATIONS
from shared.messaging import kafka
from shared.messaging.envelope import body_of, headers_of, kafka_headers
from tests.bench.workload import Ints, Workload

KINDS = ("job", "space", "notice")
Record = tuple[str, bytes, list[tuple[str, bytes]]]


def posting_id(number: int) -> UUID:
    return uuid5(NAMESPACE_URL, f"urn:gwangsan:bench:{number}")


def postings(work: Workload, now: datetime) -> Iterable[Posting]:
    for number, (lat, lon) in enumerate(work.posting.tolist()):
        yield posting(number, lat, lon, now)


def posting(number: int, lat: float, lon: float, now: datetime) -> Posting:
    return Posting.model_validate({
        "id": posting_id(number), "kind": KINDS[number % 3], "version": 1, "status": "open",
        "where": {"circles": [{"lat": lat, "lon": lon, "radius_m": 700}]}, "headline": f"표본 {number:06d}",
        "institution": "표본 기관", "expires_at": now + timedelta(days=1), "link": f"/bench/{number}", "changed_at": now,
    })  # fmt: skip


def watches(citizens: int, now: datetime) -> Iterable[Watch]:
    for number in range(citizens):
        yield Watch(citizen_id=f"c{number}", version=1, consent_epoch=1, located=True, changed_at=now)


def fix_bodies(work: Workload, started: datetime, received: datetime) -> Iterable[tuple[bytes, bytes]]:
    """(key, body) of every fix, as the API writes them; made by hand because half a million models would take a minute."""
    stamp = received.isoformat().encode()
    times = {
        ms: (started + timedelta(milliseconds=ms)).isoformat().encode() for ms in np.unique(work.observed_ms).tolist()
    }
    for citizen, (lat, lon), ms in zip(
        work.citizen.tolist(), work.place.tolist(), work.observed_ms.tolist(), strict=True
    ):
        yield fix_body(citizen, lat, lon, times[ms], stamp)


def fix_body(citizen: int, lat: float, lon: float, observed: bytes, received: bytes) -> tuple[bytes, bytes]:
    key = b"c%d" % citizen
    form = b'{"citizen_id":"%b","lat":%.6f,"lon":%.6f,"accuracy_m":5.0,"observed_at":"%b","received_at":"%b","consent_epoch":1}'
    return key, form % (key, lat, lon, observed, received)


FIX_HEADERS = [("ce_type", Fix.TYPE.encode()), ("ce_source", b"/bench"), ("ce_id", b"0" * 36)]


def event_headers(event: Event, now: datetime) -> list[tuple[str, bytes]]:
    return kafka_headers(headers_of(event, event_id=uuid5(NAMESPACE_URL, event.topic_key()), source="/bench", time=now))


async def send_events(producer: AIOKafkaProducer, events: Iterable[Event], now: datetime) -> None:
    pending = []
    for event in events:
        headers, key = event_headers(event, now), event.topic_key().encode()
        pending.append(await producer.send(event.TOPIC, body_of(event), key=key, headers=headers))
        if len(pending) >= 5_000:
            await asyncio.gather(*pending)
            pending.clear()
    await asyncio.gather(*pending)


async def send_fixes(producer: AIOKafkaProducer, work: Workload, started: datetime) -> None:
    now = datetime.now(UTC)
    headers = [*FIX_HEADERS, ("ce_time", now.isoformat().encode())]
    pending = []
    for key, body in fix_bodies(work, started, now):
        pending.append(await producer.send(LOCATIONS.name, body, key=key, headers=headers))
        if len(pending) >= 10_000:
            await asyncio.gather(*pending)
            pending.clear()
    await asyncio.gather(*pending)


class Told(msgspec.Struct, gc=False):
    citizen_id: str
    posting_id: UUID


async def told_pairs(kafka_url: str, work: Workload) -> Ints:
    """Every alert on the topic as citizen << 32 | posting, repeats included."""
    number = {posting_id(i): i for i in range(len(work.posting))}
    partitions = [TopicPartition(ALERTS.name, p) for p in range(ALERTS.partitions)]
    consumer = kafka.consumer(kafka_url, group=None, max_records=5_000)
    consumer.assign(partitions)
    await consumer.start()
    decode, pairs = msgspec.json.Decoder(Told).decode, []
    try:
        async for record in replay.to_end(consumer, partitions):
            told = decode(record.value)
            pairs.append(int(told.citizen_id[1:]) << 32 | number[told.posting_id])
    finally:
        await consumer.stop()
    return np.array(pairs, np.int64)
