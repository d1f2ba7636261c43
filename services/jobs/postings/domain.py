"""Job postings: what they are and the rules of opening, editing, filling and closing one. Pure: the time is passed in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from shared.contracts import Posting
from shared.contracts.alert import DISTANCE_STEP_M
from shared.contracts.posting import Audience, Circle, Shows, Where, Widening
from shared.geo import haversine_m
from shared.offers import domain as offers
from shared.offers.domain import Offer, Place
from shared.rules import Conflict, Refused

PayPer = Literal["hour", "piece", "day"]
Approval = Literal["instant", "officer"]
LONGEST_SHIFT = timedelta(hours=24)
FARTHEST_START = timedelta(days=366)
FILLED = "마감: 자리가 모두 찼습니다"
MOST_NOT_FOR = 50
AGREED = ("pay_krw", "pay_per", "piece_minutes", "starts_at", "ends_at")


@dataclass(frozen=True)
class Terms:
    """What an officer decides about a posting; from `widening` on, what became of it."""

    headline: str
    description: str
    place: Place
    radius_m: int
    interests: tuple[str, ...]
    min_age: int | None
    starts_at: datetime
    ends_at: datetime
    expires_at: datetime
    pay_krw: int
    pay_per: PayPer
    slots: int
    urgent: bool
    category: str | None = None
    approval: Approval = "instant"
    piece_minutes: int | None = None
    series_id: UUID | None = None
    widening: Widening | None = None
    not_for: tuple[str, ...] = ()
    cancelled: bool = False


JobPosting = Offer[Terms]


@dataclass(frozen=True)
class WideningPlan:
    """How far an urgent posting reaches, and how fast (J5); settings."""

    steps_m: tuple[int, ...] = (700, 1_000, 1_500)
    every_s: int = 300

    def from_(self, now: datetime) -> Widening:
        return Widening(steps_m=self.steps_m, every_s=self.every_s, began_at=now)


def open_posting(
    id_: UUID, terms: Terms, *, institution: str, posted_by: str, now: datetime, plan: WideningPlan | None = None
) -> JobPosting:
    """A new posting, open from now; an urgent one widens by the plan. Raises Refused."""
    _check(terms, now)
    if terms.urgent and plan is not None:
        terms = replace(terms, widening=plan.from_(now))
    return offers.opened(id_, terms, institution=institution, posted_by=posted_by, now=now)


def is_filled(posting: JobPosting) -> bool:
    """Closed only because every place is taken: it opens again when one becomes free."""
    return posting.status == "closed" and posting.closed_because == FILLED


def _editable(posting: JobPosting) -> JobPosting:
    return replace(posting, status="open", closed_because=None) if is_filled(posting) else posting


def edited_terms(posting: JobPosting, changes: dict[str, Any]) -> Terms:
    """The terms with the changes. Where the posting expires at its start, moving the start moves the expiry with it."""
    if "starts_at" in changes and posting.terms.expires_at == posting.terms.starts_at:
        changes = {"expires_at": changes["starts_at"], **changes}
    return offers.amended(_editable(posting), changes)


def edit(
    posting: JobPosting, changes: dict[str, Any], now: datetime, *, taken: int = 0, plan: WideningPlan | None = None
) -> JobPosting:
    """The posting with changed terms, one version on; the same posting when nothing changes.

    Becoming urgent begins a new urgency epoch: those alerted before hear of it once more (J2). So does another place: what
    was told of the old one is retracted, and the new area is evaluated (J9). More places open a filled posting again.
    """
    before, editable, terms = posting.terms, _editable(posting), edited_terms(posting, changes)
    if terms == before:
        return posting
    _check(terms, now)
    if terms.slots < taken:
        raise Refused("slots", "slots-taken", f"{taken} places are taken already")
    newly_urgent = terms.urgent and not before.urgent
    moved = haversine_m(before.place.lat, before.place.lon, terms.place.lat, terms.place.lon) > DISTANCE_STEP_M
    if terms.urgent != before.urgent:
        terms = replace(terms, widening=plan.from_(now) if plan and terms.urgent else None)
    after = offers.changed(editable, terms, now, told_anew=newly_urgent or moved)
    return replace(after, status="closed", closed_because=FILLED) if 0 < terms.slots == taken else after


def asks_again(before: JobPosting, after: JobPosting) -> bool:
    """Whether those who have a place must confirm again: pay or time changed (J9)."""
    return any(getattr(before.terms, name) != getattr(after.terms, name) for name in AGREED)


def close(posting: JobPosting, reason: str, now: datetime) -> JobPosting:
    """Nobody else is wanted; what was agreed stays. A filled posting then stays closed for good."""
    if is_filled(posting) and reason != FILLED:
        posting = replace(posting, status="open")
    return offers.closed(posting, reason, now)


def cancel(posting: JobPosting, reason: str, now: datetime) -> JobPosting:
    """The work does not take place; the reason is kept. Cancelling twice changes nothing."""
    if posting.terms.cancelled:
        return posting
    if posting.terms.starts_at <= now:
        raise Conflict("status", "started", "what has begun is not cancelled; its hours are settled")
    off = replace(posting, status="open", terms=replace(posting.terms, cancelled=True, widening=None))
    return offers.closed(off, reason, now)


def fill(posting: JobPosting, now: datetime) -> JobPosting:
    """Every place is taken: everybody else's alert turns into 마감 (J4)."""
    return offers.closed(replace(posting, terms=replace(posting.terms, widening=None)), FILLED, now)


