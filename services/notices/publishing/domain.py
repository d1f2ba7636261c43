"""Notices: what they are and the rules of publishing, editing, ending and telling again. Pure: the time is passed in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from services.notices.channels.domain import check_name
from shared.contracts import Posting
from shared.contracts.posting import Audience, Shows, Where
from shared.geo import District
from shared.offers import domain as offers
from shared.offers.domain import Offer
from shared.rules import Conflict, Refused

PUBLISHED_FOR = timedelta(days=14)
EXPIRED = "기간이 끝났습니다"
SUBJECTS = uuid5(NAMESPACE_URL, "urn:gwangsan:notice-origin")


@dataclass(frozen=True)
class Attachment:
    """A link; the file stays where it is."""

    name: str
    url: str


@dataclass(frozen=True)
class Translation:
    """The notice in a further language (BCP 47)."""

    language: str
    headline: str
    body: str


@dataclass(frozen=True)
class Terms:
    """What officers decide about a notice. Empty interests mean every resident of the target.

    `followers`: those who follow the channel, wherever they are, besides the target. `summary` is in plain words (쉬운 말).
    `statistics` are cards that it shows. `origin` names the original where another channel tells of the same thing
    (docs/decisions/0009). `edited_at` is when what people read was last changed.
    """

    headline: str
    body: str
    target: Where
    interests: tuple[str, ...]
    channel: str
    urgent: bool
    expires_at: datetime
    followers: bool = False
    emergency: bool = False
    deadline: datetime | None = None
    summary: str | None = None
    attachments: tuple[Attachment, ...] = ()
    translations: tuple[Translation, ...] = ()
    origin: str | None = None
    edited_at: datetime | None = None
    statistics: tuple[UUID, ...] = ()


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
    check_new(terms, institution, now)
    return offers.opened(id_, terms, institution=institution, posted_by=posted_by, now=now)


def edit(notice: Notice, changes: dict[str, Any], now: datetime) -> Notice:
    """The notice that supersedes this one (N4), one version on; the same notice when nothing changes. Raises Refused.

    Becoming urgent or an emergency begins a new urgency epoch: those alerted before hear of it once more.
    """
    before = notice.terms
    terms = offers.amended(notice, changes)
    if terms == before:
        return notice
    check(terms, notice.institution, now)
    told_anew = (terms.urgent and not before.urgent) or (terms.emergency and not before.emergency)
    return offers.changed(notice, replace(terms, edited_at=now), now, told_anew=told_anew)


def one_officer_is_enough(before: Terms | None, after: Terms) -> None:
    """An emergency is told, and changed, by two officers (N3); one may only withdraw it. Raises Conflict."""
    if after.emergency or (before is not None and before.emergency):
        raise Conflict("emergency", "two-officers", "an emergency goes through a draft that another officer approves")


def check_new(terms: Terms, institution: str, now: datetime) -> None:
    """A new notice has its deadline, if any, ahead; later edits may find it passed. Raises Refused."""
    check(terms, institution, now)
    if terms.deadline is not None and terms.deadline <= now:
        raise Refused("deadline", "in-future", "a deadline lies in the future")


def check(terms: Terms, institution: str, now: datetime) -> None:
    """What every notice must be, whoever publishes it. Raises Refused."""
    check_name(terms.channel, institution)
    if not (terms.followers or terms.target.circles or terms.target.dongs):
        raise Refused("target", "no-target", "a notice needs a circle, a 행정동 or the channel's followers")
    offers.check_expiry(terms.expires_at, now)
    if terms.deadline is not None and terms.deadline > terms.expires_at:
        raise Refused("deadline", "before-expiry", "a notice is there at least until its deadline")


def expired(notice: Notice, now: datetime) -> Notice:
    """Closed when its time is over, at exactly `expires_at`; else the same notice."""
    return offers.closed(notice, EXPIRED, now) if notice.terms.expires_at <= now else notice


def seen_at(notice: Notice, now: datetime) -> Notice:
    """The notice as a reader finds it, whether or not the clockwork has been here: over is over."""
    if notice.status == "closed" or notice.terms.expires_at > now:
        return notice
    return replace(notice, status="closed", closed_because=EXPIRED)


def subject_of(origin: str | None) -> UUID | None:
    """What notices of one origin share. The id of a notice that is told on is itself the subject."""
    if origin is None:
        return None
    try:
        return UUID(origin)
    except ValueError:
        return uuid5(SUBJECTS, origin.strip())


def as_posting(notice: Notice) -> Posting:
    """What the platform sees of it: the shared contract."""
    terms = notice.terms
    return Posting(
        id=notice.id, subject=subject_of(terms.origin), kind="notice", version=notice.version,
        urgency_epoch=notice.urgency_epoch, urgent=terms.urgent, emergency=terms.emergency,
        status=notice.status, closed_because=notice.closed_because, where=terms.target,
        audience=Audience(interests=terms.interests, channel=terms.channel, followers=terms.followers),
        headline=terms.headline, institution=notice.institution, expires_at=terms.expires_at, deadline=terms.deadline, shows=Shows(),
        link=f"/api/notices/notices/{notice.id}", changed_at=notice.changed_at,
    )  # fmt: skip
