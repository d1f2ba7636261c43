"""What a feed holds and which notices are in it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.notices.publishing.domain import Notice, Terms

Format = Literal["atom", "rss", "json", "cap"]
MEDIA: dict[Format, str] = {
    "atom": "application/atom+xml; charset=utf-8",
    "rss": "application/rss+xml; charset=utf-8",
    "json": "application/feed+json; charset=utf-8",
    "cap": "application/atom+xml; charset=utf-8",
}
CAP_MEDIA = "application/cap+xml; charset=utf-8"
MOST_ENTRIES = 50
# What XML 1.0 §2.2 has no place for; JSON takes it, but nobody means it.
_UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Scope:
    """Which notices: of a channel, with a topic, for a 행정동 (its code in force); all of what is given."""

    channel: str | None = None
    topic: str | None = None
    dong: str | None = None

    def named(self, dong_name: str | None) -> str:
        parts = [part for part in (self.channel, self.topic and f"#{self.topic}", dong_name) if part]
        return " · ".join(parts) or "광산구 소식"


@dataclass(frozen=True)
class Told:
    """A version of a notice that was published: what a later one refers to."""

    version: int
    at: datetime
    terms: Terms


@dataclass(frozen=True)
class Feed:
    """One feed: its address, its name and what is in it, newest first; the hub that tells of its changes (WebSub), if any."""

    url: str
    base: str
    title: str
    changed_at: datetime
    notices: tuple[Notice, ...]
    hub: str | None = None


def writable(text: str) -> str:
    """Without the characters that no feed can hold."""
    return _UNWRITABLE.sub("", text)


def changed_at(notice: Notice) -> datetime:
    """When what people read last changed: being told again is no change."""
    return notice.terms.edited_at or notice.created_at


def page_of(base: str, id_: UUID) -> str:
    """Where a person reads it."""
    return f"{base}/#/notices/{id_}"


def card_of(base: str, id_: UUID, form: str) -> str:
    """Where a statistic card that a notice shows is seen."""
    return f"{base}/api/notices/statistics/{id_}/{form}"


def plain_summary(notice: Notice) -> str:
    """쉬운 말 where there is one, else how the text begins."""
    return notice.terms.summary or notice.terms.body[:300]
