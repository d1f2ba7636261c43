"""Which feeds a notice is in, and when a hub that did not take it is told again. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import urlencode

from services.notices.publishing.domain import Notice

FORMS = ("atom", "rss", "json")
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)


def feeds_of(notice: Notice) -> list[str]:
    """The paths of the feeds that change with it: of all, of its channel, of each of its topics and of each 행정동 it names."""
    terms = notice.terms
    scopes = [
        {}, {"channel": terms.channel}, *({"topic": topic} for topic in terms.interests),
        *({"dong": dong} for dong in terms.target.dongs),
    ]  # fmt: skip
    forms = (*FORMS, "cap") if terms.emergency else FORMS
    return [f"/api/notices/feeds/{form}{'?' + urlencode(scope) if scope else ''}" for form in forms for scope in scopes]


def told_again(failures: int, now: datetime) -> datetime:
    """After so many failures in a row: doubling waits, at most an hour."""
    return now + min(FIRST_WAIT * (1 << min(failures - 1, 10)), LONGEST_WAIT)


def announcement(base: str, paths: list[str]) -> bytes:
    """The form that tells a hub of changed feeds (WebSub §7, as hubs take it)."""
    return urlencode([("hub.mode", "publish"), *(("hub.url", base + path) for path in paths)]).encode()
