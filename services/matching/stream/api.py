"""The live stream: Server-Sent Events of one's own alerts, resumed by Last-Event-ID without loss or repeat."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from sqlalchemy import Row
from sse_starlette import EventSourceResponse, ServerSentEvent

from services.matching.alerts import store
from services.matching.alerts.models import InboxItem
from services.matching.consent import store as consents
from services.matching.parts import Parts, UseParts
from shared import telemetry
from shared.auth import Citizen
from shared.web.problems import Problem, invalid

router = APIRouter(prefix="/stream", tags=["실시간 stream"])

AT_ONCE = 500


@router.get("", summary="실시간 알림 Live alerts (text/event-stream)", response_class=EventSourceResponse)
async def open_stream(
    request: Request,
    citizen: Citizen,
    parts: UseParts,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
) -> EventSourceResponse:
    """Events named `alert` carry an InboxItem; the same id comes again when its state changes (수정됨, 마감)."""
    if last_event_id is not None and not (last_event_id.isdecimal() and len(last_event_id) < 19):
        raise invalid("header.Last-Event-ID", "event-id", "not an id of this stream")
    if parts.wakeups.open_of(citizen.subject) >= parts.settings.max_streams_per_citizen:
        raise Problem(
            429,
            "too-many-streams",
            "열린 화면이 너무 많습니다 / Too many live streams open",
            headers={"Retry-After": "30"},
        )
    after = None if last_event_id is None else int(last_event_id)
    return EventSourceResponse(
        _events(parts, citizen.subject, after), ping=int(parts.settings.stream_heartbeat_s),
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )  # fmt: skip


async def _events(parts: Parts, citizen_id: str, after: int | None) -> AsyncIterator[ServerSentEvent]:
    """A new stream begins now (the inbox has what was before); a resumed one after the event that was seen last."""
    telemetry.STREAMS_OPEN.inc()
    try:
        with parts.wakeups.waiting(citizen_id) as changed:
            seen = after if after is not None else await _now(parts, citizen_id)
            yield ServerSentEvent(event="hello", id=str(seen), data="{}", retry=2_000)
            while True:
                changed.clear()
                rows = await _read(parts, citizen_id, seen)
                for row in rows:
                    seen = row.change
                    yield ServerSentEvent(event="alert", id=str(seen), data=InboxItem.of(row).model_dump_json())
                await _delivered(parts, citizen_id, rows)
                if len(rows) < AT_ONCE:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(changed.wait(), parts.settings.stream_heartbeat_s)
    finally:
        telemetry.STREAMS_OPEN.dec()


async def _now(parts: Parts, citizen_id: str) -> int:
    async with parts.database.statement() as tx:
        return await store.last_change(tx, citizen_id)


async def _read(parts: Parts, citizen_id: str, change: int) -> list[Row[Any]]:
    async with parts.database.statement() as tx:
        return await store.since(tx, citizen_id, change, AT_ONCE)


async def _delivered(parts: Parts, citizen_id: str, rows: list[Row[Any]]) -> None:
    """After the events, not before: what a broken connection swallowed counts when it comes again."""
    if all(row.delivered_at is not None for row in rows):
        return
    now = parts.clock()
    async with parts.database.transaction() as tx:
        times = await store.delivered(tx, citizen_id, rows, now)
        await consents.record_uses(tx, [citizen_id] * times, "provided", "stream", now)
