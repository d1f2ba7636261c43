"""Whether something that is due may still be sent, and what it says. Pure: the time is passed in."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any, Literal
from uuid import UUID

from services.delivery.subscriptions.domain import Channel
from shared.clock import SEOUL
from shared.contracts.alert import Rule
from shared.contracts.base import Kind
from shared.contracts.watch import QuietHours

Because = Literal["expired", "closed", "replaced", "consent", "paused", "muted", "gave-up", "refused"]
LONGEST_WAIT = timedelta(hours=1)
LOOK_AGAIN = timedelta(seconds=2)


@dataclass(frozen=True)
class Pending:
    """One alert on its way to one addressee. `located`: made because of where the citizen was."""

    alert_id: UUID
    target_id: UUID
    channel: Channel
    posting_id: UUID
    posting_version: int
    urgency_epoch: int
    kind: Kind
    urgent: bool
    emergency: bool
    located: bool
    watch_version: int
    expires_at: datetime
    digest: bool
    wanted_at: datetime
    content: dict[str, Any]


@dataclass(frozen=True)
class PostingNow:
    """A posting in the newest version known here."""

    version: int
    urgency_epoch: int
    open: bool
    headline: str
    starts_at: datetime | None
    ends_at: datetime | None
    expires_at: datetime
    link: str
    channel: str | None
    topics: tuple[str, ...]


@dataclass(frozen=True)
class Citizen:
    """Of a citizen's watch what decides here. `since_version` is the version that the consent in force begins with."""

    since_version: int
    located: bool
    paused: bool
    kinds: Collection[str]
    quiet: QuietHours | None
    muted_channels: Collection[str]
    muted_topics: Collection[str]
    muted_postings: Collection[UUID]


@dataclass(frozen=True)
class Rules:
    """The product's figures (†)."""

    per_day: int = 20
    urgent_reserve: int = 5
    fresh: timedelta = timedelta(hours=1)
    quiet: QuietHours | None = None


@dataclass(frozen=True)
class Told:
    """Instant messages that an addressee was sent today, Asia/Seoul."""

    ordinary: int = 0
    urgent: int = 0

    def and_one(self, urgent: bool) -> Told:
        return replace(self, urgent=self.urgent + 1) if urgent else replace(self, ordinary=self.ordinary + 1)


@dataclass(frozen=True)
class Send:
    """Now, in these words."""

    content: dict[str, Any]


@dataclass(frozen=True)
class Drop:
    """Never."""

    because: Because


@dataclass(frozen=True)
class Wait:
    """Looked at again then. After quiet hours it is as fresh as if it had been made then."""

    until: datetime
    quiet: bool = False


@dataclass(frozen=True)
class ToDigest:
    """Not by itself: in the next digest."""


Verdict = Send | Drop | Wait | ToDigest


def made_by_location(rule: Rule | None) -> bool:
    """Only who chose the 행정동 by hand or follows the channel was told without a position; unknown counts as by position."""
    return rule not in ("home_dong", "following")


def judge(
    due: Pending, posting: PostingNow | None, citizen: Citizen | None, told: Told, rules: Rules, now: datetime
) -> Verdict:
    """What is to become of something that is due. A posting not known here is as the alert says."""
    over = _over(due, posting, now) or _without_consent(due, citizen)
    if over is not None:
        return Drop(over)
    if citizen is None and due.located:
        return Wait(now + LOOK_AGAIN)
    if due.emergency:
        return Send(_words(due, posting))
    if citizen is not None and (unwanted := _unwanted(due, posting, citizen)):
        return Drop(unwanted)
    if (quiet_until := _quiet_until(due, citizen, rules, now)) is not None:
        return Wait(quiet_until, quiet=True)
    if not due.digest and (now - due.wanted_at > rules.fresh or not _affords(rules, told, due.urgent)):
        return ToDigest()
    return Send(_words(due, posting))


