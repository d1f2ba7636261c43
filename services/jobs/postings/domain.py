"""Job postings: what they are and the rules of opening, editing and closing one. Pure: the time is passed in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from shared.contracts import Posting
from shared.contracts.posting import Audience, Circle, Shows, Where
from shared.offers import domain as offers
from shared.offers.domain import Offer, Place
from shared.rules import Refused

PayPer = Literal["hour", "piece", "day"]
LONGEST_SHIFT = timedelta(hours=24)
FARTHEST_START = timedelta(days=366)


@dataclass(frozen=True)
class Terms:
    """What an officer decides about a posting."""

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


JobPosting = Offer[Terms]
close = offers.closed


def open_posting(id_: UUID, terms: Terms, *, institution: str, posted_by: str, now: datetime) -> JobPosting:
    """A new posting, open from now. Raises Refused."""
    _check(terms, now)
    return offers.opened(id_, terms, institution=institution, posted_by=posted_by, now=now)


def edit(posting: JobPosting, changes: dict[str, Any], now: datetime) -> JobPosting:
    """The posting with changed terms, one version on; the same posting when nothing changes.

    Becoming urgent begins a new urgency epoch: those alerted before hear of it once more (J2). Where the posting
    expires at its start, moving the start moves the expiry with it.
    """
    before = posting.terms
    if "starts_at" in changes and before.expires_at == before.starts_at:
        changes = {"expires_at": changes["starts_at"], **changes}
    terms = offers.amended(posting, changes)
    if terms == before:
        return posting
    _check(terms, now)
    return offers.changed(posting, terms, now, told_anew=terms.urgent and not before.urgent)


def _check(terms: Terms, now: datetime) -> None:
    if terms.ends_at <= terms.starts_at:
        raise Refused("ends_at", "after-start", "the work must end after it starts")
    if terms.ends_at - terms.starts_at > LONGEST_SHIFT:
        raise Refused("ends_at", "shift-too-long", "one posting covers at most 24 hours")
    if terms.ends_at <= now:
        raise Refused("ends_at", "in-future", "the work is already over")
    if terms.starts_at - now > FARTHEST_START:
        raise Refused("starts_at", "too-far", "the work may start at most a year from now")
    if terms.expires_at <= now:
        raise Refused(
            "expires_at", "in-future", "a posting expires in the future; its default is the start of the work"
        )
    if terms.expires_at > terms.ends_at:
        raise Refused("expires_at", "before-end", "a posting expires at the end of the work at the latest")


def as_posting(posting: JobPosting) -> Posting:
    """What the platform sees of it: the shared contract."""
    terms = posting.terms
    return Posting(
        id=posting.id, kind="job", version=posting.version, urgency_epoch=posting.urgency_epoch, urgent=terms.urgent,
        status=posting.status, closed_because=posting.closed_because,
        where=Where(circles=(Circle(lat=terms.place.lat, lon=terms.place.lon, radius_m=terms.radius_m),)),
        audience=Audience(interests=terms.interests, min_age=terms.min_age, channel=posting.institution),
        headline=terms.headline, institution=posting.institution,
        starts_at=terms.starts_at, ends_at=terms.ends_at, expires_at=terms.expires_at,
        shows=Shows(place=terms.place.name, pay_krw=terms.pay_krw, pay_per=terms.pay_per),
        link=f"/api/jobs/postings/{posting.id}", changed_at=posting.changed_at,
    )  # fmt: skip
