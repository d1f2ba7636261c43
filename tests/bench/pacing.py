"""Fixes at their pace and postings at once, by librdkafka: who sends and who listens (ear.py) take as little as can be of the
cores of those they measure.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from confluent_kafka import KafkaError, Producer
from numpy.typing import NDArray

from shared.contracts.location import LOCATIONS
from shared.contracts.posting import POSTINGS
from shared.messaging.envelope import body_of
from shared.messaging.partitions import partition_of
from tests.bench import loading
from tests.bench.workload import Workload

LEAD_S, PATIENCE_S = 0.5, 30.0
Headers = list[tuple[str, str | bytes | None]]


@contextmanager
def connected(kafka_url: str, topic: str) -> Iterator[Producer]:
    """Who is about to produce to a topic; all is acknowledged on leaving. Raises RuntimeError if something is refused."""
    refused: list[KafkaError] = []

    def answered(error: KafkaError | None, _: Any) -> None:
        if error is not None:
            refused.append(error)

    producer = Producer({
        "bootstrap.servers": kafka_url, "acks": "all", "linger.ms": 0, "compression.type": "zstd", "on_delivery": answered,
    })  # fmt: skip
    producer.list_topics(topic, PATIENCE_S)
    try:
        yield producer
    finally:
        left = producer.flush(PATIENCE_S)
    if refused or left:
        raise RuntimeError(f"{topic} refused {len(refused)}, {refused[:1]}; {left} were not answered")


def pace(kafka_url: str, work: Workload, rate: int) -> NDArray[np.float64]:
    """Each fix at its time; when each was given to the producer, in seconds since 1970. A citizen's fixes are observed a quarter
    of a minute apart, as in every workload: nobody runs faster than one can.
    """
    sent, fixes, headers = np.zeros(work.spec.fixes), _fixes(work), Headers(loading.FIX_HEADERS)
    gc.collect()
    gc.freeze()  # a look at all that is held would hold up the fixes
    try:
        with connected(kafka_url, LOCATIONS.name) as producer:
            began = time.time() + LEAD_S
            for nth, (citizen, (lat, lon), observed, partition) in enumerate(fixes):
                wait_s = began + nth / rate - time.time()
                if wait_s > 0:
                    time.sleep(wait_s)
                received = datetime.now(UTC).isoformat().encode()
                key, body = loading.fix_body(citizen, lat, lon, observed, received)
                sent[nth] = time.time()
                producer.produce(LOCATIONS.name, body, key, partition, headers=headers)
                producer.poll(0)
    finally:
        gc.unfreeze()
    return sent


def _fixes(work: Workload) -> list[tuple[int, list[float], bytes, int]]:
    started = datetime.now(UTC) - timedelta(milliseconds=int(work.observed_ms.max()))
    observed = [(started + timedelta(milliseconds=ms)).isoformat().encode() for ms in work.observed_ms.tolist()]
    partition = {c: partition_of(f"c{c}", LOCATIONS.partitions) for c in np.unique(work.citizen).tolist()}
    citizens = work.citizen.tolist()
    return list(zip(citizens, work.place.tolist(), observed, [partition[c] for c in citizens], strict=True))


def open_postings(kafka_url: str, places: list[list[float]], first: int) -> float:
    """Open postings at places, numbered from `first`, all at once; when they were sent. Whoever sends is connected by then, as the
    outbox's relay is.
    """
    now = datetime.now(UTC)
    opened = [loading.posting(first + nth, lat, lon, now) for nth, (lat, lon) in enumerate(places)]
    records = [(p.topic_key(), body_of(p), Headers(loading.event_headers(p, now))) for p in opened]
    with connected(kafka_url, POSTINGS.name) as producer:
        began = time.time()
        for key, body, headers in records:
            producer.produce(POSTINGS.name, body, key, partition_of(key, POSTINGS.partitions), headers=headers)
    return began
