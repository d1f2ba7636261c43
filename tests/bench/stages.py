"""Where each microsecond of the worker goes: the stages of a batch by themselves, without Kafka and without waiting.

./dev bench stages [--postings 2000] [--citizens 50000] [--fixes 500000] [--batch 4000] [--json OUT]
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from aiokafka import TopicPartition
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from services.matching.alerts.wire import AlertWriter, Written
from services.matching.engine.engine import Engine, Rules
from services.matching.engine.warmup import warm_up
from services.matching.positions.wire import decode
from shared.contracts.location import LOCATIONS
from shared.geo import district
from shared.messaging.partitions import partition_of
from shared.messaging.record_batches import ZSTD, ReadyBatch, RecordBatch, packed, plain_batches
from tests.bench import loading
from tests.bench.workload import Spec, Workload, generate

BATCH_BYTES = 256 * 1024  # as the position intake's producer makes them


def batches_of(work: Workload, now: datetime, most: int) -> list[RecordBatch]:
    """The fixes as Kafka would hold them, batches of all partitions in turn, none of more than `most` fixes."""
    start = now - timedelta(milliseconds=int(work.observed_ms.max()))
    open_: dict[int, list[tuple[bytes, bytes]]] = {p: [] for p in range(LOCATIONS.partitions)}
    partitions = {f"c{n}".encode(): partition_of(f"c{n}", LOCATIONS.partitions) for n in range(work.spec.citizens)}
    made: list[RecordBatch] = []
    for key, body in loading.fix_bodies(work, start, now):
        partition = partitions[key]
        open_[partition].append((key, body))
        held = len(open_[partition])
        if held >= most or held * (len(body) + 120) > BATCH_BYTES:
            made += _built(partition, open_.pop(partition))
            open_[partition] = []
    return made + [batch for partition, rest in open_.items() if rest for batch in _built(partition, rest)]


def _built(partition: int, records: list[tuple[bytes, bytes]]) -> list[RecordBatch]:
    builder = DefaultRecordBatchBuilder(2, ZSTD, 0, -1, -1, 0, BATCH_BYTES * 2)
    for nth, (key, body) in enumerate(records):
        builder.append(nth, 1, key, body, loading.FIX_HEADERS)
    return plain_batches(bytes(builder.build()), TopicPartition(LOCATIONS.name, partition), 0) or []


def in_groups(batches: list[RecordBatch], fixes: int) -> Iterator[list[RecordBatch]]:
    group: list[RecordBatch] = []
    for batch in batches:
        group.append(batch)
        if sum(one.count for one in group) >= fixes:
            yield group
            group = []


class Stopwatch:
    """Seconds of CPU by stage: what others do on the machine is not counted."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        began = time.thread_time()
        yield
        self.spent[name] = self.spent.get(name, 0.0) + time.thread_time() - began


def measured(work: Workload, batch_fixes: int) -> dict[str, Any]:
    now, engine = datetime.now(UTC), Engine(district(), Rules())
    for posting in loading.postings(work, now):
        engine.put_posting(posting, now, look=False)
    for watch in loading.watches(work.spec.citizens, now):
        engine.put_watch(watch, partition_of(watch.citizen_id, LOCATIONS.partitions), now, look=False)
    engine.postings.cells.pack()
    writer, clock = AlertWriter(engine, district()), Stopwatch()
    writer.prepare(np.arange(engine.postings.table.size), now)
    fixes = alerts = size = zipped = 0
    gc.collect()
    gc.freeze()
    for group in in_groups(batches_of(work, now, batch_fixes), batch_fixes):
        with clock.stage("read"):
            read = decode(group).fixes
        with clock.stage("match"):
            matches, _ = engine.take(read, now)
        written = writer.write(matches, read.rows["received_us"], now) if len(matches) else iter(())
        while batch := _next(written, clock):
            with clock.stage("compress"):
                section = packed(batch.records)
            with clock.stage("frame"):
                ReadyBatch(section, batch.alerts, 1, ZSTD).whole(1, 0, 0)
            size, zipped = size + len(batch.records), zipped + len(section)
        fixes, alerts = fixes + len(read), alerts + len(matches)
    per_fix = {stage: round(seconds / fixes * 1e6, 3) for stage, seconds in clock.spent.items()}
    return {
        "us_per_fix": per_fix,
        "us_per_fix_in_all": round(sum(per_fix.values()), 2),
        "alerts_per_fix": round(alerts / fixes, 3),
        "bytes_per_alert": round(size / alerts),
        "compressed": round(zipped / alerts, 1),
    }


def _next(written: Iterator[Written], clock: Stopwatch) -> Written | None:
    with clock.stage("write"):
        return next(written, None)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev bench stages", description=__doc__)
    parser.add_argument("--postings", type=int, default=2_000)
    parser.add_argument("--citizens", type=int, default=50_000)
    parser.add_argument("--fixes", type=int, default=500_000)
    parser.add_argument("--batch", type=int, default=4_000)
    parser.add_argument("--json", metavar="OUT")
    options = parser.parse_args(arguments)
    warm_up(district())
    spec = Spec(options.postings, options.citizens, options.fixes, area=max(1, options.postings // 2_000))
    result = {**vars(spec), "batch": options.batch, **measured(generate(spec), options.batch)}
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=1) + "\n")
    return 0
