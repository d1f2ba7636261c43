"""Routes of the inbox: what was told, newest first, and whether it was read."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from services.matching.alerts import store
from services.matching.alerts.models import InboxItem, Marking
from services.matching.parts import UseParts
from shared.auth import Citizen
from shared.web.paging import Cursor, Limit, Page, decode_cursor, page_of
from shared.web.problems import not_found

router = APIRouter(prefix="/inbox", tags=["알림함 inbox"])


@router.get("", summary="내 알림함 My inbox")
async def list_inbox(citizen: Citizen, parts: UseParts, limit: Limit = 50, cursor: Cursor = None) -> Page[InboxItem]:
    after = decode_cursor(cursor)
    async with parts.database.transaction() as tx:
        rows = await store.page(tx, citizen.subject, after, limit)
    return page_of([InboxItem.of(row) for row in rows], limit, [(row.made_at, row.id) for row in rows])


@router.patch("/{alert_id}", summary="읽음 표시 Mark as read or unread")
async def mark_item(alert_id: UUID, marking: Marking, citizen: Citizen, parts: UseParts) -> InboxItem:
    async with parts.database.transaction() as tx:
        row = await store.mark_read(tx, citizen.subject, alert_id, marking.read, parts.clock())
    if row is None:
        raise not_found("alert")
    return InboxItem.of(row)
