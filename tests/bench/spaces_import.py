"""전국공공시설개방정보표준데이터 of ten thousand rows in cp949: looked at, applied, applied again, changed throughout.

./dev bench spaces_import [--rows 10000] [--json OUT]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from tests.bench.spaces_stage import staged
from tests.public_data import as_csv, room

SOUGHT_S = 15.0
# A grid inside the district, every point of it in one of its 동, further apart than near-duplicates are.
SOUTH, WEST, STEP, SIDE = 35.17, 126.79, 0.0004, 100


def rows(count: int, **changed: str) -> list[dict[str, str]]:
    return [
        room(n + 1, 위도=f"{SOUTH + n % SIDE * STEP:.6f}", 경도=f"{WEST + n // SIDE * STEP:.6f}", **changed)
        for n in range(count)
    ]


async def large_import(http: httpx.AsyncClient, officer: dict[str, str], count: int = 10_000) -> dict[str, Any]:
    """`officer` are the headers of an officer of a fresh institution. `held`: each row did what it should, in time."""
    raw, other = (as_csv(*rows(count, **changed), encoding="cp949") for changed in ({}, {"수용가능인원수": "12"}))
    figures: dict[str, Any] = {"rows": count, "megabytes": round(len(raw) / 1e6, 1)}
    reports = {}
    runs = (
        ("dry_run", raw, "dry-run"),
        ("applied", raw, "valid-rows"),
        ("again", raw, "valid-rows"),
        ("changed", other, "valid-rows"),
    )
    for name, content, mode in runs:
        headers = officer | {"Idempotency-Key": uuid4().hex, "Content-Type": "text/csv"}
        started = time.perf_counter()
        answer = await http.post(f"/imports/facilities?mode={mode}", content=content, headers=headers)
        answer.raise_for_status()
        figures[f"{name}_s"] = round(time.perf_counter() - started, 2)
        reports[name] = answer.json()
    done = (reports["applied"]["created"], reports["again"]["unchanged"], reports["changed"]["changed"]) == (count,) * 3
    return {**figures, "sought_s": SOUGHT_S, "held": done and figures["applied_s"] < SOUGHT_S}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("./dev bench spaces_import", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--json", dest="json_out")
    options = parser.parse_args(arguments)
    figures = asyncio.run(_run(options.rows))
    sys.stdout.write(json.dumps(figures, ensure_ascii=False) + "\n")
    if options.json_out:
        Path(options.json_out).write_text(json.dumps(figures, ensure_ascii=False, indent=2), encoding="utf-8")
    return 0 if figures["held"] else 1


async def _run(count: int) -> dict[str, Any]:
    async with staged() as stage:
        return await large_import(stage.http, stage.bearer(f"officer:기관{uuid4().hex[:6]}"), count)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
