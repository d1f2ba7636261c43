"""Reads a calendar in a process of its own with limits, so that no file can hold up the service: rules that match nothing
and are looked for until the year 9999, zones within zones, whatever comes next.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from services.spaces.icalendar.domain import Busy, EventError, Reading
from shared.rules import Refused

WALL_S = 25.0
# One at a time in a process: what a hostile file can take is then bounded however many are sent.
_turn = asyncio.Semaphore(1)
ROOT = Path(__file__).parents[3]


async def read_apart(raw: bytes, *, now: datetime, horizon: datetime, until: datetime | None) -> Reading:
    """As `reading.read_calendar`. Raises Refused also for a file that takes more than ten seconds of a processor."""
    asked = {"now": now.isoformat(), "horizon": horizon.isoformat(), "until": until and until.isoformat()}
    async with _turn:
        answer, code = await _answered(json.dumps(asked).encode() + b"\n" + raw)
    if code != 0 or not answer:
        raise Refused("file", "too-costly", "반복을 푸는 데 너무 오래 걸립니다 / its rules take too long to follow")
    return _reading(json.loads(answer))


async def _answered(request: bytes) -> tuple[bytes, int | None]:
    """What the child says, and how it ended; it never outlives this."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.spaces.icalendar.reading",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, cwd=ROOT,
    )  # fmt: skip
    try:
        answer, _ = await asyncio.wait_for(child.communicate(request), WALL_S)
    except TimeoutError:
        answer = b""
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return answer, child.returncode


def _reading(told: dict[str, Any]) -> Reading:
    if "refused" in told:
        raise Refused(*told["refused"])
    busy = [
        Busy(
            one["uid"],
            one["sequence"],
            datetime.fromisoformat(one["starts_at"]),
            datetime.fromisoformat(one["ends_at"]),
        )
        for one in told["busy"]
    ]
    return Reading(**{**told, "busy": busy, "errors": [EventError(**error) for error in told["errors"]]})
