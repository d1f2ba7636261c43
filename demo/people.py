"""Sample citizens: one for each slice of the recording, a third of them with settings of their own."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from demo.offers import INTERESTS
from demo.traces import Slice
from demo.truth import Citizen

KINDS = ("job", "space", "notice")
RADII_M = (300, 500, 700, 1_000, 1_500)
ACCURACY_M = (5.0, 35.0)
# A demonstration at night is one all the same: these citizens have no quiet hours.
AWAKE = {"quiet": {"starts": "00:00", "ends": "00:00"}}


@dataclass(frozen=True)
class Person:
    """A citizen who exists for this run only. `watch` is what they send to PUT /watch."""

    label: str
    name: str
    way: Slice
    accuracy_m: tuple[float, ...]
    wants: Citizen
    watch: dict[str, Any]

    @property
    def who(self) -> str:
        return f"citizen:{self.name}"


def sample(ways: list[Slice], run: str, seed: int, now: datetime) -> list[Person]:
    """The same recording, seed and time give the same citizens."""
    chance = random.Random(seed)
    digits = max(3, len(str(len(ways))))
    return [_person(i + 1, way, run, digits, chance, now) for i, way in enumerate(ways)]


def _person(number: int, way: Slice, run: str, digits: int, chance: random.Random, now: datetime) -> Person:
    accuracy = tuple(round(chance.uniform(*ACCURACY_M), 1) for _ in way.second)
    settings = _settings(chance, now) if chance.random() < 1 / 3 else {}
    padded = f"{number:0{digits}d}"
    return Person(f"시민 {padded}", f"demo-{run}-{padded}", way, accuracy, _as_citizen(settings), settings | AWAKE)


def _settings(chance: random.Random, now: datetime) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if chance.random() < 0.8:
        settings["radius_m"] = chance.choice(RADII_M)
    if chance.random() < 0.4:
        settings["kinds"] = sorted(chance.sample(KINDS, chance.choice((1, 2))))
    if chance.random() < 0.5:
        settings["interests"] = sorted(chance.sample(INTERESTS, chance.choice((2, 3, 4))))
    if chance.random() < 0.6:
        settings["birth_year"] = chance.randrange(1945, 2012)
    if chance.random() < 0.4:
        begins, ends = now - timedelta(hours=1), now + timedelta(hours=chance.choice((6, 12, 30)))
        settings["windows"] = [{"starts_at": begins.isoformat(), "ends_at": ends.isoformat()}]
    return settings


def _as_citizen(settings: dict[str, Any]) -> Citizen:
    window = next(iter(settings.get("windows", ())), None)
    return Citizen(
        kinds=frozenset(settings.get("kinds", KINDS)),
        interests=frozenset(settings.get("interests", ())),
        radius_m=settings.get("radius_m", math.inf),
        birth_year=settings.get("birth_year"),
        free=window and (datetime.fromisoformat(window["starts_at"]), datetime.fromisoformat(window["ends_at"])),
    )
