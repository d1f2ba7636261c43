"""The engine alone, as tests speak of it: citizens some metres from a place, and what they are told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from services.matching.engine.engine import Engine, Rules
from services.matching.engine.fixes import Fixes
from services.matching.engine.kernel import OUTCOMES
from services.matching.engine.matches import Match, joined, named
from services.matching.engine.tables import Rows
from shared.contracts import Posting, Watch
from shared.geo import EARTH_M, district
from shared.messaging.partitions import partition_of
from tests.samples import NOW

PLACE = 35.1915, 126.8231  # as tests.samples.posting
HANEUL = "citizen:하늘"
PARTITIONS = 8


class Told(NamedTuple):
    """Somebody was alerted."""

    citizen: str
    posting: UUID
    epoch: int


def north_of(metres: float, place: tuple[float, float] = PLACE) -> tuple[float, float]:
    """A point so many metres due north (south if negative), where distance is difference of latitude alone."""
    return place[0] + math.degrees(metres / EARTH_M), place[1]


def watch(citizen: str = HANEUL, version: int = 1, **changed: Any) -> Watch:
    whole: dict[str, Any] = {
        "citizen_id": citizen, "version": version, "consent_epoch": 1, "located": True, "radius_m": 2_000, "changed_at": NOW,
    }  # fmt: skip
    return Watch.model_validate({**whole, **changed})


@dataclass(frozen=True)
class Step:
    """A fix as it will be given to the engine."""

    citizen: str
    lat: float
    lon: float
    observed_at: datetime
    accuracy_m: float = 5.0
    epoch: int = 1


def columns(steps: Sequence[Step]) -> Fixes:
    return Fixes.of(
        [s.citizen for s in steps],
        [partition_of(s.citizen, PARTITIONS) for s in steps],
        [(s.lat, s.lon, s.accuracy_m, int(s.observed_at.timestamp() * 1000), 0, s.epoch) for s in steps],
    )


@dataclass
class World:
    """One engine and a clock that only tests move."""

    engine: Engine = field(default_factory=lambda: Engine(district(), Rules()))
    now: datetime = NOW
    outcomes: list[str] = field(default_factory=list)
    matches: list[Match] = field(default_factory=list)

    def later(self, **delta: float) -> World:
        self.now += timedelta(**delta)
        return self

    def told(self, matches: Rows) -> list[Told]:
        self.matches = named(matches)
        return [
            Told(self.engine.citizens.ids[m.citizen], p.id, p.urgency_epoch) for m in self.matches if (p := self._of(m))
        ]

    def _of(self, match: Match) -> Posting | None:
        return self.engine.postings.current[match.posting]

    def take(self, *steps: Step) -> list[Told]:
        matches, outcome = self.engine.take(columns(steps), self.now)
        self.outcomes = [OUTCOMES[code] for code in outcome.tolist()]
        return self.told(matches)

    def stands(self, metres: float, citizen: str = HANEUL, *, minutes: float = 1.0, **changed: Any) -> list[Told]:
        """A minute later the citizen is so many metres north of the place."""
        self.later(minutes=minutes)
        lat, lon = north_of(metres)
        return self.take(Step(citizen, **{"lat": lat, "lon": lon, "observed_at": self.now, **changed}))

    def put(self, posting: Posting, **how: Any) -> list[Told]:
        return self.told(self.engine.put_posting(posting, self.now, **how))

    def put_all(self, postings: Sequence[Posting]) -> list[Told]:
        """Several that came together; each of them once."""
        return self.told(joined(self.engine.put_postings(postings, self.now)))

    def set(self, settings: Watch, **how: Any) -> list[Told]:
        partition = partition_of(settings.citizen_id, PARTITIONS)
        return self.told(self.engine.put_watch(settings, partition, self.now, **how))

    def tick(self) -> list[Told]:
        return self.told(self.engine.tick(self.now))


def about(posting: Posting, citizen: str = HANEUL) -> list[Told]:
    """That one citizen is told of one posting."""
    return [Told(citizen, posting.id, posting.urgency_epoch)]


def next_of(posting: Posting, **changed: Any) -> Posting:
    """The posting's next version."""
    return Posting.model_validate({**posting.model_dump(), "version": posting.version + 1, **changed})


def place(radius_m: int = 700, metres: float = 0.0) -> dict[str, Any]:
    """A `where` of one circle, so many metres north of the place."""
    lat, lon = north_of(metres)
    return {"circles": [{"lat": lat, "lon": lon, "radius_m": radius_m}]}
