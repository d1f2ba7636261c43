"""Channels, the institutions behind them, who may do what in their name, and following. Pure: the time is passed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from shared.rules import Conflict, Refused

Role = Literal["author", "approver"]
BOTH: frozenset[Role] = frozenset({"author", "approver"})
MOST_FOLLOWS = 200


@dataclass(frozen=True)
class Institution:
    """An institution as this service knows it. Verified means that an admin looked who it is (N8)."""

    name: str
    verified: bool
    officers: Mapping[str, frozenset[Role]]

    def roles_of(self, subject: str) -> frozenset[Role]:
        """What an officer whose token names this institution may do here.

        While nobody was named, the token's word is enough and its officers hold both roles; from the first named officer on
        the table alone decides.
        """
        return self.officers.get(subject, frozenset()) if self.officers else BOTH

    def may_tell_emergencies(self) -> bool:
        """An emergency has two officers behind it, and officers are known only where they were named (N3)."""
        return self.verified and bool(self.officers)


@dataclass(frozen=True)
class Profile:
    """What a channel says of itself."""

    about: str = ""
    contact: str = ""
    home_url: str | None = None
    topics: tuple[str, ...] = ()


@dataclass(frozen=True)
class Channel:
    """One channel: the institution's own, or one of its parts (`기관/이름`)."""

    id: UUID
    name: str
    institution: str
    version: int
    profile: Profile
    created_at: datetime
    changed_at: datetime


def check_name(channel: str, institution: str) -> None:
    """A channel is the institution's name, or begins with it and a slash. Raises Refused."""
    if channel != institution and not channel.startswith(f"{institution}/"):
        raise Refused("channel", "own-channel", "a channel is the institution's name, or begins with it and a slash")


def edited(channel: Channel, changes: dict[str, Any], now: datetime) -> Channel:
    """The channel with another profile, one version on; the same channel when nothing changes."""
    profile = replace(channel.profile, **changes)
    if profile == channel.profile:
        return channel
    return replace(channel, profile=profile, version=channel.version + 1, changed_at=now)


@dataclass(frozen=True)
class Following:
    """All the channels of one citizen by id, and the version of that list."""

    citizen_id: str
    version: int
    channels: Mapping[UUID, str]


def followed(before: Following, id_: UUID, name: str) -> Following:
    """With one channel more; the same when it is there already. Raises Conflict beyond 200."""
    if id_ in before.channels:
        return before
    if len(before.channels) >= MOST_FOLLOWS:
        raise Conflict("channel_id", "too-many-channels", f"{MOST_FOLLOWS} channels are followed already")
    return replace(before, version=before.version + 1, channels={**before.channels, id_: name})


def left(before: Following, id_: UUID) -> Following:
    """Without that channel; the same when it was not followed."""
    if id_ not in before.channels:
        return before
    rest = {known: name for known, name in before.channels.items() if known != id_}
    return replace(before, version=before.version + 1, channels=rest)


def shown(count: int, least: int) -> int | None:
    """A count that is told; None under `least`: few people are nobody's business."""
    return count if count >= least else None
