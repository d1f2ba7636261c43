"""Hears alerts in a process of its own and notes when each came: `python -m tests.bench.ear KAFKA POSTINGS OUT`.

By librdkafka, and what is noted is taken apart at the end, so that hearing costs as little as it can while others are measured.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
from pathlib import Path

import msgspec
import numpy as np
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from shared.contracts.alert import ALERTS
from tests.bench import loading
from tests.bench.arena import Told

LOOK_EVERY_S = 0.2


def listen(kafka_url: str) -> list[tuple[float, bytes]]:
    """From the beginning until the input ends; `ready` once it hears."""
    consumer = Consumer({
        "bootstrap.servers": kafka_url, "group.id": "bench-ear", "enable.auto.commit": False, "fetch.min.bytes": 1,
    })  # fmt: skip
    consumer.assign([TopicPartition(ALERTS.name, p, OFFSET_BEGINNING) for p in range(ALERTS.partitions)])
    heard = list[tuple[float, bytes]]()
    gc.disable()  # nothing of what is noted is garbage, and a look at it all would hold up what comes
    over = threading.Thread(target=sys.stdin.read, daemon=True)
    over.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    try:
        while over.is_alive():
            message = consumer.poll(LOOK_EVERY_S)
            if message is None:
                continue
            if error := message.error():
                raise KafkaException(error)
            heard.append((time.time(), message.value() or b""))
    finally:
        consumer.close()
    return heard


def main(kafka_url: str, postings: int, out: Path) -> None:
    heard = listen(kafka_url)
    number = {str(loading.posting_id(i)): i for i in range(postings)}
    decode, pairs = msgspec.json.Decoder(Told).decode, []
    for _, body in heard:
        told = decode(body)
        posting = told.posting_id or told.hook[2:]
        pairs.append(int((told.citizen_id or told.id)[1:]) << 32 | number.get(posting, postings))
    np.savez(out, pairs=np.array(pairs, np.int64), at=np.array([at for at, _ in heard]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
