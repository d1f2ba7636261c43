"""A posting that opens among 100,000 citizens, and 200 at once: from the first one sent to the last alert in Kafka, beside peers.

./dev bench fan_out [--system engine …] [--rounds 5] [--json OUT]

Everybody's one fix is taken in first; each system begins on a topic without postings. Places as in crowd.py; the
posting that opens alone does so several times over.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from deploy.local.stack import Stack
from deploy.local.stack import running as stack_running
from tests.bench.arena import Alerts, Arena, Cpu
from tests.bench.backends import missing
from tests.bench.contestants import SYSTEMS, System, running
from tests.bench.crowd import Late, generate
from tests.bench.pacing import open_postings
from tests.bench.runs import rested
from tests.bench.workload import Floats, Workload, truth

ONES = 5
OPENED = ["engine", "geosearch", "postgis", "tile38-nearby"]
TIMES = ("one_first_ms", "one_ms", "burst_ms")
Result = dict[str, Any]


async def measured(arena: Arena, work: Workload, late: Late, system: System, limit_s: float) -> Result:
    """One system, begun afresh: the posting of the crowd so many times, one after another, then all the others together."""
    await arena.empty(postings=True)
    opened = [late.one] * ONES + [late.burst]
    config, began = {"postings": 0, "fixes": work.spec.fixes, "alerts_per_fix": 0}, list[float]()
    with running(system, arena.stack, config) as live:
        pids = {**live.pids, "kafka": arena.stack.processes.pid("kafka")}
        with Cpu(pids).sampled() as cpu:
            await rested(cpu)
            await asyncio.to_thread(live.go)
            ends = time.monotonic() + limit_s
            while not live.done() and time.monotonic() < ends:
                await asyncio.sleep(0.1)
            await rested(cpu)
            told = 0
            for first, places in enumerate(opened):
                began.append(await asyncio.to_thread(open_postings, arena.stack.kafka_url, places.tolist(), first))
                told += len(truth(replace(work, posting=places)).must)
                await arena.finished(lambda: True, told, 0.4, 60)
    return _judged(await arena.alerts(replace(work, posting=np.vstack(opened))), work, opened, began, cpu)


def _judged(told: Alerts, work: Workload, opened: list[Floats], began: list[float], cpu: Cpu) -> Result:
    waited, judged = [], [truth(replace(work, posting=np.vstack(opened))).judge(told.pairs)]
    number = told.pairs & 0xFFFFFFFF
    for first, start in enumerate(began):
        mine = told.at[(number == first) if first < ONES else (number >= ONES)]
        waited.append(float(mine.max()) - start if len(mine) else float("nan"))
    spent = cpu.between(began[-1], began[-1] + waited[-1])
    return {
        "one_first_ms": round(waited[0] * 1000, 1),
        "one_ms": round(statistics.median(waited[:ONES]) * 1000, 1),
        "burst_ms": round(waited[-1] * 1000, 1),
        "burst_cpu_ms": {name: round(s * 1000) for name, s in spent.items()},
        **{name: judged[0][name] for name in ("alerts", "missing", "extra", "duplicate")},
    }


async def _rounds(stack: Stack, options: argparse.Namespace) -> list[Result]:
    arena, (work, late) = Arena(stack), generate()
    await arena.fill(work)
    found: dict[str, list[Result]] = {}
    systems = [SYSTEMS[name] for name in options.system or OPENED]
    for system in systems:
        if why := missing(system.backend):
            sys.stderr.write(f"{system.name} is skipped: {why}\n")
    systems = [system for system in systems if not missing(system.backend)]
    for nth in range(options.rounds):
        for system in systems if nth % 2 == 0 else systems[::-1]:
            result = await measured(arena, work, late, system, options.limit)
            found.setdefault(system.name, []).append(result)
            sys.stderr.write(f"{nth + 1}/{options.rounds} {system.name}: {json.dumps(result)}\n")
    return [{"system": name, "rounds": len(results), **_medians(results)} for name, results in found.items()]


def _medians(results: list[Result]) -> Result:
    """Of each figure by itself, with the best beside it; worst of what should be none."""
    worst = {name: max(one[name] for one in results) for name in ("alerts", "missing", "extra", "duplicate")}
    medians = {n: round(statistics.median(one[n] for one in results), 1) for n in TIMES}
    best = {f"{n}_best": min(one[n] for one in results) for n in TIMES}
    spent = {p: round(statistics.median(o["burst_cpu_ms"][p] for o in results)) for p in results[0]["burst_cpu_ms"]}
    return {**medians, **best, "burst_cpu_ms": spent, **worst}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev bench fan_out", description=__doc__)
    parser.add_argument("--system", action="append", choices=list(SYSTEMS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit", type=float, default=120.0, help="seconds after which a run is cut off")
    parser.add_argument("--json", metavar="OUT")
    options = parser.parse_args(arguments)
    with stack_running(services=False) as stack:
        rows = asyncio.run(_rounds(stack, options))
    sys.stdout.write(json.dumps(rows, indent=1) + "\n")
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=1) + "\n")
    return 1 if any(row["missing"] or row["duplicate"] for row in rows if row["system"] == "engine") else 0
