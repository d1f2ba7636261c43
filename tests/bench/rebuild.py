"""A worker that starts with nothing: how long until it knows all postings and citizens from the topics, and Redis is whole again.

./dev bench rebuild [--postings 200000] [--citizens 100000] [--json OUT]

Citizens have a watch and a fix; where they stand is in the log of fixes alone, for Redis is empty. What /readyz tells meanwhile is
printed as it changes; times are counted from the start of the process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import psutil
from aiokafka import TopicPartition

from deploy.local.stack import Stack
from deploy.local.stack import running as stack_running
from services.matching.engine.session import GROUP
from shared.contracts.location import LOCATIONS
from shared.messaging import kafka, topics
from tests.bench import loading
from tests.bench.engine import cpu_s, engine, metrics
from tests.bench.workload import Spec, Workload, generate

PATIENCE_S = 240.0
Result = dict[str, Any]


async def fill(stack: Stack, work: Workload) -> None:
    """The topics as they would be found; every fix was taken before, so that none is left to take."""
    now = datetime.now(UTC)
    producer = kafka.producer(stack.kafka_url, linger_ms=20)
    await producer.start()
    try:
        await loading.send_events(producer, loading.postings(work, now), now)
        await loading.send_events(producer, loading.watches(work.spec.citizens, now), now)
        await loading.send_fixes(producer, work, now - timedelta(seconds=60))
    finally:
        await producer.stop()
    group = kafka.consumer(stack.kafka_url, group=GROUP)
    group.assign([TopicPartition(LOCATIONS.name, p) for p in range(LOCATIONS.partitions)])
    await group.start()
    try:
        await group.commit(await group.end_offsets(list(group.assignment())))
    finally:
        await group.stop()


def readiness(url: str) -> tuple[bool, str]:
    """Whether the worker is ready, and what it says."""
    try:
        with urlopen(url.replace("/metrics", "/readyz"), timeout=5) as answer:
            return True, str(answer.read().decode())
    except HTTPError as refused:
        return False, str(refused.read().decode())
    except OSError:
        return False, ""


def watched(process: psutil.Process, url: str, work: Workload) -> Result:
    """Until it is ready, and until the last share is back in Redis."""
    began, said, ready_s, asked, slowest_s = time.monotonic(), "", 0.0, 0, 0.0
    while time.monotonic() - began < PATIENCE_S:
        at = time.monotonic()
        ready, text = readiness(url)
        if text:
            asked, slowest_s = asked + 1, max(slowest_s, time.monotonic() - at)
        if text != said:
            said = text
            sys.stderr.write(f"{at - began:6.1f} s  {text[:200]}\n")
        samples = metrics(url)
        if ready and not ready_s:
            ready_s = at - began
        if (
            ready
            and sum(v for name, v in samples.items() if name.startswith("gwangsan_index_rebuilds_total"))
            >= LOCATIONS.partitions
        ):
            break
        time.sleep(0.1)
    return {
        "ready_s": round(ready_s, 1), "redis_whole_s": round(time.monotonic() - began, 1), "worker_cpu_s": round(cpu_s(process), 1),
        "worker_mib": round(process.memory_info().rss / 2**20), "asked_readyz": asked, "slowest_answer_s": round(slowest_s, 2),
        "restored": {
            name.split('"')[1]: value for name, value in samples.items() if name.startswith("gwangsan_restored_records")
        },
    }  # fmt: skip


def run(spec: Spec) -> Result:
    work = generate(spec)
    with stack_running(services=False) as stack:
        asyncio.run(topics.ensure(stack.kafka_url))
        asyncio.run(fill(stack, work))
        with engine(stack) as (process, url):
            result = watched(process, url, work)
    return {"postings": spec.postings, "citizens": spec.citizens, **result}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev bench rebuild", description=__doc__)
    parser.add_argument("--postings", type=int, default=200_000)
    parser.add_argument("--citizens", type=int, default=100_000)
    parser.add_argument("--json", metavar="OUT")
    options = parser.parse_args(arguments)
    area = max(1, options.postings // 2_000)
    result = run(Spec(options.postings, options.citizens, options.citizens, area=area, once=True))
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=1) + "\n")
    return 0 if result["ready_s"] else 1
