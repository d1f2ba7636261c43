"""Claims on one hot posting: many citizens at once, most of them too late."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter
from itertools import count
from typing import Any
from uuid import uuid4

from tests.bench.jobs_stage import Stage, percentile_ms
from tests.bench.line import Line
from tests.jobs import shift_draft

PEOPLE = 2_000


async def hot_posting(stage: Stage, options: argparse.Namespace) -> dict[str, Any]:
    """Two runs: places for all that come in the time, and three places only. `held`: never more than there are."""
    people = [stage.bearer(f"citizen:{n}-{uuid4().hex[:6]}") for n in range(PEOPLE)]
    many = await _rush(stage, options, people, slots=min(options.slots, 1_000))
    few = await _rush(stage, options, people, slots=3)
    return {"many_places": many, "three_places": few, "held": many.pop("held") and few.pop("held")}


async def _rush(stage: Stage, options: argparse.Namespace, people: list[dict[str, str]], slots: int) -> dict[str, Any]:
    days = 2 if slots == 3 else 3
    posting = await stage.post("/postings", shift_draft(days=days, slots=slots), stage.bearer("officer:수완동"))
    took: dict[int, list[float]] = {201: [], 409: []}
    statuses: Counter[int] = Counter()
    turn, ends = count(), time.perf_counter() + options.seconds

    async def citizen() -> None:
        line = Line(str(stage.http.base_url), {})
        while time.perf_counter() < ends:
            headers = people[next(turn) % len(people)] | {"Idempotency-Key": uuid4().hex}
            started = time.perf_counter()
            status, _ = await line.post(f"/postings/{posting['id']}/claims", {}, headers)
            took.setdefault(status, []).append(time.perf_counter() - started)
            statuses[status] += 1
        line.close()

    started, used_s = time.perf_counter(), stage.cpu_s()
    await asyncio.gather(*(citizen() for _ in range(options.citizens)))
    elapsed_s, used_s = time.perf_counter() - started, stage.cpu_s() - used_s
    (row,) = await stage.sql("SELECT taken, (SELECT count(*) FROM claim WHERE posting_id = p.id) AS claims "
                             "FROM posting p WHERE id = $1", posting["id"])  # fmt: skip
    every = [t for taken in took.values() for t in taken]
    return {
        "slots": slots, "requests_per_s": round(len(every) / elapsed_s), "places_per_s_while_any": _rate(took[201], options),
        "statuses": {str(status): n for status, n in sorted(statuses.items())},
        "service_cpu_ms_per_request": round(used_s * 1000 / len(every), 2),
        "p50_ms": percentile_ms(every, 0.5), "p99_ms": percentile_ms(every, 0.99),
        "p99_ms_of_those_with_a_place": percentile_ms(took[201], 0.99),
        "held": row["taken"] == row["claims"] == statuses[201] <= slots and set(statuses) <= {201, 409},
    }  # fmt: skip


def _rate(taken: list[float], options: argparse.Namespace) -> float | None:
    """Places a second, by the time that a full crowd spent on them."""
    return round(len(taken) / (sum(taken) / options.citizens), 1) if taken else None
