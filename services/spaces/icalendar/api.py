"""Routes of iCalendar: feeds by a secret link, and a room's calendar taken in as closures."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from secrets import token_urlsafe
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy import Row

from services.spaces.calendars.store import midnight
from services.spaces.facilities.api import desk
from services.spaces.icalendar import store
from services.spaces.icalendar.apart import read_apart
from services.spaces.icalendar.feeds import etag_of
from services.spaces.icalendar.handlers import feed_of, take_in
from services.spaces.icalendar.models import CalendarImport, LinkBody, LinkView, Mode
from services.spaces.imports.api import body_of
from services.spaces.parts import UseSpaces
from shared.auth import Officer, Principal
from shared.auth import requires as requires_role
from shared.rules import Conflict
from shared.web.bodies import Storable
from shared.web.idempotency import IdempotencyKey, once
from shared.web.problems import not_found

router = APIRouter(tags=["달력 주고받기 iCalendar"])

MOST_BYTES = 2_000_000
AHEAD = timedelta(days=366)
Anybody = Annotated[Principal, requires_role("citizen", "officer")]
Secret = Annotated[Storable, Query(min_length=20, max_length=100, description="the secret of the link")]
NoneMatch = Annotated[Storable | None, Header(alias="If-None-Match", max_length=200)]
TO_THE_DAY = "the last day to which rules without an end are followed; without it they are refused"
Until = Annotated[date | None, Query(ge=date(2020, 1, 1), le=date(2099, 12, 31), description=TO_THE_DAY)]
_ICS: dict[str, Any] = {"content": {"text/calendar": {"schema": {"type": "string"}}}}
_TAKES = {"requestBody": {"required": True, **_ICS}}


class _Seen(BaseModel):
    """What makes two requests the same."""

    mode: Mode
    until: date | None
    whole: bool
    digest: str


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def _view(row: Row[Any]) -> LinkView:
    return LinkView.model_validate(row, from_attributes=True)


@router.post(
    "/calendar-links", status_code=201, response_model=LinkView, summary="달력 링크 만들기 Make a secret link to a feed"
)
async def post_link(body: LinkBody, who: Anybody, key: IdempotencyKey, parts: UseSpaces) -> Response:
    """The url is told now and never again: a repeated request is answered without it."""
    async with once(parts.database, principal=who.subject, key=key, route="POST /calendar-links", body=body) as kept:
        if kept.response is not None:
            return kept.response
        if body.space_id is not None:
            await desk.find(kept.tx, body.space_id)
        secret = token_urlsafe(32)
        made = await store.add_link(kept.tx, _hash(secret), body.kind, who.subject, body.space_id, parts.clock())
        if made is None:
            raise Conflict(
                "kind", "too-many", f"링크는 {store.MOST_LINKS}개까지입니다 / at most {store.MOST_LINKS} links"
            )
        view = _view(made)
        await kept.answer(201, view)
        shown = view.model_copy(update={"url": f"/api/spaces/calendar.ics?key={secret}"})
        return JSONResponse(shown.model_dump(mode="json"), 201, headers={"Cache-Control": "no-store"})


@router.get("/calendar-links", summary="내 달력 링크 My links, newest first")
async def list_links(who: Anybody, parts: UseSpaces) -> list[LinkView]:
    async with parts.database.transaction() as tx:
        return [_view(row) for row in await store.links(tx, who.subject)]


@router.delete("/calendar-links/{link_id}", summary="달력 링크 끊기 Revoke a link")
async def delete_link(link_id: UUID, who: Anybody, parts: UseSpaces) -> LinkView:
    async with parts.database.transaction() as tx:
        revoked = await store.revoke(tx, link_id, who.subject, parts.clock())
    if revoked is None:
        raise not_found("link")
    return _view(revoked)


@router.get("/calendar.ics", summary="달력 구독 The feed of a secret link", response_class=Response,
            responses={200: {"description": "an iCalendar file", **_ICS}, 304: {"description": "not changed"}})  # fmt: skip
async def get_feed(
    key: Secret, parts: UseSpaces, if_none_match: NoneMatch = None, show: Literal["free-busy", "events"] = "free-busy"
) -> Response:
    """Whoever has the link reads it, until it is revoked. `show=events` for calendars that show no VFREEBUSY."""
    async with parts.database.transaction() as tx:
        link = await store.link(tx, _hash(key))
        if link is None:
            raise not_found("calendar")
        content = await feed_of(tx, link, parts, as_events=show == "events")
    headers = {"ETag": etag_of(content), "Cache-Control": "private, max-age=300"}
    if if_none_match is not None and headers["ETag"] in {
        one.strip().removeprefix("W/") for one in if_none_match.split(",")
    }:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="text/calendar; charset=utf-8", headers=headers)


@router.post(
    "/spaces/{space_id}/calendar/imports", response_model=CalendarImport, openapi_extra=_TAKES,
    summary="다른 달력 가져오기 Take in a room's calendar as closures",
)  # fmt: skip
async def post_calendar(
    space_id: UUID, request: Request, officer: Officer, key: IdempotencyKey, parts: UseSpaces, mode: Mode = "dry-run",
    until: Until = None, whole: bool = False,
) -> Response:  # fmt: skip
    """iCalendar, up to 2 MB. `whole`: events that the file no longer has are lifted. Nothing of what is written in the events
    is kept, only when they are.
    """
    raw, now = await body_of(request, MOST_BYTES), parts.clock()
    end = None if until is None else midnight(until) + timedelta(days=1)
    seen = _Seen(mode=mode, until=until, whole=whole, digest=hashlib.sha256(raw).hexdigest())
    reading = await read_apart(raw, now=now, horizon=now + AHEAD, until=end)
    route = f"POST /spaces/{space_id}/calendar/imports"
    async with once(parts.database, principal=officer.subject, key=key, route=route, body=seen) as kept:
        if kept.response is not None:
            return kept.response
        await desk.take(kept.tx, space_id, officer)
        report = await take_in(kept.tx, space_id, reading, officer, parts, mode=mode, whole=whole)
        return await kept.answer(200, report)
