"""Boards are looked at when they are due: asked outside any transaction, taken in within one. A failure is told and kept."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from services.notices.boards import store
from services.notices.boards.domain import Board, next_look
from services.notices.boards.handlers import SCHEMES, take_in
from services.notices.boards.reading import items_of
from services.notices.parts import NoticesParts
from shared import telemetry
from shared.outside import Answer, Forbidden, Outside, TooLarge, Unreachable
from shared.publishing import Parts
from shared.rules import Refused

log = structlog.get_logger()

LEASE = timedelta(minutes=5)
AT_ONCE = 4
REDIRECTS = 3


class Failed(Exception):  # noqa: N818
    """The board did not answer as one does; says how."""


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
    try:
        answer = await outside.ask("GET", board.url, headers=headers, most_bytes=most_bytes, redirects=REDIRECTS)
    except Forbidden as error:
        raise Failed(f"forbidden: {error}") from None
    except TooLarge as error:
        raise Failed(f"too-large: {error}") from None
    except Unreachable as error:
        raise Failed(f"unreachable: {error}") from None
    if answer.status not in (200, 304):
        raise Failed(f"status: {answer.status}")
    return answer


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
    while True:
        try:
            while await look_at_due(parts, outside):
                log.debug("boards_looked_at")
            async with parts.database.transaction() as tx:
                telemetry.BOARDS_FAILING.set(await store.failing(tx, parts.settings.boards_failing_after))
        except (SQLAlchemyError, OSError) as error:
            log.warning("boards_wait", error=type(error).__name__)
        await asyncio.sleep(parts.settings.boards_tick_s)


async def none_keeps_failing(parts: Parts, failing_after: int) -> str | None:
    """For /readyz: a board that keeps failing is told there, and makes nothing unready."""
    async with parts.database.transaction() as tx:
        count = await store.failing(tx, failing_after)
    return f"{count} boards failed {failing_after} times in a row or oftener" if count else None
