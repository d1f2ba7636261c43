"""An institution's offer: one versioned thing that opens, changes and closes. Pure: the time is passed in.

The versions are those of the `Posting` contract: they rise by one with each change, so that the newest is known anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Generic, Literal, Protocol, TypeVar
from uuid import UUID

from shared.rules import Conflict, Refused

Status = Literal["open", "closed"]
LONGEST_OFFER = timedelta(days=366)


class Terms(Protocol):
    """What an officer decides about an offer; each service's own frozen dataclass, with at least these."""

    @property
    def interests(self) -> tuple[str, ...]: ...
    @property
    def expires_at(self) -> datetime: ...


T = TypeVar("T", bound=Terms)


@dataclass(frozen=True)
class Place:
    """Where something is offered."""

    name: str
    address: str | None
    lat: float
    lon: float


@dataclass(frozen=True)
class Offer(Generic[T]):
    """One offer in its newest state."""

    id: UUID
    version: int
    urgency_epoch: int
    status: Status
    closed_because: str | None
    institution: str
    posted_by: str
    terms: T
    created_at: datetime
    changed_at: datetime


def opened(id_: UUID, terms: T, *, institution: str, posted_by: str, now: datetime) -> Offer[T]:
    """A new offer, open from now."""
    return Offer(id_, 1, 0, "open", None, institution, posted_by, terms, now, now)


def amended(offer: Offer[T], changes: dict[str, Any]) -> T:
    """The offer's terms with the changes. A closed offer takes none. Raises Conflict."""
    if offer.status == "closed":
        raise Conflict("status", "closed", "what is closed cannot be edited")
    return replace(offer.terms, **changes)  # type: ignore[type-var]


def changed(offer: Offer[T], terms: T, now: datetime, *, told_anew: bool = False) -> Offer[T]:
    """The offer under other terms, one version on. `told_anew` begins a new urgency epoch (J2)."""
    return replace(
        offer, terms=terms, version=offer.version + 1, urgency_epoch=offer.urgency_epoch + told_anew, changed_at=now
    )


def closed(offer: Offer[T], reason: str, now: datetime) -> Offer[T]:
    """The offer closed, with the reason kept; closing twice changes nothing."""
    if offer.status == "closed":
        return offer
    return replace(offer, status="closed", closed_because=reason, version=offer.version + 1, changed_at=now)


def check_expiry(expires_at: datetime, now: datetime) -> None:
    """An offer expires after now and within 366 days of it, that day included. Raises Refused."""
    if expires_at <= now:
        raise Refused("expires_at", "in-future", "an offer expires in the future")
    if expires_at - now > LONGEST_OFFER:
        raise Refused("expires_at", "too-far", "an offer expires at most a year from now")
