"""전국공공시설개방정보표준데이터 of ten thousand rows in cp949: looked at, applied, applied again, changed throughout."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

import httpx

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
