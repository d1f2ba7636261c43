"""How often one person may ask, counted per minute in Redis. Without Redis nothing is counted and nobody is kept out."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Protocol

import structlog
from fastapi import Depends, Request
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.auth import Principal, current_principal
from shared.clock import Clock
from shared.redis import FAULTS
from shared.settings import PlatformSettings
from shared.web.problems import Problem

log = structlog.get_logger()

MINUTE_S = 60


class Counting(Protocol):
    """What a service's parts must have to be limited."""

    @property
    def settings(self) -> PlatformSettings: ...
    @property
    def redis(self) -> Redis: ...
    @property
    def clock(self) -> Clock: ...


def limited_in(service: str, act: str) -> Any:
    """A dependency: 429 with Retry-After beyond the setting `<service>_<act>_per_minute`, which itself is allowed."""

    async def check(request: Request, principal: Annotated[Principal, Depends(current_principal)]) -> None:
        parts: Counting = request.app.state.parts
        at_most: int = getattr(parts.settings, f"{service}_{act}_per_minute")
        now_s = int(parts.clock().timestamp())
        if await _count(parts, f"{service}:limit:{act}", principal.subject, now_s // MINUTE_S) > at_most:
            wait_s = MINUTE_S - now_s % MINUTE_S
            title = "요청이 너무 잦습니다. 잠시 뒤 다시 해 주세요 / Too many requests"
            raise Problem(429, "too-many-requests", title, headers={"Retry-After": str(wait_s)}, per_minute=at_most)

    return Depends(check)


async def _count(parts: Counting, what: str, subject: str, minute: int) -> int:
    who = hashlib.sha256(subject.encode()).hexdigest()[:24]
    key = f"{parts.settings.database_prefix}{what}:{who}:{minute}"
    try:
        counted: int = await parts.redis.incr(key)
        if counted == 1:
            await parts.redis.expire(key, 2 * MINUTE_S)
    except (RedisError, *FAULTS) as error:
        log.warning("limits_uncounted", error=type(error).__name__)
        return 0
    return counted
