"""Spaces in public buildings: what they are and the rules of opening, editing and closing one. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from shared.contracts import Posting
from shared.contracts.posting import Audience, Circle, Shows, Where
from shared.offers import domain as offers
from shared.offers.domain import Offer, Place
from shared.rules import Refused

SpaceKind = Literal["room", "desk", "seat"]
PricePer = Literal["hour", "day", "month", "use"]
Approval = Literal["instant", "officer"]
MOST_UNITS = 1_000
OFFERED_FOR = timedelta(days=30)


@dataclass(frozen=True)
class Terms:
    """What an officer decides about a space. A price of 0 is free; no `opens_at` means at once, no `closes_at` always.

    A room is one unit for `capacity` people; desks and seats are as many `units`, each booked for itself. From
    `before_min` on it is how the space may be booked: minutes for setting up and cleaning up around each booking, its
    shortest and longest length, how long before and how many days ahead it may begin, and who confirms it.
    """

    headline: str
    description: str
    place: Place
    radius_m: int
    space_kind: SpaceKind
    capacity: int
    price_krw: int
    price_per: PricePer
    accessibility: str | None
    interests: tuple[str, ...]
    opens_at: datetime | None
    closes_at: datetime | None
    expires_at: datetime
    units: int = 1
    amenities: tuple[str, ...] = ()
    photos: tuple[str, ...] = ()
    before_min: int = 0
    after_min: int = 0
    min_minutes: int = 30
    max_minutes: int = 1_440
    lead_minutes: int = 0
    ahead_days: int = 90
    approval: Approval = "instant"


Space = Offer[Terms]
close = offers.closed


def usual_expiry(opens_at: datetime | None, closes_at: datetime | None, now: datetime) -> datetime:
    """30 days after it opens, or when it closes if that is sooner."""
    month_on = max(now, opens_at or now) + OFFERED_FOR
    return month_on if closes_at is None else min(month_on, closes_at)


def usual_units(space_kind: SpaceKind, capacity: int) -> int:
    """A room is one; of desks and seats there are as many as people."""
    return 1 if space_kind == "room" else min(capacity, MOST_UNITS)


def open_space(id_: UUID, terms: Terms, *, institution: str, posted_by: str, now: datetime) -> Space:
    """A new space, open from now. Raises Refused."""
    _check(terms, now)
    return offers.opened(id_, terms, institution=institution, posted_by=posted_by, now=now)


def edit(space: Space, changes: dict[str, Any], now: datetime) -> Space:
    """The space with changed terms, one version on; the same space when nothing changes. Raises Refused."""
    terms = _with_usual_units(space.terms, offers.amended(space, changes), "units" in changes)
    if terms == space.terms:
        return space
    _check(terms, now)
    return offers.changed(space, terms, now)


def _with_usual_units(before: Terms, after: Terms, said: bool) -> Terms:
    """Units follow kind and capacity, unless the officer said how many."""
    if said or before.units != usual_units(before.space_kind, before.capacity):
        return after
    return replace(after, units=usual_units(after.space_kind, after.capacity))


def _check(terms: Terms, now: datetime) -> None:
    _check_booking(terms)
    opens_at, closes_at = terms.opens_at or now, terms.closes_at
    if closes_at is not None and closes_at <= now:
        raise Refused("closes_at", "in-future", "a space that is offered closes in the future")
    if closes_at is not None and closes_at <= opens_at:
        raise Refused("closes_at", "after-opening", "a space closes after it opens")
    offers.check_expiry(terms.expires_at, now)
    if closes_at is not None and terms.expires_at > closes_at:
        raise Refused("expires_at", "before-closing", "an offer expires when the space closes at the latest")
    if terms.expires_at <= opens_at:
        raise Refused("expires_at", "after-opening", "an offer expires after the space opens")


def _check_booking(terms: Terms) -> None:
    if terms.space_kind == "room" and terms.units != 1:
        raise Refused("units", "one-room", "방은 하나로 예약됩니다 / a room is booked as one")
    if terms.units > terms.capacity:
        raise Refused("units", "capacity", "자리 수가 정원보다 많습니다 / no more units than people")
    if terms.max_minutes < terms.min_minutes:
        raise Refused(
            "max_minutes", "min-max", "최대 시간이 최소 시간보다 짧습니다 / the longest is shorter than the shortest"
        )


def as_posting(space: Space) -> Posting:
    """What the platform sees of it: the shared contract."""
    terms = space.terms
    return Posting(
        id=space.id, kind="space", version=space.version, urgency_epoch=space.urgency_epoch,
        status=space.status, closed_because=space.closed_because,
        where=Where(circles=(Circle(lat=terms.place.lat, lon=terms.place.lon, radius_m=terms.radius_m),)),
        audience=Audience(interests=terms.interests, channel=space.institution),
        headline=terms.headline, institution=space.institution,
        starts_at=terms.opens_at, ends_at=terms.closes_at, expires_at=terms.expires_at,
        shows=Shows(place=terms.place.name, price_krw=terms.price_krw, price_per=terms.price_per),
        link=f"/api/spaces/spaces/{space.id}", changed_at=space.changed_at,
    )  # fmt: skip
