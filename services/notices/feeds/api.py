"""Feeds out, for anybody (N7): Atom, RSS 2.0, JSON Feed 1.1, and CAP 1.2 for emergencies, with conditional GET."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from services.notices.feeds import cap, render, store
from services.notices.feeds.cache import EPOCH, Cache, Kept
from services.notices.feeds.domain import CAP_MEDIA, MEDIA, Feed, Format, Scope, changed_at
from services.notices.parts import NoticesParts, UseNotices
from services.notices.publishing.domain import seen_at
from services.notices.publishing.handlers import desk
from shared.geo import district
from shared.web.problems import invalid, not_found

router = APIRouter(prefix="/feeds", tags=["피드 feeds"])
FRESH_FOR = "public, max-age=60"
RENDERERS: dict[Format, Callable[[Feed], bytes]] = {
    "atom": render.atom, "rss": render.rss, "json": render.json_feed, "cap": render.atom,
}  # fmt: skip
Path = Literal["atom", "rss", "json", "cap"]
AS_TEXT, AS_JSON = {"schema": {"type": "string"}}, {"schema": {"type": "object"}}
NOT_CHANGED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "the feed",
        "content": {"application/atom+xml": AS_TEXT, "application/rss+xml": AS_TEXT, "application/feed+json": AS_JSON},
    },
    304: {"description": "not changed since"},
}
CAP_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "a CAP 1.2 message", "content": {"application/cap+xml": {"schema": {"type": "string"}}}},
    304: {"description": "not changed since"},
}


def scope_of(
    channel: Annotated[str | None, Query(max_length=100, description="a channel's name")] = None,
    topic: Annotated[str | None, Query(max_length=40, pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")] = None,
    dong: Annotated[str | None, Query(max_length=20, description="행정동 code, of before or since 2026-07")] = None,
) -> Scope:
    """Raises a 422 problem for a 행정동 that is none."""
    found = district().by_code.get(dong) if dong else None
    if dong and found is None:
        raise invalid("query.dong", "unknown-dong", "no 행정동 of 광산구 has this code, neither new nor old")
    if channel and "\0" in channel:
        raise invalid("query.channel", "nul-character", "text may not hold the character U+0000")
    return Scope(channel or None, topic, found.code if found else None)


Wanted = Annotated[Scope, Depends(scope_of)]
Seen = Annotated[str | None, Header(alias="If-None-Match", max_length=2_000)]
Since = Annotated[str | None, Header(alias="If-Modified-Since", max_length=100)]


@router.get("/{form}", responses=NOT_CHANGED, response_class=Response,
            summary="소식 피드 A feed of open notices; cap: of emergencies")  # fmt: skip
async def get_feed(
    form: Path, scope: Wanted, parts: UseNotices, request: Request, seen: Seen = None, since: Since = None
) -> Response:
    cache: Cache = request.app.state.feeds
    kept = await cache.get((form, scope), partial(_rendered, parts, form, scope))
    return answer(kept, MEDIA[form], seen, since)


@router.get("/cap/{notice_id}", responses=CAP_ANSWERS, response_class=Response,
            summary="재난 문자 형식 An emergency as a CAP 1.2 message")  # fmt: skip
async def get_cap(
    notice_id: UUID, parts: UseNotices, request: Request, seen: Seen = None, since: Since = None
) -> Response:
    """404 for a notice that is no emergency."""
    cache: Cache = request.app.state.feeds
    kept = await cache.get(("message", notice_id), partial(_cap_message, parts, notice_id))
    return answer(kept, CAP_MEDIA, seen, since)


async def _rendered(parts: NoticesParts, form: Format, scope: Scope) -> bytes:
    async with parts.database.transaction() as tx:
        found = await store.of_scope(tx, scope, parts.clock(), emergencies=form == "cap")
    base = parts.settings.public_url
    query = urlencode({name: value for name, value in vars(scope).items() if value is not None})
    url = f"{base}/api/notices/feeds/{form}{'?' + query if query else ''}"
    dong = district().by_code[scope.dong].name if scope.dong else None
    newest = max((changed_at(notice) for notice in found), default=EPOCH)
    return RENDERERS[form](
        Feed(url, base, scope.named(dong), newest, tuple(found), parts.settings.feeds_hub_url or None)
    )


async def _cap_message(parts: NoticesParts, notice_id: UUID) -> bytes:
    async with parts.database.transaction() as tx:
        notice = seen_at(await desk.find(tx, notice_id), parts.clock())
        if not notice.terms.emergency:
            raise not_found("emergency")
        earlier = await store.earlier(tx, notice_id)
    return cap.alert(notice, earlier, district(), parts.settings.public_url)


def answer(kept: Kept, media: str, seen: str | None, since: str | None) -> Response:
    """RFC 9110 §13: If-None-Match decides where it is given, else If-Modified-Since."""
    headers = {
        "ETag": kept.etag, "Last-Modified": kept.last_modified, "Cache-Control": FRESH_FOR,
        "Access-Control-Allow-Origin": "*", "Content-Type": media,
    }  # fmt: skip
    unchanged = _matches(seen, kept.etag) if seen is not None else _not_since(since, kept)
    if unchanged:
        headers.pop("Content-Type")
        return Response(None, 304, headers)
    return Response(kept.body, 200, headers)


def _matches(seen: str, etag: str) -> bool:
    return seen.strip() == "*" or etag in (tag.strip().removeprefix("W/") for tag in seen.split(","))


def _not_since(since: str | None, kept: Kept) -> bool:
    if since is None:
        return False
    try:
        at = parsedate_to_datetime(since)
    except (ValueError, TypeError, OverflowError):
        return False
    return kept.changed_at <= (at if at.tzinfo is not None else at.replace(tzinfo=UTC))
