"""A CSV of ten thousand rows: looked at, applied, applied again."""

from __future__ import annotations

import argparse
import time
from typing import Any
from uuid import uuid4

from tests.bench.jobs_stage import Stage
from tests.component.test_jobs_imports import line, table

SOUGHT_S = 10.0


async def large_import(stage: Stage, options: argparse.Namespace) -> dict[str, Any]:
    """`held`: every row is posted, the second time none."""
    raw = table(*(line(n) for n in range(options.rows))).encode()
    officer = stage.bearer(f"officer:기관{uuid4().hex[:6]}")
    figures: dict[str, Any] = {"rows": options.rows}
    reports = {}
    for name, mode in (("dry_run", "dry-run"), ("applied", "valid-rows"), ("again", "valid-rows")):
        headers = officer | {"Idempotency-Key": uuid4().hex, "Content-Type": "text/csv"}
        started = time.perf_counter()
        answer = await stage.http.post(f"/imports/csv?mode={mode}", content=raw, headers=headers)
        answer.raise_for_status()
        figures[f"{name}_s"] = round(time.perf_counter() - started, 2)
        reports[name] = answer.json()
    done = reports["applied"]["created"] == options.rows and reports["again"]["unchanged"] == options.rows
    return {**figures, "sought_s": SOUGHT_S, "held": done}
