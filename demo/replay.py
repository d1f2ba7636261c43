"""Sends every citizen's fixes as a phone would: in order, at their time, never from the future.

The engine measures speed by event time, so the recording's own seconds are kept whatever the speed of the replay: each
citizen's walk, at most five minutes, is placed so that it ends just now. Slower than life the seconds are stretched.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import deque
from datetime import UTC, datetime
from typing import Any

import numpy as np

from demo.client import AT_ONCE, Api
from demo.tally import Tally
from demo.traces import SLICE_S

MARGIN_S = 0.5
SET_OUT_OVER = 0.25  # of a walk's length, so that not everybody sets out in the same second
FIXES_AT_ONCE = 4
REQUESTS_PER_S = 110
MOST_FIXES = 100


class Replay:
    """One run over all citizens at a speed (times real time), or as fast as the product answers (None)."""

    def __init__(self, api: Api, tally: Tally, seed: int) -> None:
        self._api, self._tally, self._speed = api, tally, tally.speed
        self._order = list(range(len(tally.people)))
        random.Random(seed).shuffle(self._order)
        self._room = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> None:
        self._tally.began_at = time.time()
        try:
            if self._speed is None:
                await self._as_fast_as_possible()
            else:
                await self._at_speed(self._speed)
        finally:
            self._tally.ended_at = time.time()

    async def _as_fast_as_possible(self) -> None:
        waiting = deque(self._order)

        async def walker() -> None:
            while waiting:
                who = waiting.popleft()
                second = self._tally.people[who].way.second
                base = time.time() - float(second[-1]) - MARGIN_S
                self._tally.walking += 1
                for begin in range(0, len(second), FIXES_AT_ONCE):
                    await self._send(who, base + second, begin, min(len(second), begin + FIXES_AT_ONCE))
                self._tally.walking -= 1

        async with asyncio.TaskGroup() as group:
            for _ in range(min(AT_ONCE, len(waiting))):
                group.create_task(walker())

    async def _at_speed(self, speed: float) -> None:
        """Everybody at once; a few fixes to a request where there would be too many requests for one machine that also runs
        the product. What has come due while an answer was awaited goes with the next."""
        begin = time.time() + MARGIN_S
        lasts_s = SLICE_S / speed * (1 + SET_OUT_OVER)
        pause = (lasts_s - SLICE_S / speed) / max(1, len(self._order))
        together = max(1, min(FIXES_AT_ONCE, math.ceil(self._tally.total / lasts_s / REQUESTS_PER_S)))

        async def walk(who: int, set_out: float) -> None:
            second = self._tally.people[who].way.second
            due = set_out + second / speed
            observed = due - MARGIN_S
            if speed > 1:
                observed = set_out - float(second[-1]) * (1 - 1 / speed) - MARGIN_S + second
            await asyncio.sleep(set_out - time.time())
            self._tally.walking += 1
            done = 0
            while done < len(second):
                full = min(done + together, len(second))
                await asyncio.sleep(due[full - 1] - time.time())
                async with self._room:
                    now_due = int(np.searchsorted(due, time.time(), side="right"))
                    until = max(full, min(now_due, done + MOST_FIXES))
                    await self._send(who, observed, done, until)
                done = until
            self._tally.walking -= 1

        async with asyncio.TaskGroup() as group:
            for place, who in enumerate(self._order):
                group.create_task(walk(who, begin + place * pause))

    async def _send(self, who: int, observed: np.ndarray[Any, np.dtype[np.float64]], begin: int, end: int) -> None:
        tally, person = self._tally, self._tally.people[who]
        log, first = tally.log, int(tally.log.first[who])
        rows = slice(first + begin, first + end)
        fixes = [
            {"lat": lat, "lon": lon, "accuracy_m": accuracy, "observed_at": _written(at)}
            for lat, lon, accuracy, at in zip(
                log.lat[rows].tolist(), log.lon[rows].tolist(), log.accuracy_m[rows].tolist(),
                observed[begin:end].tolist(), strict=True,
            )
        ]  # fmt: skip
        log.observed_at[rows] = np.floor(observed[begin:end] * 1000) / 1000
        log.asked_at[rows] = time.time()
        answer = await self._api.call("POST", "/api/matching/positions", person.who, {"fixes": fixes})
        log.taken_at[rows] = time.time()
        for result in answer["results"]:
            if not result["accepted"]:
                tally.refused[result["rule"]] = tally.refused.get(result["rule"], 0) + 1
        tally.count_sent(end - begin)
        tally.places[who] = (fixes[-1]["lat"], fixes[-1]["lon"])


def _written(at: float) -> str:
    return datetime.fromtimestamp(np.floor(at * 1000) / 1000, UTC).isoformat(timespec="milliseconds")
