"""What the routes of notices work with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from redis.asyncio import Redis

from services.notices.settings import Settings
from shared.publishing import Parts

SOURCE = "/services/notices"


@dataclass(frozen=True)
class NoticesParts(Parts):
    """Made once in app.py."""

    settings: Settings
    redis: Redis


async def _parts(request: Request) -> NoticesParts:
    parts: NoticesParts = request.app.state.parts
    return parts


UseNotices = Annotated[NoticesParts, Depends(_parts)]
