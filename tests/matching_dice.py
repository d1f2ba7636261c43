"""Citizens, postings and movement drawn at random so that what they do to one another is decided: mostly close by, mostly
wanted, and at the rims. A seed says all of it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from shared.contracts import Posting, Watch
from shared.contracts.posting import Circle, veiled
from shared.geo import EARTH_M, district
from tests.engines import PLACE
from tests.matching_model import reach_m
from tests.samples import NOW

Point = tuple[float, float]
T = TypeVar("T")

HERE = district().dong_at(*PLACE)
CODE = HERE.code if HERE else ""
AWAY = next(dong for dong in district().dongs if dong.code != CODE)
CHANNELS, INTERESTS = ("수완동", "송정동"), ("library", "cooking", "children")
ALL_KINDS = ("job", "space", "notice")


def away_from(place: Point, north_m: float, east_m: float) -> Point:
    lat = place[0] + math.degrees(north_m / EARTH_M)
    return lat, place[1] + math.degrees(east_m / (EARTH_M * math.cos(math.radians(lat))))


class Dice(random.Random):
    """Draws values; each function says how likely what is."""

    def chance(self, of: float) -> bool:
        return self.random() < of

    def mostly(self, usual: T, *others: T, of: float = 0.7) -> T:
        return usual if self.chance(of) else self.choice(others)

    def around(self, place: Point, metres: float) -> Point:
        angle = self.uniform(0, 2 * math.pi)
        return away_from(place, metres * math.cos(angle), metres * math.sin(angle))

    def circle(self, where: Point = PLACE, spread_m: float = 400) -> dict[str, Any]:
        lat, lon = self.around(where, self.uniform(0, spread_m))
        return {"lat": lat, "lon": lon, "radius_m": self.choice((60, 100, 190, 210, 300, 700))}

    def where(self) -> dict[str, Any]:
        if self.chance(0.15):
            return {"dongs": [self.choice((CODE, CODE, AWAY.code, AWAY.old_code))], "circles": ()}
        circles = [self.circle()]
        if self.chance(0.25):
            circles.append(self.circle(spread_m=self.choice((150, 6_000))))
        return {"circles": circles, "dongs": [AWAY.code] if self.chance(0.1) else []}

    def audience(self) -> dict[str, Any]:
        return {
            "interests": self.mostly((), ("library",), ("cooking", "library")),
            "min_age": self.mostly(None, 18, 19, of=0.8),
            "channel": self.choice((None, *CHANNELS)),
            "followers": self.chance(0.3),
        }

    def offer(self, now: datetime) -> dict[str, Any]:
        """What of a posting may be edited."""
        starts_at = self.mostly(None, NOW + timedelta(hours=self.choice((1, 4, 8))), of=0.6)
        steps = tuple(sorted(self.sample((100, 300, 500, 1_000, 1_500), 3)))
        widens = {"steps_m": steps, "every_s": self.choice((60, 300)), "began_at": now}
        return {
            "kind": self.mostly("notice", "job", "job", "space", of=0.4),
            "where": self.where(),
            "widens": widens if self.chance(0.3) else None,
            "audience": self.audience(),
            "shift": (starts_at, starts_at + timedelta(hours=2) if starts_at and self.chance(0.5) else None),
            "expires_at": now + timedelta(minutes=self.mostly(1_440, 5, 20, of=0.8)),
            "emergency": self.chance(0.15),
        }

    def not_for(self, posting: Posting, citizens: Sequence[str]) -> tuple[str, ...]:
        return tuple(veiled(posting.id, citizen) for citizen in citizens if self.chance(0.3))

    def wish(self, now: datetime, offers: Sequence[Posting]) -> dict[str, Any]:
        """What a citizen may set, consent apart."""
        return {
            "kinds": self.mostly(ALL_KINDS, ("job",), ("space", "notice"), of=0.8),
            "interests": self.mostly((), ("library",), ("children",), INTERESTS, of=0.6),
            "radius_m": self.mostly(None, 2_000, 250, 90, of=0.5),
            "birth_year": self.mostly(1980, None, 2007, 2015, of=0.6),
            "paused": self.chance(0.05),
            "windows": self.windows(now),
            "quiet": self.mostly(None, {"starts": "17:00", "ends": "19:30"}),
            "muted_channels": self.mostly((), ("수완동",), of=0.8),
            "muted_topics": self.mostly((), ("cooking",), of=0.8),
            "muted_postings": tuple(offer.id for offer in offers if self.chance(0.08)),
            "home_dongs": self.mostly((), (AWAY.old_code,), (CODE, AWAY.code), of=0.6),
            "follows": self.mostly((), CHANNELS, CHANNELS[:1], of=0.6),
        }

    def windows(self, now: datetime) -> list[dict[str, datetime]]:
        """None, or one or two that neither touch nor overlap, of which the first begins soon or has begun."""
        if self.chance(0.5):
            return []
        begins = now + timedelta(minutes=self.choice((-60, 1, 3, 10)))
        ends = begins + timedelta(minutes=self.choice((63, 90, 600)))
        spans = [(begins, ends), (ends + timedelta(minutes=2), ends + timedelta(hours=9))]
        return [{"starts_at": a, "ends_at": b} for a, b in spans[: self.choice((1, 2))]]

    def somewhere(self, offers: Sequence[Posting], watch: Watch | None, before: Point, now: datetime) -> Point:
        """About the rims of something that is open, or some steps from before, or in another 동."""
        circles = [(offer, circle) for offer in offers for circle in offer.where.circles]
        if not circles or self.chance(0.15):
            return self.around(before, self.uniform(5, 80))
        if self.chance(0.05):
            inside = AWAY.area.representative_point()
            return inside.y, inside.x
        return self.about(*self.choice(circles), watch, now)

    def about(self, offer: Posting, circle: Circle, watch: Watch | None, now: datetime) -> Point:
        """Inside of a circle, in its exit rim or beyond, mostly by a metre; or far away, in another cell."""
        radius_m = min(reach_m(offer, circle, now), (watch and watch.radius_m) or math.inf)
        rim_m = max(1.1 * radius_m, radius_m + 20)
        metres = self.choice((
            0.3 * radius_m, radius_m - 1, radius_m - 4, radius_m + 1, (radius_m + rim_m) / 2, (radius_m + rim_m) / 2,
            rim_m - 1, rim_m + 1, rim_m + 30, 1.5 * rim_m, rim_m + 2_000,
        ))  # fmt: skip
        return self.around((circle.lat, circle.lon), metres + self.uniform(-0.4, 0.4))
