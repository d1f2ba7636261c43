"""Boards of an institution that are read for it, and what one item of them is. Pure: the time is passed in."""

from __future__ import annotations

import hashlib
import html
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import nh3

Kind = Literal["feed", "disaster"]

LONGEST_WAIT = timedelta(hours=6)
MOST_HEADLINE, MOST_BODY = 200, 10_000
CLOCKS_DIFFER = timedelta(hours=1)
_LINK = re.compile(r"https?://[^\s\x00-\x1f\x7f\"'<>\\]{1,900}")
_BREAKS = re.compile(r"<\s*(?:br|/p|/div|/li|/tr|/h[1-6])\b[^>]*>", re.IGNORECASE)
_LIKE_A_TAG = re.compile(r"<[A-Za-z/!?][^<>]*>?")
_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class Board:
    """Where from, into which channel, for whom: the 행정동 named, else the channel's followers."""

    id: UUID
    institution: str
    channel: str
    url: str
    kind: Kind
    dongs: tuple[str, ...]
    topics: tuple[str, ...]
    made_by: str
    etag: str | None
    last_modified: str | None
    failures: int


@dataclass(frozen=True)
class Item:
    """One item as it came, its words made plain. `guid` is what the source calls it."""

    guid: str
    headline: str
    body: str
    link: str | None
    at: datetime | None
    urgent: bool = False

    @property
    def guid_hash(self) -> bytes:
        return hashlib.sha256(self.guid.encode("utf-8", "replace")).digest()

    @property
    def content_hash(self) -> bytes:
        """A date that moves alone is no change."""
        words = "\n".join((self.headline, self.body, self.link or ""))
        return hashlib.sha256(words.encode("utf-8", "replace")).digest()


def plain(markup: str, most: int) -> str:
    """The words of HTML without anything that could run, however often it was escaped."""
    text = markup
    for _ in range(3):  # some boards escape what is escaped already
        cleaned = nh3.clean(_BREAKS.sub("\n", text), tags=set(), strip_comments=True)
        unescaped = html.unescape(cleaned)
        if unescaped == text:
            break
        text = unescaped
    text = _UNSTORABLE.sub("", _LIKE_A_TAG.sub("", text))
    lines = (" ".join(line.split()) for line in text.splitlines())
    joined = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return joined if len(joined) <= most else joined[: most - 1].rstrip() + "…"


def made_item(
    guid: str, title: str, markup: str, link: str, at: datetime | None, now: datetime, *, urgent: bool = False
) -> Item | None:
    """An item with words, or None for one without. A date in the future is a slip of the source: then it came just now."""
    headline, body = plain(title, MOST_HEADLINE).replace("\n", " "), plain(markup, MOST_BODY)
    headline = headline if len(headline) >= 2 else body[:MOST_HEADLINE].replace("\n", " ")
    if len(headline.strip()) < 2:
        return None
    when = now if at is not None and at > now + CLOCKS_DIFFER else at
    kept = link.strip() if _LINK.fullmatch(link.strip()) else None
    return Item(guid or kept or headline, headline.strip(), body or headline, kept, when, urgent)


def each_once(items: list[Item]) -> list[Item]:
    """Of items of one id the first: boards list the newest first."""
    return list({item.guid_hash: item for item in reversed(items)}.values())[::-1]


def content(item: Item, board: Board, now: datetime) -> dict[str, Any]:
    """What the draft says (`NoticeDraft`). An officer reads and sends it on; nothing of a board is told by itself."""
    target: dict[str, Any] = {"target": {"dongs": list(board.dongs)}} if board.dongs else {"followers": True}
    source = [{"name": "원문", "url": item.link}] if item.link else []
    return {
        "headline": item.headline, "body": item.body, "channel": board.channel, "topics": list(board.topics), "urgent": item.urgent,
        "attachments": source, **target,
    }  # fmt: skip


def next_look(failures: int, every_s: float, now: datetime) -> datetime:
    """After a success as usual; after each failure twice as late, at most six hours."""
    return now + min(
        timedelta(seconds=min(every_s * 2 ** min(failures, 20), 1e6)), max(LONGEST_WAIT, timedelta(seconds=every_s))
    )
