"""Notices: what they are and the rules of publishing, editing and withdrawing one. Pure: the time is passed in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.notices.channels.domain import check_name
from shared.contracts import Posting
from shared.contracts.posting import Audience, Shows, Where
from shared.geo import District
from shared.offers import domain as offers
from shared.offers.domain import Offer
from shared.rules import Refused

PUBLISHED_FOR = timedelta(days=14)


@dataclass(frozen=True)
class Terms:
    """What an officer decides about a notice. Empty interests mean every resident of the target."""

    headline: str
    body: str
    target: Where
    interests: tuple[str, ...]
    channel: str
    urgent: bool
    expires_at: datetime


Notice = Offer[Terms]
withdraw = offers.closed


def current_codes(codes: Iterable[str], district: District) -> tuple[str, ...]:
    """The 행정동 codes in force since 2026-07 for codes of either kind, ascending, each once. Raises Refused."""
    found = set()
    for i, code in enumerate(codes):
        dong = district.by_code.get(code)
        if dong is None:
            raise Refused(f"target.dongs.{i}", "unknown-dong", "no 행정동 of 광산구 has this code, neither new nor old")
        found.add(dong.code)
    return tuple(sorted(found))


def publish(id_: UUID, terms: Terms, *, institution: str, posted_by: str, now: datetime) -> Notice:
    """A new notice, told from now. Raises Refused."""
    _check(terms, institution, now)
    return offers.opened(id_, terms, institution=institution, posted_by=posted_by, now=now)


def edit(notice: Notice, changes: dict[str, Any], now: datetime) -> Notice:
    """The notice that supersedes this one (N4), one version on; the same notice when nothing changes. Raises Refused.

    Becoming urgent begins a new urgency epoch: those alerted before hear of it once more.
    """
    before = notice.terms
    terms = offers.amended(notice, changes)
    if terms == before:
        return notice
    _check(terms, notice.institution, now)
    return offers.changed(notice, terms, now, told_anew=terms.urgent and not before.urgent)


def _check(terms: Terms, institution: str, now: datetime) -> None:
    check_name(terms.channel, institution)
    offers.check_expiry(terms.expires_at, now)


def as_posting(notice: Notice) -> Posting:
    """What the platform sees of it: the shared contract."""
    terms = notice.terms
    return Posting(
        id=notice.id, kind="notice", version=notice.version, urgency_epoch=notice.urgency_epoch, urgent=terms.urgent,
        status=notice.status, closed_because=notice.closed_because, where=terms.target,
        audience=Audience(interests=terms.interests, channel=terms.channel),
        headline=terms.headline, institution=notice.institution, expires_at=terms.expires_at, shows=Shows(),
        link=f"/api/notices/notices/{notice.id}", changed_at=notice.changed_at,
    )  # fmt: skip
