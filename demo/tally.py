"""What is known so far of the run: written by those who send, listen and measure, read by the view and the judge."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from demo.offers import Offer
from demo.people import Person
from demo.truth import Movement, Posting, Truth

T = TypeVar("T")
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
SPEED_OVER_S = 3.0


@dataclass
class Opened:
    """An offer that stands in the product, and between which moments it came to be known there."""

    offer: Offer
    id: str
    asked_at: float
    known_at: float
    during_run: bool

    def wanted(self) -> Posting:
        if not self.during_run:
            return self.offer.wanted
        return replace(self.offer.wanted, asked_at=self.asked_at, known_at=self.known_at)


@dataclass(frozen=True)
class Arrival:
    """An alert on one citizen's live stream. `delay_ms` is since its fix was accepted; None if no fix decided it."""

    person: int
    item: dict[str, Any]
    at: float
    delay_ms: float | None


class Log:
    """One row for every fix of every citizen, in the order they are sent; times are filled in as they happen."""

    def __init__(self, people: list[Person]) -> None:
        lengths = [len(person.way.second) for person in people]
        self.first = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        size = int(self.first[-1])
        self.citizen = np.repeat(np.arange(len(people), dtype=np.int64), lengths)
        self.lat = np.concatenate([person.way.lat for person in people])
        self.lon = np.concatenate([person.way.lon for person in people])
        self.accuracy_m = np.concatenate([np.array(person.accuracy_m) for person in people])
        self.observed_at = np.concatenate([person.way.second for person in people])
        self.asked_at, self.taken_at = np.full(size, np.nan), np.full(size, np.nan)

    def movement(self) -> Movement:
        """Everything as if each fix were answered the moment it is observed: what is going to be sent."""
        return self._columns(np.arange(len(self.citizen)), self.observed_at, self.observed_at)

    def sent(self) -> tuple[Movement, I64]:
        """What was sent and answered, and the log's row of each of its rows."""
        rows = np.flatnonzero(~np.isnan(self.taken_at))
        return self._columns(rows, self.asked_at, self.taken_at), rows

    def _columns(self, rows: I64, asked_at: F64, taken_at: F64) -> Movement:
        columns = (self.observed_at, self.lat, self.lon, self.accuracy_m, asked_at, taken_at)
        return Movement(self.citizen[rows], *(column[rows] for column in columns))


@dataclass
class Tally:
    """The run's figures. Times are seconds since 1970, so that they compare with the product's own."""

    people: list[Person]
    offers: int
    log: Log
    speed: float | None
    phase: str = ""
    step: tuple[int, int] = (0, 0)
    began_at: float = 0.0
    ended_at: float = 0.0
    sent: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    walking: int = 0
    opened: list[Opened] = field(default_factory=list)
    preview: Truth = field(default_factory=Truth)
    listeners: list[int] = field(default_factory=list)
    listening: int = 0
    arrivals: list[Arrival] = field(default_factory=list)
    delays_ms: list[float] = field(default_factory=list)
    places: dict[int, tuple[float, float]] = field(default_factory=dict)
    lag: dict[str, int] = field(default_factory=dict)
    made: int | None = None
    _numbers: dict[str, int] = field(default_factory=dict)
    _recent: deque[tuple[float, int]] = field(default_factory=deque)

    @property
    def total(self) -> int:
        return len(self.log.citizen)

    def count_sent(self, fixes: int) -> None:
        self.sent += fixes
        self._recent.append((time.time(), fixes))

    def rate(self) -> float:
        """Fixes per second over the last three seconds."""
        now = time.time()
        while self._recent and self._recent[0][0] < now - SPEED_OVER_S:
            self._recent.popleft()
        return sum(fixes for _, fixes in self._recent) / max(0.5, min(SPEED_OVER_S, now - self.began_at))

    def add(self, opened: Opened) -> None:
        self._numbers[opened.id] = len(self.opened)
        self.opened.append(opened)

    def number_of(self, posting_id: str) -> int | None:
        """Which of the demo's offers this is; None if it is somebody else's (or its opening is not answered yet)."""
        return self._numbers.get(posting_id)


async def each(
    tally: Tally, phase: str, items: Iterable[T], act: Callable[[T], Awaitable[None]], at_once: int = 32
) -> None:
    """Do something for every item, a few at once, counting for the view. The first failure ends it."""
    waiting = list(items)
    tally.phase, tally.step = phase, (0, len(waiting))
    queue = deque(waiting)

    async def worker() -> None:
        while queue:
            await act(queue.popleft())
            tally.step = (tally.step[0] + 1, tally.step[1])

    async with asyncio.TaskGroup() as group:
        for _ in range(min(at_once, len(waiting))):
            group.create_task(worker())
