"""Claims on one hot posting, by locust: many citizens at once, most of them too late."""

from __future__ import annotations

import argparse
import asyncio
import csv
import os
import sys
import tempfile
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.bench.jobs_stage import Stage
from tests.jobs import shift_draft

PEOPLE = 2_000
LOCUST = Path(__file__).with_name("jobs_locust.py")
Figures = dict[str, Any]


async def hot_posting(stage: Stage, options: argparse.Namespace) -> Figures:
    """Two runs: places for all that come in the time, and three places only. `held`: never more than there are."""
    people = [stage.bearer(f"citizen:{n}-{uuid4().hex[:6]}")["Authorization"].split()[1] for n in range(PEOPLE)]
    many = await _rush(stage, options, people, slots=min(options.slots, 1_000))
    few = await _rush(stage, options, people, slots=3)
    return {"many_places": many, "three_places": few, "held": many.pop("held") and few.pop("held")}


async def _rush(stage: Stage, options: argparse.Namespace, people: list[str], slots: int) -> Figures:
    days = 2 if slots == 3 else 3
    posting = await stage.post("/postings", shift_draft(days=days, slots=slots), stage.bearer("officer:수완동"))
    used_s = stage.cpu_s()
    told = await _locust(stage, options, posting["id"], people)
    used_s = stage.cpu_s() - used_s
    (row,) = await stage.sql("SELECT taken, (SELECT count(*) FROM claim WHERE posting_id = p.id) AS claims "
                             "FROM posting p WHERE id = $1", posting["id"])  # fmt: skip
    every, places = told["claim"], told.get("place")
    placed = int(places["Request Count"]) if places else 0
    return {
        "slots": slots, "requests": int(every["Request Count"]), "failures": int(every["Failure Count"]),
        "requests_per_s": round(float(every["Requests/s"])), "places": placed,
        "service_cpu_ms_per_request": round(used_s * 1000 / int(every["Request Count"]), 2),
        "p50_ms": int(every["50%"]), "p99_ms": int(every["99%"]),
        "p99_ms_of_those_with_a_place": int(places["99%"]) if places else None,
        "held": row["taken"] == row["claims"] == placed <= slots and every["Failure Count"] == "0",
    }  # fmt: skip


async def _locust(stage: Stage, options: argparse.Namespace, posting_id: str, people: list[str]) -> dict[str, Any]:
    """locust's own statistics, by name."""
    with tempfile.TemporaryDirectory() as folder:
        tokens, prefix = Path(folder, "tokens"), Path(folder, "told")
        tokens.write_text("\n".join(people), encoding="ascii")
        crowd = str(options.citizens)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "locust", "-f", str(LOCUST), "--headless", "--only-summary", "--csv", str(prefix),
            "-u", crowd, "-r", crowd, "-t", f"{options.seconds:g}s", "--host", str(stage.http.base_url).rstrip("/"),
            env={**os.environ, "GWANGSAN_BENCH_POSTING": posting_id, "GWANGSAN_BENCH_TOKENS": str(tokens)},
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, said = await process.communicate()
        stats = Path(f"{prefix}_stats.csv")
        if not stats.exists():
            raise RuntimeError(said.decode())
        with stats.open(newline="") as rows:
            return {row["Name"]: row for row in csv.DictReader(rows)}
