"""Who must hear of what: brute force over every fix and every posting, written from the rules, not from the engine.

Rules are named as in the product's terms: M1 (rim inside, accuracy, speed), M2 (a posting that opens), M3 (event time,
ten minutes), J2 (once per citizen and posting). What cannot be known from outside is not judged: a decisive distance within
a metre of the rim, a speed close to the limit, a fix on its way just while a posting opened.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import numpy as np
from numpy.typing import NDArray

from demo import areas

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]
Pair = tuple[int, int]

EARTH_M = 6_371_008.8
MAX_ACCURACY_M = 200.0
MAX_SPEED_M_S = 70.0
SPEED_DOUBT_M_S = 0.5
STALE_S = 600.0
STALE_DOUBT_S = 10.0
RIM_M = 1.0
ON_ITS_WAY_S = 5.0
AT_OPENING = -1
SEOUL = timezone(timedelta(hours=9))


@dataclass(frozen=True)
class Citizen:
    """What a citizen wants to hear of. Empty interests are all, no radius is the posting's own; `free` is their one
    window, None always."""

    kinds: frozenset[str] = frozenset({"job", "space", "notice"})
    interests: frozenset[str] = frozenset()
    radius_m: float = math.inf
    birth_year: int | None = None
    free: tuple[datetime, datetime] | None = None


@dataclass(frozen=True)
class Posting:
    """What is open, where and for whom. Opened between `asked_at` and `known_at` (seconds of the wall clock)."""

    kind: str
    circles: tuple[tuple[float, float, float], ...] = ()
    dongs: tuple[str, ...] = ()
    interests: frozenset[str] = frozenset()
    min_age: int = 0
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    asked_at: float = -math.inf
    known_at: float = -math.inf


@dataclass(frozen=True)
class Movement:
    """Every fix that was sent, in each citizen's own order. Times are seconds since 1970; `taken_at` is the answer's."""

    citizen: I64
    observed_at: F64
    lat: F64
    lon: F64
    accuracy_m: F64
    asked_at: F64
    taken_at: F64


@dataclass
class Truth:
    """(citizen, posting) → the fix that decides, or AT_OPENING; and the pairs that may be told but need not."""

    expected: dict[Pair, int] = field(default_factory=dict)
    unjudged: set[Pair] = field(default_factory=set)


def metres_between(lat1: F64, lon1: F64, lat2: float, lon2: float) -> F64:
    """Great-circle distance on the mean sphere, from the chord between two unit vectors."""
    p1, l1, p2, l2 = np.radians(lat1), np.radians(lon1), math.radians(lat2), math.radians(lon2)
    x = np.cos(p1) * np.cos(l1) - math.cos(p2) * math.cos(l2)
    y = np.cos(p1) * np.sin(l1) - math.cos(p2) * math.sin(l2)
    z = np.sin(p1) - math.sin(p2)
    distance: F64 = 2.0 * EARTH_M * np.arcsin(np.minimum(1.0, np.sqrt(x * x + y * y + z * z) / 2.0))
    return distance


def moves(m: Movement, max_speed_m_s: float = MAX_SPEED_M_S) -> Mask:
    """Which fixes move their citizen: accurate enough, newer than the newest, at a plausible speed (M1, M3)."""
    taken = np.zeros(len(m.citizen), np.bool_)
    newest: dict[int, int] = {}
    for i, citizen in enumerate(m.citizen.tolist()):
        if m.accuracy_m[i] > MAX_ACCURACY_M or m.asked_at[i] - m.observed_at[i] > STALE_S:
            continue
        before = newest.get(citizen)
        if before is not None:
            seconds = m.observed_at[i] - m.observed_at[before]
            if seconds <= 0:
                continue
            metres = metres_between(m.lat[i : i + 1], m.lon[i : i + 1], float(m.lat[before]), float(m.lon[before]))[0]
            if metres - m.accuracy_m[i] - m.accuracy_m[before] > max_speed_m_s * seconds:
                continue
        newest[citizen] = i
        taken[i] = True
    return taken


def wants(citizen: Citizen, posting: Posting, now: datetime) -> bool:
    """All that is decided without a place: kind, interests, age, and for a job the time (J2)."""
    if posting.kind not in citizen.kinds:
        return False
    if posting.interests and citizen.interests and not posting.interests & citizen.interests:
        return False
    year = (posting.starts_at or now).astimezone(SEOUL).year
    # Born some time in that year: on some day of the year the citizen is still one younger.
    if posting.min_age and (citizen.birth_year is None or year - citizen.birth_year - 1 < posting.min_age):
        return False
    if posting.kind != "job" or citizen.free is None:
        return True
    begins, ends = citizen.free
    shift_fits = (posting.starts_at or begins) >= begins and (posting.ends_at or ends) <= ends
    return begins <= now < ends and shift_fits


def within(posting: Posting, m: Movement, reach_m: F64, slack_m: float) -> Mask:
    """Which fixes are inside; the rim is. With slack the rim lies so much farther out (negative: farther in)."""
    found = np.zeros(len(m.citizen), np.bool_)
    for lat, lon, radius_m in posting.circles:
        near = np.flatnonzero(np.abs(m.lat - lat) * 111_000 < radius_m + 500)
        distance_m = metres_between(m.lat[near], m.lon[near], lat, lon)
        found[near] |= distance_m <= np.minimum(radius_m, reach_m[near]) + slack_m
    for code in posting.dongs:
        inside = areas.inside(code, m.lat, m.lon)
        if slack_m:
            border = areas.border_m(code, m.lat, m.lon)
            inside = inside | (border <= slack_m) if slack_m > 0 else inside & (border > -slack_m)
        found |= inside
    return found


def truth_of(citizens: Sequence[Citizen], postings: Sequence[Posting], m: Movement, now: datetime) -> Truth:
    """What every citizen must, may and must not be told, whatever order things happened in inside the product."""
    truth = Truth()
    strict, lenient = (moves(m, MAX_SPEED_M_S + doubt) for doubt in (-SPEED_DOUBT_M_S, SPEED_DOUBT_M_S))
    # After a fix of doubt the two histories may differ, in either direction: what is sure holds in both.
    sure, maybe = strict & lenient, strict | lenient
    sure &= m.taken_at - m.observed_at <= STALE_S - STALE_DOUBT_S
    reach_m = np.array([c.radius_m for c in citizens])[m.citizen] if len(m.citizen) else np.zeros(0)
    for p, posting in enumerate(postings):
        wanted = np.array([wants(citizen, posting, now) for citizen in citizens], np.bool_)[m.citizen]
        hard = within(posting, m, reach_m, -RIM_M) & sure & wanted
        soft = within(posting, m, reach_m, RIM_M) & maybe & wanted
        exact = soft & within(posting, m, reach_m, 0.0)
        if math.isinf(posting.known_at):
            _judge_open(p, m, (hard, soft, exact), truth)
        else:
            _judge_opening(p, posting, m, (hard, soft, exact), maybe, truth)
    return truth


def _judge_open(p: int, m: Movement, inside: tuple[Mask, Mask, Mask], truth: Truth) -> None:
    """Open from the first fix to the last: whoever was inside at any fix must be told."""
    hard, soft, exact = inside
    certain = set(m.citizen[hard].tolist())
    truth.unjudged |= {(c, p) for c in m.citizen[soft].tolist() if c not in certain}
    for row in np.flatnonzero(exact)[::-1].tolist():
        if int(m.citizen[row]) in certain:
            truth.expected[int(m.citizen[row]), p] = row


def _judge_opening(
    p: int, posting: Posting, m: Movement, inside: tuple[Mask, Mask, Mask], maybe: Mask, truth: Truth
) -> None:
    """Opened during the run: those inside afterwards, and those who stood inside when it opened (M2)."""
    hard, soft, exact = inside
    before = m.taken_at + ON_ITS_WAY_S <= posting.asked_at
    after = m.asked_at >= posting.known_at
    fresh = posting.known_at - m.observed_at <= STALE_S - STALE_DOUBT_S
    for citizen in np.unique(m.citizen[soft]).tolist():
        rows = np.flatnonzero((m.citizen == citizen) & maybe)
        settled = rows[before[rows]][-1:]
        moving = rows[~before[rows] & ~after[rows]]
        standing, later = np.concatenate([settled, moving]), rows[after[rows]]
        if len(standing) and (hard & fresh)[standing].all():
            truth.expected[citizen, p] = AT_OPENING
        elif hard[later].any():
            # Whoever may have been told at the opening already gives no figure for the time from fix to alert.
            truth.expected[citizen, p] = AT_OPENING if soft[standing].any() else int(later[exact[later]][0])
        elif soft[standing].any() or soft[later].any():
            truth.unjudged.add((citizen, p))
