"""How many alerts a citizen is told in a day, and what of the rest makes a digest (M6). Pure: the time is passed in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from uuid import UUID

from shared.clock import SEOUL


@dataclass(frozen=True)
class Budget:
    """`per_day` for all alerts; before those, urgent ones have a reserve of their own that nothing else uses up."""

    per_day: int = 20
    urgent_reserve: int = 5


@dataclass(frozen=True)
class Told:
    """What a citizen was told today."""

    ordinary: int = 0
    urgent: int = 0

    def and_one(self, urgent: bool) -> Told:
        return Told(self.ordinary, self.urgent + 1) if urgent else Told(self.ordinary + 1, self.urgent)


@dataclass(frozen=True)
class Fresh:
    """An alert that is about to be told."""

    id: UUID
    citizen_id: str
    urgent: bool
    made_at: datetime


def affords(budget: Budget, told: Told, urgent: bool) -> bool:
    """Whether one more may be told today."""
    if urgent and told.urgent < budget.urgent_reserve:
        return True
    spent = told.ordinary + max(0, told.urgent - budget.urgent_reserve)
    return spent < budget.per_day


def overflow(budget: Budget, told: Mapping[str, Told], fresh: Iterable[Fresh]) -> set[UUID]:
    """Which of the fresh alerts go to the digest: the later ones, each citizen for themselves."""
    so_far, over = dict(told), set[UUID]()
    for alert in sorted(fresh, key=lambda alert: (alert.made_at, alert.id)):
        known = so_far.get(alert.citizen_id, Told())
        if affords(budget, known, alert.urgent):
            so_far[alert.citizen_id] = known.and_one(alert.urgent)
        else:
            over.add(alert.id)
    return over


def day_began(now: datetime) -> datetime:
    """Midnight in Asia/Seoul; it is of the new day."""
    return datetime.combine(now.astimezone(SEOUL).date(), time(), SEOUL)
