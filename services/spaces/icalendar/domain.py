"""Calendars of others as busy times, and what an import of one changes. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

MOST_OCCURRENCES = 20_000


@dataclass(frozen=True, order=True)
class Busy:
    """One occurrence of an event: half open, in UTC."""

    uid: str
    sequence: int
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class EventError:
    """What is wrong with an event; `number` counts events in the file from 1."""

    number: int
    uid: str
    rule: str
    detail: str


@dataclass
class Reading:
    """What a calendar says: busy times to come, events cancelled (uid: sequence), what was left out, what is wrong."""

    events: int = 0
    busy: list[Busy] = field(default_factory=list)
    cancelled: dict[str, int] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)
    free: int = 0
    past: int = 0
    errors: list[EventError] = field(default_factory=list)


@dataclass(frozen=True)
class Kept:
    """A busy time that an import made before; `held` while it still shuts the space."""

    id: UUID
    uid: str
    sequence: int
    starts_at: datetime
    ends_at: datetime
    held: bool


@dataclass
class Changes:
    """What an import does: times to add, closures to lift, events whose file is older than what is known."""

    add: list[Busy] = field(default_factory=list)
    lift: list[UUID] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    unchanged: int = 0
    sequences: Mapping[str, int] = field(default_factory=dict)


def changes_of(reading: Reading, kept: Iterable[Kept], now: datetime, *, whole: bool) -> Changes:
    """An event counts by UID and SEQUENCE (RFC 5546): an older file of it changes nothing, the same one changes what
    differs. `whole`: what the file no longer has is gone. Times that are over stay as they were.
    """
    before: dict[str, list[Kept]] = defaultdict(list)
    for one in kept:
        before[one.uid].append(one)
    wanted: dict[str, list[Busy]] = {uid: [] for uid in (*reading.sequences, *reading.cancelled)}
    for busy in reading.busy:
        wanted[busy.uid].append(busy)
    done = Changes(sequences={**reading.sequences, **reading.cancelled})
    for uid, times in wanted.items():
        known = before.get(uid, [])
        if any(one.sequence > done.sequences[uid] for one in known):
            done.stale.append(uid)
            continue
        _compare(done, times, [one for one in known if one.held and one.ends_at > now])
    wrong = {error.uid for error in reading.errors}
    if whole and not any(not uid for uid in wrong):
        gone = (one for uid, many in before.items() if uid not in wanted and uid not in wrong for one in many)
        done.lift += [one.id for one in gone if one.held and one.ends_at > now]
    return done


def _compare(done: Changes, times: list[Busy], held: list[Kept]) -> None:
    there = {(one.starts_at, one.ends_at): one for one in held}
    wanted = {(one.starts_at, one.ends_at): one for one in times}
    done.add += [one for when, one in wanted.items() if when not in there]
    done.lift += [one.id for when, one in there.items() if when not in wanted]
    done.unchanged += len(there.keys() & wanted.keys())
