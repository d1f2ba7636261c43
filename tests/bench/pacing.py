"""Paced fixes, by librdkafka: who paces and who listens (ear.py) take as little as can be of the cores of those they measure."""

from __future__ import annotations

import gc
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from confluent_kafka import KafkaError, Producer
from numpy.typing import NDArray

from shared.contracts.location import LOCATIONS
from shared.messaging.partitions import partition_of
from tests.bench import loading
from tests.bench.workload import Workload

LEAD_S, PATIENCE_S = 0.5, 30.0
HEADERS = list[tuple[str, str | bytes | None]](loading.FIX_HEADERS)


def pace(kafka_url: str, work: Workload, rate: int) -> NDArray[np.float64]:
    """Each fix at its time; when each was given to the producer, in seconds since 1970. A citizen's fixes are observed a quarter
    of a minute apart, as in every workload: nobody runs faster than one can. Raises RuntimeError if one is refused.
    """
    refused: list[KafkaError] = []

    def answered(error: KafkaError | None, _: Any) -> None:
        if error is not None:
            refused.append(error)

    producer = Producer({
        "bootstrap.servers": kafka_url, "enable.idempotence": True, "linger.ms": 0, "compression.type": "zstd",
        "on_delivery": answered,
    })  # fmt: skip
    producer.list_topics(LOCATIONS.name, PATIENCE_S)
    sent, fixes = np.zeros(work.spec.fixes), _fixes(work)
    gc.collect()
    gc.freeze()  # a look at all that is held would hold up the fixes
    try:
        began = time.time() + LEAD_S
        for nth, (citizen, (lat, lon), observed, partition) in enumerate(fixes):
            wait_s = began + nth / rate - time.time()
            if wait_s > 0:
                time.sleep(wait_s)
            received = datetime.now(UTC).isoformat().encode()
            key, body = loading.fix_body(citizen, lat, lon, observed, received)
            sent[nth] = time.time()
            producer.produce(LOCATIONS.name, body, key, partition, headers=HEADERS)
            producer.poll(0)
    finally:
        gc.unfreeze()
        left = producer.flush(PATIENCE_S)
    if refused or left:
        raise RuntimeError(f"fixes were refused: {len(refused)}, {refused[:1]}; {left} were not answered")
    return sent


def _fixes(work: Workload) -> list[tuple[int, list[float], bytes, int]]:
    started = datetime.now(UTC) - timedelta(milliseconds=int(work.observed_ms.max()))
    observed = [(started + timedelta(milliseconds=ms)).isoformat().encode() for ms in work.observed_ms.tolist()]
    partition = {c: partition_of(f"c{c}", LOCATIONS.partitions) for c in np.unique(work.citizen).tolist()}
    citizens = work.citizen.tolist()
    return list(zip(citizens, work.place.tolist(), observed, [partition[c] for c in citizens], strict=True))
