"""Tells a WebSub hub which feeds have changed, after the commit that changed them; a hub that is away is told later."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from services.notices.hub import store
from services.notices.hub.domain import announcement, told_again
from services.notices.parts import NoticesParts
from shared.outside import Forbidden, Outside, TooLarge, Unreachable

log = structlog.get_logger()

LEASE = timedelta(minutes=1)
AT_ONCE = 50
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def client(*, private: bool) -> Outside:
    """The hub is asked as everything outside is: never on a private address (SSRF)."""
    return Outside(private=private, total_s=10.0)


async def tell_hub(parts: NoticesParts, outside: Outside) -> int:
    """Tells of some feeds; returns of how many. What is marked while it is told stays marked."""
    settings, now = parts.settings, parts.clock()
    async with parts.database.transaction() as tx:
        rows = await store.take(tx, now, LEASE, AT_ONCE)
    if not rows:
        return 0
    paths, failures = [row.path for row in rows], 1 + max(row.failures for row in rows)
    because = await _refusal(outside, settings.feeds_hub_url, announcement(settings.public_url, paths))
    async with parts.database.transaction() as tx:
        if because is None:
            await store.told(tx, rows, now)
        else:
            await store.failed(tx, paths, failures, told_again(failures, now))
    if because is not None:
        log.warning("hub_untold", because=because, failures=failures)
    return len(rows)


async def _refusal(outside: Outside, hub: str, body: bytes) -> str | None:
    """None where the hub has taken it."""
    try:
        answer = await outside.ask("POST", hub, headers=FORM, body=body)
    except (Forbidden, Unreachable, TooLarge) as error:
        return f"{type(error).__name__}: {error}"
    return None if 200 <= answer.status < 300 else f"status {answer.status}"


async def tell_forever(parts: NoticesParts, outside: Outside) -> None:
    while True:
        try:
            while await tell_hub(parts, outside):
                log.debug("hub_told")
        except (SQLAlchemyError, OSError) as error:
            log.warning("hub_waits", error=type(error).__name__)
        await asyncio.sleep(parts.settings.notices_tick_s)
