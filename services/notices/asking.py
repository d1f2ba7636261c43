"""What readers of others' servers share, boards' and KOSIS': asking once, in words what went wrong, and looking again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notices.parts import NoticesParts
from shared.outside import Answer, Forbidden, Outside, TooLarge, Unreachable

log = structlog.get_logger()


class Failed(Exception):  # noqa: N818
    """What was asked did not answer as it should; says how, without the address, which may hold a key."""


async def asked(
    outside: Outside, url: str, *, headers: Mapping[str, str], most_bytes: int, redirects: int, good: Collection[int]
) -> Answer:
    """An answer with a good status. Raises Failed."""
    try:
        answer = await outside.ask("GET", url, headers=headers, most_bytes=most_bytes, redirects=redirects)
    except Forbidden as error:
        raise Failed(f"forbidden: {error}") from None
    except TooLarge as error:
        raise Failed(f"too-large: {error}") from None
    except Unreachable as error:
        raise Failed(f"unreachable: {error}") from None
    if answer.status not in good:
        raise Failed(f"status: {answer.status}")
    return answer


async def look_forever(
    what: str,
    parts: NoticesParts,
    look_at_due: Callable[[], Awaitable[int]],
    failing: Callable[[AsyncConnection, int], Awaitable[int]],
    tell: Callable[[float], None],
) -> None:
    """Every tick until nothing is due any more, and tells how many keep failing. Without the database it waits."""
    while True:
        try:
            while await look_at_due():
                log.debug(f"{what}_looked_at")
            async with parts.database.transaction() as tx:
                tell(await failing(tx, parts.settings.boards_failing_after))
        except (SQLAlchemyError, OSError) as error:
            log.warning(f"{what}_wait", error=type(error).__name__)
        await asyncio.sleep(parts.settings.boards_tick_s)
