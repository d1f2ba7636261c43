"""Routes of the inbox: what was told, newest first, whether it was read, and why it was told."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Response

from services.matching.alerts import store
from services.matching.alerts.domain import preferred
from services.matching.alerts.models import InboxItem, Marking, WhyView
from services.matching.consent import store as consents
from services.matching.parts import UseParts
from services.matching.stream.wakeups import digest
from services.matching.watches import store as watches
from services.matching.watches.domain import Told
from services.matching.watches.handlers import mute
from shared.auth import Citizen
from shared.web.paging import Cursor, Limit, Page, decode_cursor, page_of
from shared.web.problems import not_found

router = APIRouter(prefix="/inbox", tags=["알림함 inbox"])
why_router = APIRouter(prefix="/alerts", tags=["알림함 inbox"])


@router.get("", summary="내 알림함 My inbox")
async def list_inbox(citizen: Citizen, parts: UseParts, limit: Limit = 50, cursor: Cursor = None) -> Page[InboxItem]:
    after = decode_cursor(cursor)
    async with parts.database.transaction() as tx:
        rows = await store.page(tx, citizen.subject, after, limit)
        fresh = [row.id for row in rows[:limit] if row.delivered_at is None]
        await store.delivered(tx, fresh, "inbox", parts.clock())
    return page_of([InboxItem.of(row) for row in rows], limit, [(row.made_at, row.id) for row in rows])


@router.patch("/{alert_id}", summary="읽음·이용·끄기 Mark as read, as acted upon, or mute what it is about")
async def mark_item(alert_id: UUID, marking: Marking, citizen: Citizen, parts: UseParts) -> InboxItem:
    now = parts.clock()
    async with parts.database.transaction() as tx:
        await consents.lock_citizen(tx, citizen.subject)
        row = await store.one(tx, citizen.subject, alert_id)
        if row is None:
            raise not_found("alert")
        if marking.muted is not None:
            await mute(tx, citizen.subject, marking.muted, Told(row.posting_id, row.kind, row.channel), now)
        if marking.read is not None or marking.acted:
            row = await store.mark(tx, citizen.subject, alert_id, now, read=marking.read, acted=bool(marking.acted))
            await store.notify(tx, [digest(citizen.subject)])  # the citizen's other screens
    if row is None:
        raise not_found("alert")
    return InboxItem.of(row)


@why_router.get("/{alert_id}/why", summary="왜 받았나요? Why was I told?")
async def explain_alert(
    alert_id: UUID,
    citizen: Citizen,
    parts: UseParts,
    response: Response,
    accept_language: Annotated[str, Header()] = "",
) -> WhyView:
    """In words, Korean and English; `text` is in the language asked for (Korean unless English comes first)."""
    async with parts.database.transaction() as tx:
        row = await store.one(tx, citizen.subject, alert_id)
        if row is None:
            raise not_found("alert")
        settings = await watches.as_of(tx, citizen.subject, row.why["watch_version"])
    language = preferred(accept_language)
    response.headers.update({"Content-Language": language, "Vary": "Accept-Language", "Cache-Control": "no-store"})
    return WhyView.of(row, settings, language)
