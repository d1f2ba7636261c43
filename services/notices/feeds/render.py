"""Atom (RFC 4287), RSS 2.0 and JSON Feed 1.1 of the same notices. Pure: text in, bytes out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import format_datetime
from xml.sax.saxutils import escape, quoteattr

from services.notices.feeds.domain import Feed, card_of, changed_at, page_of, plain_summary, writable
from services.notices.publishing.domain import Notice

XML = '<?xml version="1.0" encoding="utf-8"?>\n'
MARK = " (수정됨)"


def _text(value: str) -> str:
    return escape(writable(value))


def _attr(value: str) -> str:
    return quoteattr(writable(value))


def rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def _title(notice: Notice) -> str:
    terms = notice.terms
    return f"{'[긴급] ' if terms.emergency else ''}{terms.headline}{MARK if terms.edited_at else ''}"


def _categories(notice: Notice) -> list[str]:
    return [*notice.terms.interests, *(["emergency"] if notice.terms.emergency else [])]


def atom(feed: Feed) -> bytes:
    """RFC 4287: `id` stays the notice's whatever its version, `updated` moves when its words do."""
    entries = "".join(_atom_entry(feed, notice) for notice in feed.notices)
    return (
        f'{XML}<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="ko"><id>{_text(feed.url)}</id><title>{_text(feed.title)}</title>'
        f"<updated>{rfc3339(feed.changed_at)}</updated><author><name>당근 광산</name></author>"
        f'<link rel="self" href={_attr(feed.url)}/><link rel="alternate" href={_attr(feed.base + "/")}/>{_hub(feed, "")}{entries}</feed>\n'
    ).encode()


def _hub(feed: Feed, prefix: str) -> str:
    return f'<{prefix}link rel="hub" href={_attr(feed.hub)}/>' if feed.hub else ""


def _atom_entry(feed: Feed, notice: Notice) -> str:
    terms = notice.terms
    links = f'<link rel="alternate" href={_attr(page_of(feed.base, notice.id))}/>' + "".join(
        f'<link rel="related" href={_attr(one.url)} title={_attr(one.name)}/>' for one in terms.attachments
    )
    links += "".join(
        f'<link rel="related" type="text/html" href={_attr(card_of(feed.base, id_, "embed"))}/>'
        for id_ in terms.statistics
    )
    if terms.emergency:
        links += f'<link rel="alternate" type="application/cap+xml" href={_attr(f"{feed.base}/api/notices/feeds/cap/{notice.id}")}/>'
    return (
        f"<entry><id>urn:uuid:{notice.id}</id><title>{_text(_title(notice))}</title><updated>{rfc3339(changed_at(notice))}</updated>"
        f"<published>{rfc3339(notice.created_at)}</published><author><name>{_text(notice.institution)}</name></author>{links}"
        + "".join(f"<category term={_attr(term)}/>" for term in _categories(notice))
        + f'<summary>{_text(plain_summary(notice))}</summary><content type="text">{_text(terms.body)}</content></entry>'
    )


def rss(feed: Feed) -> bytes:
    """RSS 2.0, with Atom's link to itself as the RSS board recommends."""
    items = "".join(_rss_item(feed, notice) for notice in feed.notices)
    return (
        f'{XML}<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel><title>{_text(feed.title)}</title>'
        f"<link>{_text(feed.base)}/</link><description>{_text(feed.title)} · 당근 광산</description><language>ko</language>"
        f"<lastBuildDate>{format_datetime(feed.changed_at.astimezone(UTC))}</lastBuildDate>"
        f'<atom:link rel="self" type="application/rss+xml" href={_attr(feed.url)}/>{_hub(feed, "atom:")}{items}</channel></rss>\n'
    ).encode()


def _rss_item(feed: Feed, notice: Notice) -> str:
    return (
        f"<item><title>{_text(_title(notice))}</title><link>{_text(page_of(feed.base, notice.id))}</link>"
        f'<guid isPermaLink="false">urn:uuid:{notice.id}</guid><pubDate>{format_datetime(changed_at(notice).astimezone(UTC))}</pubDate>'
        # Of a description readers make HTML, so what is text is escaped once more.
        + "".join(f"<category>{_text(term)}</category>" for term in _categories(notice))
        + f"<description>{escape(_text(notice.terms.body))}</description></item>"
    )


def json_feed(feed: Feed) -> bytes:
    """JSON Feed 1.1."""
    items = [
        {
            "id": f"urn:uuid:{notice.id}", "url": page_of(feed.base, notice.id), "title": writable(_title(notice)),
            "content_text": writable(notice.terms.body), "summary": writable(plain_summary(notice)),
            "date_published": rfc3339(notice.created_at), "date_modified": rfc3339(changed_at(notice)),
            "authors": [{"name": notice.institution}], "tags": _categories(notice), "language": "ko",
            "attachments": [
                *({"url": a.url, "mime_type": "application/octet-stream", "title": a.name} for a in notice.terms.attachments),
                *({"url": card_of(feed.base, id_, "chart.svg"), "mime_type": "image/svg+xml"} for id_ in notice.terms.statistics),
            ],
        }
        for notice in feed.notices
    ]  # fmt: skip
    whole = {
        "version": "https://jsonfeed.org/version/1.1", "title": feed.title, "home_page_url": f"{feed.base}/", "feed_url": feed.url,
        "language": "ko", "authors": [{"name": "당근 광산"}], "items": items,
        **({"hubs": [{"type": "WebSub", "url": feed.hub}]} if feed.hub else {}),
    }  # fmt: skip
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()