def _over(due: Pending, posting: PostingNow | None, now: datetime) -> Because | None:
    """At exactly its expiry it is over. A later epoch has an alert of its own; a digest mail carries only the newest (N4)."""
    if posting is not None:
        if not posting.open:
            return "closed"
        if posting.urgency_epoch > due.urgency_epoch:
            return "replaced"
    newest = posting.expires_at if posting is not None and posting.version >= due.posting_version else due.expires_at
    newest = min(newest, due.expires_at) if due.content.get("reminder") else newest
    return "expired" if newest <= now else None


def _without_consent(due: Pending, citizen: Citizen | None) -> Because | None:
    """Made by location, and location is not consented to, or was made under a consent that is over (M9)."""
    if citizen is None or not due.located:
        return None
    return "consent" if not citizen.located or due.watch_version < citizen.since_version else None


def _unwanted(due: Pending, posting: PostingNow | None, citizen: Citizen) -> Because | None:
    if citizen.paused:
        return "paused"
    muted = due.kind not in citizen.kinds or due.posting_id in citizen.muted_postings
    if posting is not None:
        by_topic = bool(posting.topics) and any(topic in citizen.muted_topics for topic in posting.topics)
        muted = muted or posting.channel in citizen.muted_channels or by_topic
    return "muted" if muted else None


def _quiet_until(due: Pending, citizen: Citizen | None, rules: Rules, now: datetime) -> datetime | None:
    """A phone is silent in quiet hours. A digest by mail rings nobody and comes at the hour that was chosen."""
    if due.channel == "mail" and due.digest:
        return None
    quiet = citizen.quiet if citizen is not None and citizen.quiet is not None else rules.quiet
    return None if quiet is None else quiet.until(now)


def _affords(rules: Rules, told: Told, urgent: bool) -> bool:
    if urgent and told.urgent < rules.urgent_reserve:
        return True
    return told.ordinary + max(0, told.urgent - rules.urgent_reserve) < rules.per_day


def _words(due: Pending, posting: PostingNow | None) -> dict[str, Any]:
    """The newest words. After an edit the distance may no longer be right, so it is not told."""
    if posting is None:
        return due.content
    links = {"channel": posting.channel, "topics": list(posting.topics)}
    if posting.version <= due.posting_version:
        return {**due.content, **links}
    newest = {
        "headline": posting.headline, "starts_at": _iso(posting.starts_at), "ends_at": _iso(posting.ends_at),
        "link": posting.link, "distance_m": None, "edited": True,
    }  # fmt: skip
    return {**due.content, **newest, **links}


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def newest_of_each(rows: Sequence[Pending]) -> list[Pending]:
    """One per posting, of its last urgency epoch; urgent ones first, then as they came."""
    newest: dict[UUID, Pending] = {}
    for row in sorted(rows, key=lambda row: row.urgency_epoch):
        newest[row.posting_id] = row
    return sorted(newest.values(), key=lambda row: (not row.urgent, row.wanted_at, str(row.alert_id)))


def wait_after(attempt: int, first_s: float, asked_s: float | None, apart: float = 0.0) -> timedelta:
    """How long until the next try: doubling up to an hour, and up to half of that longer, by `apart` (0 to 1), so that what
    failed together does not come back together; at least what the peer asked for, within an hour.
    """
    doubled_s = min(first_s * 2 ** min(attempt - 1, 20), LONGEST_WAIT.total_seconds()) * (1 + apart / 2)
    return timedelta(seconds=max(doubled_s, min(asked_s or 0.0, LONGEST_WAIT.total_seconds())))


def apart(message_id: UUID, attempt: int) -> float:
    """From 0 to 1, another for each message and try, the same whoever computes it."""
    return UUID(int=message_id.int ^ attempt).int * 2_654_435_761 % 1_009 / 1_008


def day_began(now: datetime) -> datetime:
    """Midnight in Asia/Seoul."""
    return datetime.combine(now.astimezone(SEOUL).date(), time(), SEOUL)
