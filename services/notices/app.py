"""The notices service: `python -m services.notices.app`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from redis.asyncio import Redis

from services.notices.channels.api import router as channels
from services.notices.clockwork import do_chores_forever
from services.notices.comments.api import router as comments
from services.notices.drafts.api import router as drafts
from services.notices.parts import NoticesParts
from services.notices.publishing.api import router as publishing
from services.notices.search.api import router as search
from services.notices.settings import Settings
from shared import runtime
from shared.clock import Clock, utc_now
from shared.publishing import build_publisher
from shared.web import serve

ABOUT = "소식: 기관이 주민에게 바로 알리는 채널"
ROUTERS = (publishing, drafts, channels, comments, search)


def build(settings: Settings, clock: Clock = utc_now) -> FastAPI:
    """Wire the service."""
    app = build_publisher("notices", settings, ROUTERS, description=ABOUT, clock=clock)
    redis = Redis.from_url(settings.redis_url, socket_timeout=2, socket_connect_timeout=2)
    parts = NoticesParts(app.state.parts.database, clock, settings, redis)
    app.state.parts, base = parts, app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with base(app), runtime.background() as tasks:
            tasks.start("chores", do_chores_forever(parts))
            yield
        await redis.aclose()

    app.router.lifespan_context = lifespan
    return app


if __name__ == "__main__":
    settings = Settings()
    serve(build(settings), settings)
