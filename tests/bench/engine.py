"""One matching worker, Kafka in and Kafka out: how many fixes a second it takes in, and what each costs in CPU.

./dev bench engine [--postings 2000] [--citizens 50000] [--fixes 500000] [--json OUT]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import urlopen

import psutil

from deploy.local import ports
from deploy.local.home import ROOT
from deploy.local.stack import Stack, running
from shared.messaging import kafka, topics
from tests.bench import loading
from tests.bench.workload import Spec, Workload, generate, truth

READY_WITHIN_S = 120.0
IDLE_S = 3.0


@contextmanager
def engine(stack: Stack) -> Iterator[tuple[psutil.Process, str]]:
    """An engine worker of its own process, and the address of its metrics."""
    port = ports.pick(None, ())
    log = (Path(stack.home) / "bench-engine.log").open("wb")
    child = subprocess.Popen(
        [sys.executable, "-m", "services.matching.worker", "engine"], cwd=ROOT, stdout=log, stderr=log,
        env={**stack.env(), "GWANGSAN_PORT": str(port), "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    try:
        yield psutil.Process(child.pid), f"http://127.0.0.1:{port}/metrics"
    finally:
        child.terminate()
        child.wait(30)
        log.close()


def metrics(url: str) -> dict[str, float]:
    """Samples by name with labels; empty while the worker is not up yet."""
    try:
        with urlopen(url, timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return {}
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line and line[0] != "#")}


def taken(samples: dict[str, float]) -> float:
    return sum(value for name, value in samples.items() if name.startswith("gwangsan_fixes_total"))


def cpu_s(process: psutil.Process) -> float:
    with process.oneshot():
        times = process.cpu_times()
    return float(times.user + times.system)


def measure(url: str, total: int, watched: dict[str, psutil.Process]) -> dict[str, float]:
    """From the first batch seen done to the last: rate and CPU seconds of each process."""
    first: tuple[float, float, dict[str, float]] | None = None
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        now, done = time.monotonic(), taken(metrics(url))
        if done > 0 and first is None:
            first = now, done, {name: cpu_s(p) for name, p in watched.items()}
        if done >= total and first is not None:
            began, before, cpu = first
            seconds, fixes = now - began, done - before
            spent = {f"cpu_s_{name}": round(cpu_s(p) - cpu[name], 2) for name, p in watched.items()}
            return {
                "seconds": seconds,
                "fixes_per_s": fixes / seconds,
                "cpu_us_per_fix": sum(spent.values()) / fixes * 1e6,
                **spent,
            }
        time.sleep(0.05)
    raise TimeoutError(f"only {taken(metrics(url)):.0f} of {total} fixes were taken in")


async def load(stack: Stack, work: Workload) -> None:
    now = datetime.now(UTC)
    producer = kafka.producer(stack.kafka_url, linger_ms=20)
    await producer.start()
    try:
        await loading.send_events(producer, loading.postings(work, now), now)
        await loading.send_events(producer, loading.watches(work.spec.citizens, now), now)
        await loading.send_fixes(producer, work, now - timedelta(milliseconds=int(work.observed_ms.max())))
    finally:
        await producer.stop()


def run(spec: Spec) -> dict[str, object]:
    """One measurement on a stack of its own."""
    work = generate(spec)
    with running(services=False) as stack:
        asyncio.run(topics.ensure(stack.kafka_url))
        asyncio.run(load(stack, work))
        watched = {name: psutil.Process(stack.processes.pid(name)) for name in ("kafka", "redis")}
        with engine(stack) as (process, url):
            figures = measure(url, spec.fixes, {"worker": process, **watched})
            memory_mib = process.memory_info().rss / 2**20
        judged = truth(work).judge(asyncio.run(loading.told_pairs(stack.kafka_url, work)))
    rate = judged["alerts"] / figures["seconds"]
    rounded = {name: round(value, 1) for name, value in figures.items()}
    return {**vars(spec), **rounded, "alerts_per_s": round(rate, 1), "worker_mib": round(memory_mib), **judged}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev bench engine", description=__doc__)
    parser.add_argument("--postings", type=int, default=2_000)
    parser.add_argument("--citizens", type=int, default=50_000)
    parser.add_argument("--fixes", type=int, default=500_000)
    parser.add_argument("--json", metavar="OUT")
    options = parser.parse_args(arguments)
    result = run(Spec(options.postings, options.citizens, options.fixes))
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=2) + "\n")
    return 1 if result["missing"] or result["extra"] else 0
