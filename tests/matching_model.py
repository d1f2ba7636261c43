"""What matching means, as slowly and plainly as it can be said: one event at a time, every pair looked at, no index.

The engine must tell exactly what this tells. Nothing of the engine is used here, its geometry neither.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from functools import lru_cache
from uuid import UUID

from shapely import Point

from shared.clock import SEOUL
from shared.contracts import Posting, Watch
from shared.contracts.posting import Circle, veiled
from shared.geo import EARTH_M, district
from tests.engines import Step, Told

OLD = timedelta(minutes=10)
Zone = Enum("Zone", "INSIDE RIM BEYOND")


def metres_between(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """By the angle between two vectors from the earth's centre."""
    a, b = _vector(lat1, lon1), _vector(lat2, lon2)
    cross = (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
    return EARTH_M * math.atan2(math.hypot(*cross), sum(x * y for x, y in zip(a, b, strict=True)))


def _vector(lat: float, lon: float) -> tuple[float, float, float]:
    phi, theta = math.radians(lat), math.radians(lon)
    return math.cos(phi) * math.cos(theta), math.cos(phi) * math.sin(theta), math.sin(phi)


@dataclass
class Person:
    """A citizen: settings, the last accepted fix, how many there were, and at which one was last present where."""

    watch: Watch | None = None
    at: Step | None = None
    count: int = 0
    present: dict[UUID, int] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        return self.watch.consent_epoch if self.watch else 0

    @property
    def located(self) -> bool:
        return self.watch is not None and self.watch.located

    def matches(self, now: datetime) -> bool:
        return self.at is not None and self.at.observed_at >= now - OLD and self.at.epoch == self.epoch


@dataclass
class Model:
    people: dict[str, Person] = field(default_factory=dict)
    postings: dict[UUID, Posting] = field(default_factory=dict)
    told: dict[tuple[str, UUID], int] = field(default_factory=dict)

    def fix(self, step: Step, now: datetime) -> list[Told]:
        person = self.people.setdefault(step.citizen, Person())
        if not _passes(person, step):
            return []
        if not person.matches(now) or person.at is None or person.at.epoch != step.epoch:
            person.present.clear()
        person.at, person.count = step, person.count + 1
        return self._look(step.citizen, now, patience=2)

    def watch(self, watch: Watch, now: datetime) -> list[Told]:
        person = self.people.setdefault(watch.citizen_id, Person())
        if person.watch is not None and person.watch.version >= watch.version:
            return []
        if _wish(person.watch) != _wish(watch):
            person.present.clear()
        person.watch = watch
        refused_until = watch.consent_epoch - 1 if watch.located else watch.consent_epoch
        if person.at is not None and person.at.epoch <= refused_until:
            person.at = None
            person.present.clear()
        return self._look(watch.citizen_id, now)

    def posting(self, posting: Posting, now: datetime) -> list[Told]:
        known = self.postings.get(posting.id)
        if known is not None and known.version >= posting.version:
            return []
        self.postings[posting.id] = posting
        if known is not None and (not _open(known, now) or _offer(known) != _offer(posting)):
            for person in self.people.values():
                person.present.pop(posting.id, None)
        return [told for name in self.people for told in self._meet(name, posting, now, patience=0)]

    def tick(self, now: datetime) -> list[Told]:
        return [told for name in self.people for told in self._look(name, now)]

    def restarted(self, now: datetime) -> list[Told]:
        """Another worker took over: it knows what was told and where everybody is, and not who was present (M11)."""
        for person in self.people.values():
            person.present.clear()
        return self.tick(now)

    def _look(self, name: str, now: datetime, patience: int = 0) -> list[Told]:
        return [told for posting in self.postings.values() for told in self._meet(name, posting, now, patience)]

    def _meet(self, name: str, posting: Posting, now: datetime, patience: int) -> Iterator[Told]:
        person = self.people[name]
        watch = person.watch
        if watch is None or not _open(posting, now) or not _wants(watch, posting):
            return
        present = self._is_present(person, watch, posting, now, patience)
        if not (present or _is_home(watch, posting) or _follows(watch, posting)):
            return
        known = self.told.get((name, posting.id), -1)
        left_out = _muted(watch, posting) or veiled(posting.id, name) in posting.audience.not_for
        if known < posting.urgency_epoch and _free(watch, posting, now) and not left_out:
            self.told[name, posting.id] = posting.urgency_epoch
            yield Told(name, posting.id, posting.urgency_epoch)

    def _is_present(self, person: Person, watch: Watch, posting: Posting, now: datetime, patience: int) -> bool:
        if person.at is None or not person.matches(now) or not watch.located:
            return False
        zone, last = zone_of(person.at, watch, posting, now), person.present.get(posting.id)
        if zone is Zone.RIM and last is not None and person.count - last <= patience:
            zone = Zone.INSIDE
        if zone is not Zone.INSIDE:
            return False
        person.present[posting.id] = person.count
        return True


def _passes(person: Person, step: Step) -> bool:
    if step.epoch < person.epoch or (step.epoch == person.epoch and not person.located):
        return False
    if step.accuracy_m > 200:
        return False
    if person.at is None:
        return True
    seconds = (step.observed_at - person.at.observed_at).total_seconds()
    walked_m = metres_between(step.lat, step.lon, person.at.lat, person.at.lon)
    return seconds > 0 and walked_m - step.accuracy_m - person.at.accuracy_m <= 70 * seconds


def _wish(watch: Watch | None) -> tuple[object, ...]:
    """The settings by which presence is judged; who changes them comes anew."""
    if watch is None:
        return ()
    kinds = frozenset(watch.kinds) if watch.located and not watch.paused else frozenset()
    return kinds, frozenset(watch.interests), watch.radius_m, watch.birth_year, watch.consent_epoch


def _offer(posting: Posting) -> tuple[object, ...]:
    return posting.where, posting.widens, posting.kind, posting.audience, posting.starts_at


def _open(posting: Posting, now: datetime) -> bool:
    return posting.status == "open" and posting.expires_at > now


def _wants(watch: Watch, posting: Posting) -> bool:
    if watch.paused or posting.kind not in watch.kinds:
        return False
    ours, theirs = set(watch.interests), set(posting.audience.interests)
    if ours and theirs and not ours & theirs:
        return False
    if not posting.audience.min_age:
        return True
    year = (posting.starts_at or posting.changed_at).astimezone(SEOUL).year
    return watch.birth_year is not None and year - watch.birth_year - 1 >= posting.audience.min_age


def _free(watch: Watch, posting: Posting, now: datetime) -> bool:
    """By windows that neither touch nor overlap: joining is shown elsewhere."""
    if posting.kind != "job" or not (watch.windows or watch.weekly):
        return True
    starts = posting.starts_at or now
    ends = posting.ends_at or starts
    return any(w.starts_at <= now < w.ends_at and w.starts_at <= starts and ends <= w.ends_at for w in watch.windows)


def _muted(watch: Watch, posting: Posting) -> bool:
    topics = set(watch.muted_topics) & set(posting.audience.interests)
    muted = posting.id in watch.muted_postings or posting.audience.channel in watch.muted_channels or bool(topics)
    return muted and not posting.emergency


def _is_home(watch: Watch, posting: Posting) -> bool:
    """By the name of the 동, whichever of its two codes either says."""
    names = [{district().by_code[code].name for code in codes} for codes in (watch.home_dongs, posting.where.dongs)]
    return bool(names[0] & names[1])


def _follows(watch: Watch, posting: Posting) -> bool:
    return posting.audience.followers and posting.audience.channel in watch.follows


def zone_of(at: Step, watch: Watch, posting: Posting, now: datetime) -> Zone:
    found = [_zone_of_circle(at, watch, c.lat, c.lon, reach_m(posting, c, now)) for c in posting.where.circles]
    found += [Zone.INSIDE for code in posting.where.dongs if _is_in(code, at.lat, at.lon)]
    return min(found, key=lambda zone: zone.value, default=Zone.BEYOND)


def reach_m(posting: Posting, circle: Circle, now: datetime) -> float:
    return posting.widens.radius_m(circle.radius_m, now) if posting.widens else circle.radius_m


@lru_cache(1 << 16)
def _is_in(code: str, lat: float, lon: float) -> bool:
    return district().by_code[code].area.covers(Point(lon, lat))


def _zone_of_circle(at: Step, watch: Watch, lat: float, lon: float, radius_m: float) -> Zone:
    reach_m = min(radius_m, watch.radius_m or math.inf)
    metres = metres_between(at.lat, at.lon, lat, lon)
    if metres <= reach_m:
        return Zone.INSIDE
    return Zone.RIM if metres <= max(1.1 * reach_m, reach_m + 20) else Zone.BEYOND