def free_again(
    posting: JobPosting, now: datetime, *, late: bool, not_for: tuple[str, ...], plan: WideningPlan
) -> JobPosting:
    """A place became free. Late (J5) that is told anew: urgent, a new epoch, circles that widen; else quietly open."""
    if not (is_filled(posting) or posting.status == "open") or posting.terms.expires_at <= now:
        return posting
    terms = replace(posting.terms, not_for=not_for[-MOST_NOT_FOR:])
    if late:
        terms = replace(terms, urgent=True, widening=plan.from_(now))
    elif posting.status == "open" and terms == posting.terms:
        return posting
    return offers.changed(replace(posting, status="open", closed_because=None), terms, now, told_anew=late)


def broken_terms(terms: Terms, now: datetime) -> list[Refused]:
    """Everything that is wrong with the times of a posting in themselves."""
    broken: list[Refused] = []
    if terms.ends_at <= terms.starts_at:
        broken.append(Refused("ends_at", "after-start", "the work must end after it starts"))
    if terms.ends_at - terms.starts_at > LONGEST_SHIFT:
        broken.append(Refused("ends_at", "shift-too-long", "one posting covers at most 24 hours"))
    if terms.ends_at <= now:
        broken.append(Refused("ends_at", "in-future", "the work is already over"))
    if terms.starts_at - now > FARTHEST_START:
        broken.append(Refused("starts_at", "too-far", "the work may start at most a year from now"))
    if terms.expires_at <= now:
        detail = "a posting expires in the future; its default is the start of the work"
        broken.append(Refused("expires_at", "in-future", detail))
    if terms.expires_at > terms.ends_at and terms.ends_at > terms.starts_at:
        broken.append(Refused("expires_at", "before-end", "a posting expires at the end of the work at the latest"))
    return broken


def _check(terms: Terms, now: datetime) -> None:
    for refused in broken_terms(terms, now):
        raise refused


def as_posting(posting: JobPosting) -> Posting:
    """What the platform sees of it: the shared contract."""
    terms = posting.terms
    return Posting(
        id=posting.id, kind="job", version=posting.version, urgency_epoch=posting.urgency_epoch, urgent=terms.urgent,
        status=posting.status, closed_because=posting.closed_because, widens=terms.widening,
        where=Where(circles=(Circle(lat=terms.place.lat, lon=terms.place.lon, radius_m=terms.radius_m),)),
        audience=Audience(interests=terms.interests, min_age=terms.min_age, channel=posting.institution,
                          not_for=terms.not_for),
        headline=terms.headline, institution=posting.institution,
        starts_at=terms.starts_at, ends_at=terms.ends_at, expires_at=terms.expires_at,
        shows=Shows(place=terms.place.name, pay_krw=terms.pay_krw, pay_per=terms.pay_per),
        link=f"/api/jobs/postings/{posting.id}", changed_at=posting.changed_at,
    )  # fmt: skip
