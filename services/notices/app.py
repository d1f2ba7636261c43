"""The notices service: `python -m services.notices.app`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI

from services.notices.boards import polling
from services.notices.boards.api import router as boards
from services.notices.channels.api import router as channels
from services.notices.clockwork import do_chores_forever
from services.notices.comments.api import router as comments
from services.notices.drafts.api import router as drafts
from services.notices.feeds import store as feed_store
from services.notices.feeds.api import router as feeds
from services.notices.feeds.cache import Cache, Version
from services.notices.hub import pinging
from services.notices.kosis import polling as kosis_polling
from services.notices.kosis.api import router as kosis
from services.notices.parts import NoticesParts
from services.notices.publishing.api import router as publishing
from services.notices.search.api import router as search
from services.notices.settings import Settings
from services.notices.statistics.api import router as statistics
from shared import runtime
from shared.clock import Clock, utc_now
from shared.publishing import build_publisher
from shared.redis import connect
from shared.web import serve

ABOUT = "소식: 기관이 주민에게 바로 알리는 채널"
ROUTERS = (publishing, drafts, channels, comments, search, feeds, boards, statistics, kosis)


def build(settings: Settings, clock: Clock = utc_now) -> FastAPI:
    """Wire the service."""
    if settings.environment == "production" and settings.boards_private_addresses:
        raise ValueError("GWANGSAN_BOARDS_PRIVATE_ADDRESSES is for development")
    if settings.environment == "production" and settings.feeds_hub_private:
        raise ValueError("GWANGSAN_FEEDS_HUB_PRIVATE is for development")
    after = settings.boards_failing_after
    watched = {
        "boards": partial(polling.none_keeps_failing, failing_after=after),
        "kosis": partial(kosis_polling.none_keeps_failing, failing_after=after),
    }
    app = build_publisher("notices", settings, ROUTERS, description=ABOUT, clock=clock, watched=watched)
    redis = connect(settings.redis_url, timeout_s=2)
    parts = NoticesParts(app.state.parts.database, clock, settings, redis)
    app.state.parts, base = parts, app.router.lifespan_context
    app.state.feeds = _feeds(parts)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        boards_of = polling.client(private=settings.boards_private_addresses)
        kosis_of = kosis_polling.client(private=settings.boards_private_addresses)
        hub_of = pinging.client(private=settings.feeds_hub_private)
        async with base(app), runtime.background() as tasks:
            tasks.start("chores", do_chores_forever(parts))
            tasks.start("boards", polling.look_forever(parts, boards_of))
            tasks.start("kosis", kosis_polling.look_forever(parts, kosis_of))
            if settings.feeds_hub_url:
                tasks.start("hub", pinging.tell_forever(parts, hub_of))
            yield
        await hub_of.close()
        await boards_of.close()
        await kosis_of.close()
        await redis.aclose()

    app.router.lifespan_context = lifespan
    return app


def _feeds(parts: NoticesParts) -> Cache:
    async def look() -> Version:
        async with parts.database.statement() as connection:
            return await feed_store.version(connection, parts.clock())

    return Cache(look, every_s=parts.settings.feeds_check_s, most=parts.settings.feeds_kept)


if __name__ == "__main__":
    settings = Settings()
    serve(build(settings), settings)
