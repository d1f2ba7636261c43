"""The live stream: Server-Sent Events of one's own alerts, resumed by Last-Event-ID without loss or repeat."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from services.matching.alerts.models import InboxItem
from services.matching.parts import Parts, UseParts
from services.matching.stream.feed import AT_ONCE
from shared import telemetry
from shared.auth import Citizen
from shared.web.problems import Problem, invalid

router = APIRouter(prefix="/stream", tags=["실시간 stream"])


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
            seen = after if after is not None else await parts.feed.now(citizen_id)
            yield ServerSentEvent(event="hello", id=str(seen), data="{}", retry=2_000)
            while True:
                changed.clear()
                rows = await parts.feed.since(citizen_id, seen)
                for row in rows:
                    seen = row.change
                    yield ServerSentEvent(event="alert", id=str(seen), data=InboxItem.of(row).model_dump_json())
                # After the events, not before: what a broken connection swallowed counts when it comes again.
                await parts.feed.delivered(rows)
                if len(rows) < AT_ONCE:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(changed.wait(), parts.settings.stream_look_s)
    finally:
        telemetry.STREAMS_OPEN.dec()
