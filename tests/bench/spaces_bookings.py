"""Bookings a second: many citizens hold times of their own choosing at many spaces."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import asyncpg

from tests.bench.jobs_stage import Stage, percentile_ms
from tests.bench.line import Line
from tests.bench.spaces_stage import some_spaces

SOUGHT_PER_S = 300
PEOPLE = 400
_OVERLAPS = """
    SELECT count(*) FROM booking a JOIN booking b ON a.unit_id = b.unit_id AND a.id < b.id AND a.occupied && b.occupied
    WHERE a.created_at > $1 AND a.state IN ('held', 'pending', 'confirmed', 'in_use', 'done')
    AND b.state IN ('held', 'pending', 'confirmed', 'in_use', 'done')
"""


async def rush(stage: Stage, connection: asyncpg.Connection, seconds: float, citizens: int) -> dict[str, Any]:
    """Free half hours 20 to 300 days ahead. `held`: nothing but 201, 409 (taken) and 422 (shut), and no two overlap."""
    spaces, people = await some_spaces(connection), [stage.bearer(f"citizen:{n}") for n in range(PEOPLE)]
    random_, turn = random.Random(int(time.time())), count()
    statuses: Counter[int] = Counter()
    took: list[float] = []
    began, ends = datetime.now(UTC), time.perf_counter() + seconds
    midnight = began.replace(hour=0, minute=0, second=0, microsecond=0)

    async def citizen() -> None:
        line = Line(str(stage.http.base_url), {})
        while time.perf_counter() < ends:
            n = next(turn)
            body = _some_half_hour(random_, midnight)
            headers = people[n % PEOPLE] | {"Idempotency-Key": uuid4().hex}
            started = time.perf_counter()
            status, _ = await line.post(f"/spaces/{spaces[n % len(spaces)]}/bookings", body, headers)
            took.append(time.perf_counter() - started)
            statuses[status] += 1
        line.close()

    started, used_s = time.perf_counter(), stage.cpu_s()
    await asyncio.gather(*(citizen() for _ in range(citizens)))
    elapsed_s, used_s = time.perf_counter() - started, stage.cpu_s() - used_s
    overlaps = await connection.fetchval(_OVERLAPS, began)
    return {
        "bookings_per_s": round(statuses[201] / elapsed_s), "requests_per_s": round(len(took) / elapsed_s),
        "sought_per_s": SOUGHT_PER_S, "statuses": {str(s): n for s, n in sorted(statuses.items())},
        "service_cpu_ms_per_booking": round(used_s * 1000 / max(1, len(took)), 2),
        "p50_ms": percentile_ms(took, 0.5), "p99_ms": percentile_ms(took, 0.99), "overlaps": overlaps,
        "held": overlaps == 0 and set(statuses) <= {201, 409, 422},
    }  # fmt: skip


def _some_half_hour(random_: random.Random, midnight: datetime) -> dict[str, str]:
    """By day, on a weekday: the samples are shut on Sundays (and, like the product's, on holidays)."""
    day = midnight + timedelta(days=random_.randrange(20, 300))
    while day.weekday() >= 5:
        day += timedelta(days=1)
    at = day + timedelta(minutes=30 * random_.randrange(2, 20))
    return {"starts_at": at.isoformat(), "ends_at": (at + timedelta(minutes=30)).isoformat()}
