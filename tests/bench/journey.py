"""From a position sent over HTTP to its alert on the live stream, through the gateway; and the memory of the whole stack.

    ./dev bench journey [--citizens 500] [--fixes-per-request 5] [--seconds 30] [--json OUT]

Citizens ride along a street lined with postings of 50 m; each measures once a second and sends every few seconds what
it measured, as a device does that spares its battery: 500 citizens are 500 fixes a second. `latency_ms` is counted
from the answer 202 to the request that carried the deciding fix until its alert is read from the stream (none, if that came
first); `from_request_ms` from the start of that request. At the end the busiest posting closes: `closing` tells how long
until the last of the screens that showed it says 마감.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import numpy as np
import psutil

from deploy.local.stack import Stack, running
from tests.bench.line import Line

STEP_M = 25.0
SPACING_M = 150.0
RADIUS_M = 50
WEST, SOUTH = 126.70, 35.12
M_PER_DEGREE = 111_195.0
LON_SCALE = 0.8178  # cos of the street's latitude


@dataclass
class Rider:
    """One sample citizen: where on the street, which posting was entered in which request, what was told when."""

    name: str
    headers: dict[str, str]
    at_m: float
    entered_at: dict[int, float] = field(default_factory=dict)
    accepted_at: dict[int, float] = field(default_factory=dict)
    told_at: dict[int, float] = field(default_factory=dict)
    closed_at: dict[int, float] = field(default_factory=dict)
    repeated: int = 0
    stages: list[tuple[float, float]] = field(default_factory=list)


def longitude(at_m: float) -> float:
    return WEST + at_m / (M_PER_DEGREE * LON_SCALE)


async def open_street(client: httpx.AsyncClient, officer: dict[str, str], count: int) -> list[str]:
    """The postings along the street; returns their ids."""
    made, now = [], datetime.now(UTC)
    for number in range(count):
        body = {
            "headline": f"표본 {number:04d}", "place": {"name": "표본", "lat": SOUTH, "lon": longitude((number + 1) * SPACING_M)},
            "radius_m": RADIUS_M, "starts_at": (now + timedelta(hours=2)).isoformat(),
            "ends_at": (now + timedelta(hours=4)).isoformat(), "pay": {"amount_krw": 12_000},
        }  # fmt: skip
        answer = await client.post(
            "/api/jobs/postings", json=body, headers={**officer, "Idempotency-Key": str(uuid4())}
        )
        answer.raise_for_status()
        made.append(str(answer.json()["id"]))
    return made


async def close_busiest(
    client: httpx.AsyncClient, officer: dict[str, str], street: list[str], riders: list[Rider]
) -> dict[str, object]:
    """The posting that most were told of closes: how long until every one of their screens says so (마감)."""
    number = max(range(len(street)), key=lambda n: sum(n in rider.told_at for rider in riders))
    told, started = [rider for rider in riders if number in rider.told_at], time.perf_counter()
    key = {"Idempotency-Key": str(uuid4())}
    answer = await client.post(
        f"/api/jobs/postings/{street[number]}/close", json={"reason": "표본"}, headers={**officer, **key}
    )
    answer.raise_for_status()
    while time.perf_counter() < started + 20 and not all(number in rider.closed_at for rider in told):
        await asyncio.sleep(0.01)
    waits = [rider.closed_at[number] - started for rider in told if number in rider.closed_at]
    return {"screens": len(told), "unclosed": len(told) - len(waits), "last_ms": round(max(waits, default=0) * 1000, 1)}


async def listen(client: httpx.AsyncClient, rider: Rider, ready: asyncio.Semaphore) -> None:
    async with client.stream("GET", "/api/matching/stream", headers=rider.headers, timeout=None) as answer:
        answer.raise_for_status()
        ready.release()
        async for line in answer.aiter_lines():
            if line.startswith("data:") and "headline" in line:
                item = json.loads(line[5:])
                number = int(item["headline"].split()[-1])
                if item["state"] == "closed":
                    rider.closed_at[number] = time.perf_counter()
                    continue
                rider.repeated += number in rider.told_at
                rider.told_at.setdefault(number, time.perf_counter())
                made, told = (datetime.fromisoformat(item[name]) for name in ("made_at", "told_at"))
                rider.stages.append(((told - made).total_seconds(), (datetime.now(UTC) - told).total_seconds()))


async def ride(line: Line, rider: Rider, per_request: int, until: float) -> None:
    while (started := time.perf_counter()) < until:
        now, fixes, entered = datetime.now(UTC), [], []
        for k in range(per_request):
            rider.at_m += STEP_M
            observed = now - timedelta(seconds=per_request - 1 - k)
            fixes.append(
                {"lat": SOUTH, "lon": longitude(rider.at_m), "accuracy_m": 5, "observed_at": observed.isoformat()}
            )
            number = round(rider.at_m / SPACING_M) - 1
            if (
                number >= 0
                and abs((number + 1) * SPACING_M - rider.at_m) < RADIUS_M - 1
                and number not in rider.entered_at
            ):
                rider.entered_at[number] = started
                entered.append(number)
        status, answer = await line.post("/api/matching/positions", {"fixes": fixes})
        if status != 202:
            raise RuntimeError(f"{status}: {answer.decode()}")
        rider.accepted_at |= dict.fromkeys(entered, time.perf_counter())
        await asyncio.sleep(max(0.0, started + per_request - time.perf_counter()))


async def measure(stack: Stack, citizens: int, per_request: int, seconds: float) -> dict[str, object]:
    limits = httpx.Limits(max_connections=citizens + 10, max_keepalive_connections=citizens)
    # Streams have a pool of their own: a pool looks through all of its connections at every request.
    async with (
        httpx.AsyncClient(base_url=stack.gateway_url, limits=httpx.Limits(max_connections=40), timeout=30) as client,
        httpx.AsyncClient(base_url=stack.gateway_url, limits=limits, timeout=30) as listening,
    ):
        length_m = citizens * 7 + (seconds + 5 + per_request) * STEP_M
        officer = bearer(stack, "officer:표본 기관")
        street = await open_street(client, officer, int(length_m / SPACING_M) + 1)
        riders = [Rider(f"bench-{i:04d}", bearer(stack, f"citizen:bench-{i:04d}"), 7.0 * i) for i in range(citizens)]
        for rider in riders:
            key = {"Idempotency-Key": str(uuid4())}
            (
                await client.post("/api/matching/consents/location", json={}, headers={**rider.headers, **key})
            ).raise_for_status()
        ready = asyncio.Semaphore(0)
        streams = [asyncio.create_task(listen(listening, rider, ready)) for rider in riders]
        for _ in riders:
            await asyncio.wait_for(ready.acquire(), 60)
        before = cpu_s(stack)
        began = time.perf_counter()
        await asyncio.gather(
            *(
                _staggered(
                    Line(stack.gateway_url, r.headers), r, per_request, per_request * i / citizens, began + seconds
                )
                for i, r in enumerate(riders)
            )
        )
        took = time.perf_counter() - began
        deadline = time.perf_counter() + 20
        while time.perf_counter() < deadline and any(r.entered_at.keys() - r.told_at.keys() for r in riders):
            await asyncio.sleep(0.1)
        spent = {name: round(used, 2) for name, s in cpu_s(stack).items() if (used := s - before[name]) >= 0.1}
        closing = await close_busiest(client, officer, street, riders)
        for stream in streams:
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
    return {**summary(riders, per_request, took), "closing": closing, "cpu_s": spent}


def bearer(stack: Stack, who: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {stack.token(who)}"}


async def _staggered(line: Line, rider: Rider, per_request: int, delay_s: float, until: float) -> None:
    await asyncio.sleep(delay_s)
    await ride(line, rider, per_request, until)


def summary(riders: list[Rider], per_request: int, took: float) -> dict[str, object]:
    told = [(r, n) for r in riders for n in r.accepted_at.keys() & r.told_at.keys()]
    inbox, stream = (np.median(column) * 1000 for column in zip(*(s for r in riders for s in r.stages), strict=True))
    stages = {"engine_to_inbox": round(inbox, 1), "inbox_to_stream": round(stream, 1)}
    missing = sum(len(r.entered_at.keys() - r.told_at.keys()) for r in riders)
    # Every rider began SPACING from nothing: what it rode is what it sent.
    fixes = sum(round((r.at_m - 7.0 * i) / STEP_M) for i, r in enumerate(riders))
    return {"citizens": len(riders), "fixes_per_s": round(fixes / took, 1), "alerts": len(told), "missing": missing,
            "duplicate": sum(r.repeated for r in riders),
            "latency_ms": quantiles([max(0.0, r.told_at[n] - r.accepted_at[n]) for r, n in told]),
            "from_request_ms": quantiles([r.told_at[n] - r.entered_at[n] for r, n in told]),
            "median_ms": stages, "fixes_per_request": per_request}  # fmt: skip


def quantiles(waits_s: list[float]) -> dict[str, float]:
    return {f"p{q}": round(float(np.percentile(waits_s, q)) * 1000, 1) for q in (50, 95, 99)} if waits_s else {}


def cpu_s(stack: Stack) -> dict[str, float]:
    """CPU seconds so far of every process of the stack with its children, and of this client."""
    told = {"this client": sum(psutil.Process().cpu_times()[:2])}
    for name in stack.processes.names():
        parent = psutil.Process(stack.processes.pid(name))
        told[name] = sum(parent.cpu_times()[:4]) + sum(map(_own_s, parent.children(recursive=True)))
    return told


def _own_s(child: psutil.Process) -> float:
    try:
        return sum(child.cpu_times()[:2])
    except psutil.NoSuchProcess:
        return 0.0  # it ended meanwhile: its parent's sum has it


def memory_mib(stack: Stack) -> dict[str, int]:
    """Proportional set size of every process of the stack with its children, so that shared pages count once."""
    sizes = {}
    for name in stack.processes.names():
        family = [psutil.Process(stack.processes.pid(name))]
        family += family[0].children(recursive=True)
        sizes[name] = round(sum(p.memory_full_info().pss for p in family) / 2**20)
    return {**sizes, "total": sum(sizes.values())}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="./dev bench journey", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--citizens", type=int, default=500)
    parser.add_argument("--fixes-per-request", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--json", metavar="OUT")
    options = parser.parse_args(arguments)
    os.environ.setdefault("GWANGSAN_BUDGET_PER_DAY", "1000000")  # a ride past more postings than a day's alerts (M6)
    with running(services=True) as stack:
        figures = asyncio.run(measure(stack, options.citizens, options.fixes_per_request, options.seconds))
        result = {**figures, "memory_mib": memory_mib(stack)}
    text = json.dumps(result, indent=2) + "\n"
    sys.stdout.write(text)
    if options.json:
        Path(options.json).write_text(text)
    return 1 if result["missing"] or result["duplicate"] else 0
