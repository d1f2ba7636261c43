"""After the replay: what every citizen was told, against what the truth says they had to be told."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from demo.client import Api
from demo.tally import Tally, each
from demo.truth import Pair, Truth, truth_of

SETTLE_WITHIN_S = 60.0
QUIET_FOR_S = 2.0


@dataclass
class Told:
    """One citizen's alerts about the demo's offers, as their inbox holds them: (posting, epoch), when it was told, and
    which were beyond the day's budget: those wait for the digest and are on no stream (M6).
    """

    at: dict[Pair, float] = field(default_factory=dict)
    times: Counter[tuple[Pair, int]] = field(default_factory=Counter)
    beyond: set[Pair] = field(default_factory=set)


@dataclass(frozen=True)
class Verdict:
    """The comparison. Delays in milliseconds: on the streams of the sample from a fix's answer (`stream_ms`) and from its
    sending, from the sending of a new offer, and from a fix's sending to the inbox, of everyone."""

    expected: int
    seen: int
    missing: list[Pair]
    duplicate: int
    extra: list[Pair]
    unjudged: int
    stream_ms: list[float]
    stream_from_sending_ms: list[float]
    opening_ms: list[float]
    inbox_ms: list[float]

    @property
    def passed(self) -> bool:
        return not self.missing and not self.duplicate


class Judge:
    """Reads every inbox, waits for what is late, then compares."""

    def __init__(self, api: Api, tally: Tally, now: datetime) -> None:
        self._api, self._tally, self._now = api, tally, now
        self._told: dict[int, Told] = {}

    async def verdict(self) -> Verdict:
        movement, rows = self._tally.log.sent()
        wanted = [opened.wanted() for opened in self._tally.opened]
        citizens = [person.wants for person in self._tally.people]
        truth = await asyncio.to_thread(truth_of, citizens, wanted, movement, self._now)
        truth.expected = {pair: int(rows[row]) if row >= 0 else row for pair, row in truth.expected.items()}
        await self._quiet()
        await self._read(range(len(citizens)), "알림함 읽기 reading every inbox")
        deadline = time.monotonic() + SETTLE_WITHIN_S
        while late := self._missing(truth):
            if time.monotonic() > deadline:
                break
            await self._read({person for person, _ in late}, "늦은 알림 기다리기 waiting for late alerts")
            await asyncio.sleep(0.5)
        return self._compare(truth)

    async def _quiet(self) -> None:
        """Until the consumers have caught up and nothing more arrives for two seconds."""
        self._tally.phase, self._tally.step = "남은 알림 기다리기 waiting for the last alerts", (0, 0)
        deadline, calm = time.monotonic() + SETTLE_WITHIN_S, time.monotonic()
        before = -1
        while time.monotonic() < min(deadline, calm + QUIET_FOR_S):
            now = len(self._tally.arrivals) + (self._tally.made or 0)
            if now != before or any(self._tally.lag.values()):
                before, calm = now, time.monotonic()
            await asyncio.sleep(0.2)

    async def _read(self, people: Iterable[int], phase: str) -> None:
        await each(self._tally, phase, people, self._read_one)

    async def _read_one(self, person: int) -> None:
        told, cursor = Told(), None
        while True:
            query: dict[str, Any] = {"limit": 200} | ({"cursor": cursor} if cursor else {})
            page = await self._api.call("GET", "/api/matching/inbox", self._tally.people[person].who, **query)
            for item in page["items"]:
                self._note(told, person, item)
            cursor = page["next_cursor"]
            if cursor is None:
                break
        self._told[person] = told

    def _note(self, told: Told, person: int, item: dict[str, Any]) -> None:
        number = self._tally.number_of(item["posting_id"])
        if number is not None:
            pair = (person, number)
            told.times[pair, item["urgency_epoch"]] += 1
            if item["state"] == "digest" or item["told_at"] is None:
                told.beyond.add(pair)
            told.at[pair] = datetime.fromisoformat(item["told_at"] or item["made_at"]).timestamp()

    def _missing(self, truth: Truth) -> list[Pair]:
        """Not in the inbox; or, where the citizen's live stream was open all along, not on it."""
        streamed = self._streamed()
        heard = {person for person, _ in streamed} | set(self._tally.listeners)
        return [
            pair
            for pair in truth.expected
            if pair not in self._told[pair[0]].at
            or (pair[0] in heard and pair not in streamed and pair not in self._told[pair[0]].beyond)
        ]

    def _streamed(self) -> Counter[Pair]:
        numbered = ((a.person, self._tally.number_of(a.item["posting_id"])) for a in self._tally.arrivals)
        return Counter((person, number) for person, number in numbered if number is not None)

    def _compare(self, truth: Truth) -> Verdict:
        told = {pair: at for each_told in self._told.values() for pair, at in each_told.at.items()}
        in_inbox = sum(times - 1 for each_told in self._told.values() for times in each_told.times.values())
        on_stream = sum(times - 1 for times in self._streamed().values())
        extra = [pair for pair in told if pair not in truth.expected and pair not in truth.unjudged]
        missing = self._missing(truth)
        asked_at = self._tally.log.asked_at
        inbox_ms = [
            max(0.0, (told[pair] - asked_at[row]) * 1000)
            for pair, row in truth.expected.items()
            if row >= 0 and pair in told
        ]
        stream = self._stream_delays(truth)
        return Verdict(
            len(truth.expected), len(truth.expected) - len(missing) + len(extra), missing, in_inbox + on_stream, extra,
            sum(pair in told for pair in truth.unjudged), *stream, inbox_ms,
        )  # fmt: skip

    def _stream_delays(self, truth: Truth) -> tuple[list[float], list[float], list[float]]:
        """From the answer to the deciding fix, from its sending, and from the opening of an offer that found them."""
        log, from_answer, from_sending, from_opening = self._tally.log, list[float](), list[float](), list[float]()
        for arrival in self._tally.arrivals:
            number = self._tally.number_of(arrival.item["posting_id"])
            if number is None:
                continue
            row = truth.expected.get((arrival.person, number), -1)
            if arrival.item["why"]["cause"] == "posting_changed":
                from_opening.append((arrival.at - self._tally.opened[number].asked_at) * 1000)
            elif row >= 0:
                from_answer.append(max(0.0, (arrival.at - float(log.taken_at[row])) * 1000))
                from_sending.append((arrival.at - float(log.asked_at[row])) * 1000)
        return from_answer, from_sending, from_opening


def percentiles(values: list[float]) -> dict[str, float | None]:
    """p50, p95 and p99; None where nothing was measured."""
    names = {"p50": 50, "p95": 95, "p99": 99}
    if not values:
        return dict.fromkeys(names)
    return {name: round(float(np.percentile(values, share)), 1) for name, share in names.items()}


def figures(tally: Tally, verdict: Verdict) -> dict[str, Any]:
    """What --json writes."""
    seconds = max(1e-9, tally.ended_at - tally.began_at)
    return {
        "fixes": tally.sent,
        "fixes_per_s": round(tally.sent / seconds, 1),
        "postings": len(tally.opened),
        "citizens": len(tally.people),
        "alerts_expected": verdict.expected,
        "alerts_seen": verdict.seen,
        "missing": len(verdict.missing),
        "duplicate": verdict.duplicate,
        "extra": len(verdict.extra),
        "latency_ms": percentiles(verdict.stream_ms),
    }
