"""Boards are looked at when they are due: asked outside any transaction, taken in within one. A failure is told and kept."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import structlog

from services.notices import asking
from services.notices.asking import Failed, asked
from services.notices.boards import store
from services.notices.boards.domain import Board, next_look
from services.notices.boards.handlers import SCHEMES, take_in
from services.notices.boards.reading import items_of
from services.notices.parts import NoticesParts
from shared import telemetry
from shared.outside import Answer, Outside
from shared.publishing import Parts
from shared.rules import Refused

log = structlog.get_logger()

LEASE = timedelta(minutes=5)
AT_ONCE = 4
REDIRECTS = 3


def client(*, private: bool) -> Outside:
    return Outside(private=private, schemes=SCHEMES, total_s=20.0)


async def look_at_due(parts: NoticesParts, outside: Outside) -> int:
    """Looks at boards that are due; returns how many."""
    async with parts.database.transaction() as tx:
        boards = await store.take_due(tx, parts.clock(), LEASE, AT_ONCE)
    await asyncio.gather(*(_look_at(parts, outside, board) for board in boards))
    return len(boards)


async def _look_at(parts: NoticesParts, outside: Outside, board: Board) -> None:
    settings, now = parts.settings, parts.clock()
    try:
        answer = await _asked(outside, board, settings.boards_max_bytes)
        await _take(parts, board, answer, now)
        telemetry.BOARDS_READ.labels("unchanged" if answer.status == 304 else "read").inc()
    except (Failed, Refused) as error:
        because = error.rule if isinstance(error, Refused) else str(error)
        due_at = next_look(board.failures + 1, settings.boards_every_s, now)
        async with parts.database.transaction() as tx:
            await store.failed(
                tx, board.id, now, due_at, f"{because}: {error}" if isinstance(error, Refused) else because
            )
        telemetry.BOARDS_READ.labels("failed").inc()
        log.warning("board_failed", board=str(board.id), because=because, failures=board.failures + 1)


async def _asked(outside: Outside, board: Board, most_bytes: int) -> Answer:
    """Raises Failed. Only what is newer than what is known is asked for."""
    headers = {
        "Accept": "application/json"
        if board.kind == "disaster"
        else "application/atom+xml, application/rss+xml, */*;q=0.1"
    }
    if board.etag:
        headers["If-None-Match"] = board.etag
    if board.last_modified:
        headers["If-Modified-Since"] = board.last_modified
    return await asked(outside, board.url, headers=headers, most_bytes=most_bytes, redirects=REDIRECTS, good=(200, 304))


async def _take(parts: NoticesParts, board: Board, answer: Answer, now: datetime) -> None:
    """Reading is done beside the loop: five megabytes of XML take their time."""
    content_type = answer.headers.get("content-type", "")
    found = (
        [] if answer.status == 304 else await asyncio.to_thread(items_of, answer.body, board.kind, now, content_type)
    )
    etag, modified = answer.headers.get("etag"), answer.headers.get("last-modified")
    if answer.status == 304:
        etag, modified = etag or board.etag, modified or board.last_modified
    async with parts.database.transaction() as tx:
        if await store.lock(tx, board.id) is None:
            return  # removed meanwhile
        await take_in(tx, board, found, parts.settings, now)
        due_at = next_look(0, parts.settings.boards_every_s, now)
        await store.was_read(tx, board.id, now, due_at, _usable(etag), _usable(modified))


def _usable(header: str | None) -> str | None:
    """What is sent back is what a header may hold."""
    return header if header is not None and len(header) <= 200 and header.isascii() and header.isprintable() else None


async def look_forever(parts: NoticesParts, outside: Outside) -> None:
    await asking.look_forever(
        "boards", parts, lambda: look_at_due(parts, outside), store.failing, telemetry.BOARDS_FAILING.set
    )


async def none_keeps_failing(parts: Parts, failing_after: int) -> str | None:
    """For /readyz: a board that keeps failing is told there, and makes nothing unready."""
    async with parts.database.transaction() as tx:
        count = await store.failing(tx, failing_after)
    return f"{count} boards failed {failing_after} times in a row or oftener" if count else None
