"""One measurement of one system: a stream of fixes, the latency of each, and a posting that opens among many citizens."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tests.bench import crowd
from tests.bench.arena import Arena, Cpu
from tests.bench.contestants import Running, System, hearing, running
from tests.bench.pacing import open_postings, pace
from tests.bench.workload import FIX_EVERY_MS, Truth, Workload, firsts, truth

WARM_S = 2.0  # of a latency run, while connections open
REST_S, REST_SHARE, RESTED_WITHIN_S = 1.0, 0.25, 300.0
Result = dict[str, Any]


@dataclass
class Prepared:
    """A workload on the topics, and its truth."""

    arena: Arena
    work: Workload
    known: Truth
    limit_s: float

    @property
    def config(self) -> dict[str, Any]:
        spec = self.work.spec
        return {"postings": spec.postings, "fixes": spec.fixes, "alerts_per_fix": len(self.known.must) / spec.fixes}

    def pids(self, live: Running) -> dict[str, int]:
        return {**live.pids, "kafka": self.arena.stack.processes.pid("kafka")}


async def rested(cpu: Cpu) -> None:
    """All have done what they do before the first fix: postings held, indexes written."""
    ends = time.monotonic() + RESTED_WITHIN_S
    while not cpu.at_rest(REST_S, REST_SHARE) and time.monotonic() < ends:
        await asyncio.sleep(0.1)


async def stream(ready: Prepared, system: System) -> list[Result]:
    """Everything is on the topics: from the first alert appended to the last."""
    arena, work = ready.arena, ready.work
    await arena.empty()
    with running(system, arena.stack, ready.config) as live, Cpu(ready.pids(live)).sampled() as cpu:
        await rested(cpu)
        await asyncio.to_thread(live.go)
        complete = await arena.finished(live.done, len(ready.known.must), live.quiet_s, ready.limit_s)
        memory = cpu.memory_mib()
        told = await arena.alerts(work)
    began = float(told.at.min())
    ended = max(float(told.at.max()), began + 0.001)  # the broker's clock ticks in milliseconds
    share = 1.0 if complete else min(1.0, len(told.pairs) / len(ready.known.must))
    fixes, spent = work.spec.fixes * share, cpu.between(began, ended)
    judged = ready.known.judge(told.pairs) if system.module != "floor" else {}
    return [{
        "fixes_per_s": round(fixes / (ended - began)),
        "alerts_per_s": round(len(told.pairs) / (ended - began)),
        "cpu_us_per_fix": round(sum(spent.values()) / fixes * 1e6, 2),
        "cpu_s": {name: round(seconds, 2) for name, seconds in spent.items()},
        "memory_mib": memory,
        **({} if complete else {"cut_off": True}),
        **judged,
    }]  # fmt: skip


async def latency(ready: Prepared, system: System, rate: int) -> list[Result]:
    """So many fixes a second; from producing the fix that must tell to the alert's arrival at a consumer."""
    arena, work, fixes = ready.arena, ready.work, ready.work.spec.fixes
    await arena.empty(fixes=True)
    triggers = firsts(work)
    with (
        _answers(work, triggers) as answers,
        running(system, arena.stack, {**ready.config, "firsts": answers}) as live,
        Cpu(ready.pids(live)).sampled() as cpu,
    ):
        await rested(cpu)
        await asyncio.to_thread(live.go)
        with hearing(arena.stack, work) as heard:
            began = time.time()
            sent = await asyncio.to_thread(pace, arena.stack.kafka_url, work, rate)
            await asyncio.sleep(live.quiet_s + 2.0)
            ended = time.time()
        spent = cpu.between(began, ended)
    pairs, first = np.unique(heard["pairs"], return_index=True)
    arrived = dict(zip(pairs.tolist(), heard["at"][first].tolist(), strict=True))
    waited = [
        (at - sent[triggers[pair]]) * 1000 for pair, at in arrived.items() if triggers.get(pair, 0) >= rate * WARM_S
    ]
    quantiles = {f"p{q}_ms": round(float(np.percentile(waited, q)), 2) for q in (50, 99)} if waited else {}
    return [{
        "fixes_per_s": rate,
        "alerts_per_s": round(len(pairs) / (fixes / rate)),
        "cpu_us_per_fix": round(sum(spent.values()) / fixes * 1e6, 1),
        "cpu_s": {name: round(seconds, 2) for name, seconds in spent.items()},
        **quantiles,
        **(ready.known.judge(heard["pairs"]) if system.module != "floor" else {}),
    }]  # fmt: skip


@contextmanager
def _answers(work: Workload, triggers: dict[int, int]) -> Iterator[str]:
    """A file of (citizen, how many fixes they sent before, posting) for the floor, which looks up what others find out."""
    turn = work.observed_ms // FIX_EVERY_MS
    with tempfile.TemporaryDirectory() as folder:
        rows = [(pair >> 32, turn[fix], pair & 0xFFFFFFFF) for pair, fix in triggers.items()]
        np.save(f"{folder}/firsts.npy", np.array(rows, np.int64))
        yield f"{folder}/firsts.npy"


async def fan_out(ready: Prepared, system: System, burst: int) -> list[Result]:
    """All citizens are located; then one posting opens in the densest place, then many at once. Until the last alert is in Kafka."""
    arena, work = ready.arena, ready.work
    await arena.empty(postings=True)
    opening = crowd.generate(work.spec, burst)[1]
    late = [*opening.one.tolist(), *opening.burst.tolist()]
    found: list[Result] = []
    with running(system, arena.stack, {**ready.config, "postings": 0}) as live, Cpu(ready.pids(live)).sampled() as cpu:
        await rested(cpu)
        await asyncio.to_thread(live.go)
        ends = time.monotonic() + ready.limit_s
        while not live.done() and time.monotonic() < ends:
            await asyncio.sleep(0.3)
        await rested(cpu)
        for first, offers in ((0, late[:1]), (1, late[1:])):
            expected = truth(replace(work, posting=np.array(offers)))
            before = len((await arena.alerts(_all(work, late))).pairs)
            began = await asyncio.to_thread(open_postings, arena.stack.kafka_url, offers, first)
            await arena.finished(lambda: True, before + len(expected.must), 0.5, 60)
            told = await arena.alerts(_all(work, late))
            mine = told.at >= began - 0.001
            if not mine.any():
                raise RuntimeError(f"{system.name} told nobody of the {len(offers)} that opened")
            last = float(told.at[mine].max())
            found.append({
                "params": {"opened": len(offers), "ms_to_last": round((last - began) * 1000, 1)},
                "alerts_per_s": round(int(mine.sum()) / (last - began)),
                "p99_ms": round(float(np.percentile(told.at[mine] - began, 99)) * 1000, 1),
                "cpu_s": {n: round(s, 3) for n, s in cpu.between(began, last).items()},
                **expected.judge(told.pairs[mine] - first),
            })  # fmt: skip
    return found


def _all(work: Workload, late: list[list[float]]) -> Workload:
    return replace(work, posting=np.array(late))
