"""How often one person may write, counted per minute in Redis. Without Redis nothing is counted and nobody is kept out."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

import structlog
from fastapi import Depends
from redis.exceptions import RedisError

from services.notices.parts import NoticesParts, UseNotices
from shared.auth import Principal, current_principal
from shared.web.problems import Problem

log = structlog.get_logger()

Act = Literal["writes", "follows", "comments"]
MINUTE_S = 60


def limited(act: Act) -> Any:
    """A dependency: 429 with Retry-After beyond the act's setting `notices_<act>_per_minute`, which itself is allowed."""

    async def check(principal: Annotated[Principal, Depends(current_principal)], parts: UseNotices) -> None:
        at_most: int = getattr(parts.settings, f"notices_{act}_per_minute")
        now_s = int(parts.clock().timestamp())
        if await _count(parts, act, principal.subject, now_s // MINUTE_S) > at_most:
            wait_s = MINUTE_S - now_s % MINUTE_S
            title = "요청이 너무 잦습니다. 잠시 뒤 다시 해 주세요 / Too many requests"
            raise Problem(429, "too-many-requests", title, headers={"Retry-After": str(wait_s)}, per_minute=at_most)

    return Depends(check)


async def _count(parts: NoticesParts, act: Act, subject: str, minute: int) -> int:
    who = hashlib.sha256(subject.encode()).hexdigest()[:24]
    key = f"{parts.settings.database_prefix}notices:limit:{act}:{who}:{minute}"
    try:
        counted = await parts.redis.incr(key)
        if counted == 1:
            await parts.redis.expire(key, 2 * MINUTE_S)
    except (RedisError, OSError) as error:
        log.warning("limits_uncounted", error=type(error).__name__)
        return 0
    return counted
