"""Trust earned by finished work: reviews that are shown together, and a profile that is nothing but what was told. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from shared.contracts import Event
from shared.contracts.job import ClaimChanged, HoursEntered, ReviewChanged
from shared.rules import Conflict, Refused

Side = Literal["citizen", "institution"]
TAGS: dict[Side, frozenset[str]] = {
    "institution": frozenset({"punctual", "kind", "careful", "skilled", "reliable", "hurried", "late", "careless"}),
    "citizen": frozenset(
        {"clear", "respectful", "safe", "paid-as-said", "welcoming", "unclear", "unsafe", "other-work"}
    ),
}
MOST_TAGS = 5


@dataclass(frozen=True)
class Review:
    """One side's word about a finished job."""

    id: UUID
    claim_id: UUID
    posting_id: UUID
    institution: str
    citizen_id: str
    by: Side
    version: int
    state: Literal["sealed", "revealed", "hidden"]
    tags: tuple[str, ...]
    recommends: bool
    comment: str
    appeal: str | None
    appealed_at: datetime | None
    decided_because: str | None
    created_at: datetime
    changed_at: datetime

    def shown(self, now: datetime, after: timedelta) -> bool:
        """Whether the other side may read it: revealed, or due by now whether or not anybody has come to reveal it."""
        return self.state == "revealed" or (self.state == "sealed" and now >= self.created_at + after)


def check_tags(by: Side, tags: tuple[str, ...]) -> None:
    unknown = sorted(set(tags) - TAGS[by])
    if unknown or len(set(tags)) != len(tags) or len(tags) > MOST_TAGS:
        raise Refused("tags", "tags", f"up to {MOST_TAGS} of {', '.join(sorted(TAGS[by]))}, each once")


def check_time(existing: Iterable[Review], by: Side, now: datetime, after: timedelta) -> None:
    """One review a side; none any more once the other has been shown. Raises Conflict."""
    for review in existing:
        if review.by == by:
            raise Conflict("claim", "reviewed-already", "this side has said its word")
        if review.shown(now, after) or review.state == "hidden":
            raise Conflict("claim", "review-closed", "the other side's review has been shown: the time is over")


def revealed(review: Review, now: datetime) -> Review:
    return replace(review, state="revealed", version=review.version + 1, changed_at=now)


def appealed(review: Review, reason: str, now: datetime) -> Review:
    if review.state != "revealed" or review.appealed_at is not None:
        raise Conflict("review", "not-appealable", "a review that is shown is appealed against once")
    return replace(review, appeal=reason, appealed_at=now, version=review.version + 1, changed_at=now)


def decided(review: Review, *, hide: bool, because: str, now: datetime) -> Review:
    if review.appealed_at is None or review.decided_because is not None:
        raise Conflict("review", "no-appeal", "there is no appeal to decide")
    state: Literal["hidden", "revealed"] = "hidden" if hide else "revealed"
    return replace(review, state=state, decided_because=because, version=review.version + 1, changed_at=now)


def as_event(review: Review) -> ReviewChanged:
    """What is sealed says nothing of what was written, what is hidden no longer does."""
    open_ = review.state == "revealed"
    return ReviewChanged(
        id=review.id, claim_id=review.claim_id, posting_id=review.posting_id, institution=review.institution,
        citizen_id=review.citizen_id, by=review.by, version=review.version, state=review.state,
        tags=review.tags if open_ else (), recommends=review.recommends if open_ else None, changed_at=review.changed_at,
    )  # fmt: skip


@dataclass
class Facts:
    """What a profile is made of, each thing by its id, so that order and repetition do not matter."""

    claims: dict[str, dict[str, Any]] = field(default_factory=dict)
    hours: dict[str, int] = field(default_factory=dict)
    reviews: dict[str, dict[str, Any]] = field(default_factory=dict)

    def take(self, event: Event) -> bool:
        """Take an event in. False where it says nothing of a profile, or nothing new."""
        if isinstance(event, ClaimChanged):
            told: dict[str, Any] = {
                "state": event.state,
                "on_time": event.on_time,
                "late": event.late,
                "at": event.institution,
            }
            return _newer(self.claims, str(event.id), event.version, told)
        if isinstance(event, HoursEntered):
            fresh = str(event.id) not in self.hours
            self.hours[str(event.id)] = event.minutes
            return fresh
        if isinstance(event, ReviewChanged) and event.by == "institution":
            told = {"state": event.state, "tags": sorted(event.tags), "recommends": event.recommends}
            return _newer(self.reviews, str(event.id), event.version, told)
        return False


def _newer(known: dict[str, dict[str, Any]], id_: str, version: int, told: dict[str, Any]) -> bool:
    if id_ in known and known[id_]["version"] >= version:
        return False
    known[id_] = {**told, "version": version}
    return True


def speaks_of_a_profile(event: Event) -> bool:
    """Most changes of a claim are no news of anybody's trust."""
    if isinstance(event, ClaimChanged):
        return event.state in ("finished", "disputed", "no_show") or event.late
    return isinstance(event, HoursEntered | ReviewChanged)


@dataclass(frozen=True)
class Profile:
    """Earned by finished work alone. A no-show is a no-show, never a bad review (J7)."""

    finished_jobs: int = 0
    hours: float = 0.0
    rehire_rate: float | None = None
    punctuality: float | None = None
    recommendations: int = 0
    reviews: int = 0
    tags: tuple[tuple[str, int], ...] = ()
    no_shows: int = 0
    late_dropouts: int = 0
    badges: tuple[str, ...] = ()


def profile_of(facts: Facts, *, badge_jobs: int, badge_recommendations: int) -> Profile:
    """Re-hire rate: of the institutions worked for, the share that had them again. Punctuality: of finished jobs that
    were checked in to, the share that began on time.
    """
    finished = [claim for claim in facts.claims.values() if claim["state"] == "finished"]
    times = Counter(claim["at"] for claim in finished)
    timed = [claim["on_time"] for claim in finished if claim["on_time"] is not None]
    shown = [review for review in facts.reviews.values() if review["state"] == "revealed"]
    recommended = sum(bool(review["recommends"]) for review in shown)
    tags = Counter(tag for review in shown for tag in review["tags"])
    earned = len(finished) >= badge_jobs and recommended >= badge_recommendations
    return Profile(
        finished_jobs=len(finished), hours=round(sum(facts.hours.values()) / 60, 2),
        rehire_rate=round(sum(n > 1 for n in times.values()) / len(times), 2) if times else None,
        punctuality=round(sum(timed) / len(timed), 2) if timed else None,
        recommendations=recommended, reviews=len(shown), tags=tuple(sorted(tags.items(), key=lambda t: (-t[1], t[0]))),
        no_shows=sum(claim["state"] == "no_show" for claim in facts.claims.values()),
        late_dropouts=sum(bool(claim["late"]) for claim in facts.claims.values()),
        badges=("trusted-neighbour",) if earned else (),
    )  # fmt: skip
