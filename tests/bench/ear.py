"""Hears alerts in a process of its own and notes when each came: `python -m tests.bench.ear KAFKA POSTINGS OUT`.

What is noted is taken apart at the end, so that hearing costs as little as it can while others are measured.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import uvloop

from shared.messaging import kafka
from shared.messaging.record_batches import BatchConsumer, Item, opened
from tests.bench import loading
from tests.bench.arena import PARTITIONS, Told


async def listen(kafka_url: str) -> list[tuple[float, Item]]:
    """From the beginning until the input ends; `ready` once it hears."""
    consumer = kafka.consumer(kafka_url, group=None)
    consumer.assign(PARTITIONS)
    await consumer.start()
    batches, heard = BatchConsumer(consumer), list[tuple[float, Item]]()
    gc.disable()  # nothing of what is noted is garbage, and a look at it all would hold up what comes
    over = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    try:
        while not over.done():
            taken = await batches.take(5_000, 0.2)
            at = time.time()
            heard += [(at, item) for items in taken.values() for item in items]
    finally:
        await consumer.stop()
    return heard


def main(kafka_url: str, postings: int, out: Path) -> None:
    heard = uvloop.run(listen(kafka_url))
    number = {str(loading.posting_id(i)): i for i in range(postings)}
    decode, pairs, at = msgspec.json.Decoder(Told).decode, [], []
    for moment, item in heard:
        for record in opened([item]):
            told = decode(record.value)
            posting = told.posting_id or told.hook[2:]
            pairs.append(int((told.citizen_id or told.id)[1:]) << 32 | number.get(posting, postings))
            at.append(moment)
    np.savez(out, pairs=np.array(pairs, np.int64), at=np.array(at))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
