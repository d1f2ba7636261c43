"""Live streams of a sample of citizens, and the product's own gauges."""

from __future__ import annotations

import asyncio
import json
import re
import time

import httpx

from demo.client import Api
from demo.tally import Arrival, Tally
from deploy.local import state
from deploy.local.home import Home
from deploy.local.stack import Stack

SAMPLE = 200
LAG = re.compile(r'^gwangsan_consumer_lag_records\{group="([^"]+)",topic="[^"]+"\} (\S+)', re.MULTILINE)
MADE = re.compile(r"^gwangsan_alerts_total\{[^}]*\} (\S+)", re.MULTILINE)
WORKERS = ("matching-engine", "matching-inbox")


class Listener:
    """Keeps one citizen's stream open, resuming it where it broke off."""

    def __init__(self, api: Api, tally: Tally, person: int) -> None:
        self._api, self._tally, self._person = api, tally, person
        self.open = asyncio.Event()

    async def run(self) -> None:
        after: str | None = None
        while True:
            try:
                async with self._api.stream(self._tally.people[self._person].who, after) as answer:
                    event = data = ""
                    async for line in answer.aiter_lines():
                        name, _, value = line.partition(": ")
                        if name == "event":
                            event = value
                        elif name == "data":
                            data = value
                        elif name == "id":
                            after = value
                        elif not line and event:
                            self._take(event, data)
                            event = data = ""
            except httpx.TransportError:
                await asyncio.sleep(0.5)

    def _take(self, event: str, data: str) -> None:
        if event == "hello" and not self.open.is_set():
            self.open.set()
            self._tally.listening += 1
        if event == "alert":
            at, item = time.time(), json.loads(data)
            number = self._tally.number_of(item["posting_id"])
            delay_ms = None if number is None else self._delay_ms(number, at, item["why"]["cause"])
            self._tally.arrivals.append(Arrival(self._person, item, at, delay_ms))
            if delay_ms is not None:
                self._tally.delays_ms.append(delay_ms)

    def _delay_ms(self, number: int, at: float, cause: str) -> float | None:
        row = self._tally.preview.expected.get((self._person, number), -1)
        if row < 0 or cause != "citizen_moved":
            return None
        taken_at = float(self._tally.log.taken_at[row])
        # The alert may well be here before the answer to the fix is.
        return max(0.0, (at - taken_at) * 1000) if taken_at == taken_at else 0.0


class Gauges:
    """Consumer lag and alerts made, from the workers' own metrics."""

    def __init__(self, stack: Stack, tally: Tally) -> None:
        self._tally = tally
        found = state.running(Home(stack.home))
        workers = {name: found.processes.get(name) for name in WORKERS} if found is not None else {}
        self._urls = [f"http://127.0.0.1:{w.port}/metrics" for w in workers.values() if w is not None and w.port]
        self._before: float | None = None

    async def run(self) -> None:
        async with httpx.AsyncClient(timeout=5.0, trust_env=False) as http:
            while True:
                await self._read(http)
                await asyncio.sleep(1.0)

    async def _read(self, http: httpx.AsyncClient) -> None:
        try:
            texts = [(await http.get(url)).text for url in self._urls]
        except httpx.TransportError:
            return  # a worker that restarts; the next second asks again
        lag: dict[str, int] = {}
        for group, value in LAG.findall("\n".join(texts)):
            lag[group] = lag.get(group, 0) + int(float(value))
        self._tally.lag = lag
        made = sum(float(value) for text in texts for value in MADE.findall(text))
        if self._before is None or self._tally.began_at == 0:
            self._before = made
        self._tally.made = int(made - self._before)
