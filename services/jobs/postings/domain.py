"""Job postings: what they are and the rules of opening, editing and closing one. Pure: the time is passed in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from shared.contracts import Posting
from shared.contracts.posting import Audience, Circle, Shows, Where

PayPer = Literal["hour", "piece", "day"]
LONGEST_SHIFT = timedelta(hours=24)
FARTHEST_START = timedelta(days=366)
RETOLD_WHEN_CHANGED = frozenset({"urgent"})


class Refused(Exception):  # noqa: N818
    """A posting that breaks a rule; `field` and `rule` name where and which."""

    def __init__(self, field: str, rule: str, detail: str) -> None:
        super().__init__(detail)
        self.field, self.rule, self.detail = field, rule, detail


@dataclass(frozen=True)
class Place:
    """Where the work is."""

    name: str
    address: str | None
    lat: float
    lon: float


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
    expires_at: datetime | None
    pay_krw: int
    pay_per: PayPer
    slots: int
    urgent: bool


@dataclass(frozen=True)
class JobPosting:
    """One posting with its history's newest state."""

    id: UUID
    version: int
    urgency_epoch: int
    status: Literal["open", "closed"]
    closed_because: str | None
    institution: str
    posted_by: str
    terms: Terms
    created_at: datetime
    changed_at: datetime

    @property
    def expires_at(self) -> datetime:
        return self.terms.expires_at or self.terms.starts_at


def open_posting(id_: UUID, terms: Terms, *, institution: str, posted_by: str, now: datetime) -> JobPosting:
    """A new posting, open from now. Raises Refused."""
    _check(terms, now)
    return JobPosting(id_, 1, 0, "open", None, institution, posted_by, terms, now, now)


def edit(posting: JobPosting, changes: dict[str, Any], now: datetime) -> JobPosting:
    """The posting with changed terms, one version on; the same posting when nothing changes.

    Becoming urgent begins a new urgency epoch: those alerted before hear of it once more (J2).
    """
    if posting.status == "closed":
        raise Refused("status", "closed", "a closed posting cannot be edited")
    terms = replace(posting.terms, **changes)
    if terms == posting.terms:
        return posting
    _check(terms, now)
    epoch = posting.urgency_epoch + (terms.urgent and not posting.terms.urgent)
    return replace(posting, terms=terms, version=posting.version + 1, urgency_epoch=epoch, changed_at=now)


def close(posting: JobPosting, reason: str, now: datetime) -> JobPosting:
    """The posting closed, with the reason kept; closing twice changes nothing."""
    if posting.status == "closed":
        return posting
    return replace(posting, status="closed", closed_because=reason, version=posting.version + 1, changed_at=now)


def _check(terms: Terms, now: datetime) -> None:
    if terms.ends_at <= terms.starts_at:
        raise Refused("ends_at", "after-start", "the work must end after it starts")
    if terms.ends_at - terms.starts_at > LONGEST_SHIFT:
        raise Refused("ends_at", "shift-too-long", "one posting covers at most 24 hours")
    if terms.ends_at <= now:
        raise Refused("ends_at", "in-future", "the work is already over")
    if terms.starts_at - now > FARTHEST_START:
        raise Refused("starts_at", "too-far", "the work may start at most a year from now")
    if terms.expires_at is not None and not now < terms.expires_at <= terms.ends_at:
        raise Refused(
            "expires_at", "before-end", "a posting expires in the future, and at the end of the work at the latest"
        )
    if terms.expires_at is None and terms.starts_at <= now:
        raise Refused("expires_at", "required-once-started", "work that has started needs its own expires_at")


def as_posting(posting: JobPosting) -> Posting:
    """What the platform sees of it: the shared contract."""
    terms = posting.terms
    return Posting(
        id=posting.id, kind="job", version=posting.version, urgency_epoch=posting.urgency_epoch, urgent=terms.urgent,
        status=posting.status, closed_because=posting.closed_because,
        where=Where(circles=(Circle(lat=terms.place.lat, lon=terms.place.lon, radius_m=terms.radius_m),)),
        audience=Audience(interests=terms.interests, min_age=terms.min_age, channel=posting.institution),
        headline=terms.headline, institution=posting.institution,
        starts_at=terms.starts_at, ends_at=terms.ends_at, expires_at=posting.expires_at,
        shows=Shows(place=terms.place.name, pay_krw=terms.pay_krw, pay_per=terms.pay_per),
        link=f"/api/jobs/postings/{posting.id}", changed_at=posting.changed_at,
    )  # fmt: skip
