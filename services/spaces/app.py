"""The spaces service: `python -m services.spaces.app`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.spaces.availability.api import router as availability
from services.spaces.bookings.api import router as bookings
from services.spaces.calendars.api import router as calendars
from services.spaces.checkin.api import router as checkin
from services.spaces.clockwork import do_chores_forever
from services.spaces.closures.api import router as closures
from services.spaces.desk.api import router as desk
from services.spaces.facilities.api import router as facilities
from services.spaces.icalendar.api import router as icalendar
from services.spaces.imports.api import router as imports
from services.spaces.imports.handlers import feeds_have_news
from services.spaces.parts import SpacesParts
from services.spaces.places.api import router as places
from services.spaces.series.api import router as series
from services.spaces.settings import Settings
from services.spaces.subscriptions.api import router as subscriptions
from shared import runtime
from shared.clock import Clock, utc_now
from shared.publishing import build_publisher
from shared.web import serve

ROUTERS = (
    availability,
    facilities,
    calendars,
    bookings,
    checkin,
    desk,
    subscriptions,
    series,
    imports,
    places,
    icalendar,
    closures,
)


def build(settings: Settings, clock: Clock = utc_now) -> FastAPI:
    """Wire the service."""
    watched = {"feeds": feeds_have_news(settings.spaces_feed_stale_days)}
    app = build_publisher(
        "spaces", settings, ROUTERS, description="공간: 광산형 구독 오피스", clock=clock, watched=watched
    )
    parts = SpacesParts(app.state.parts.database, clock, settings)
    app.state.parts, base = parts, app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with base(app), runtime.background() as tasks:
            tasks.start("chores", do_chores_forever(parts))
            yield

    app.router.lifespan_context = lifespan
    return app


if __name__ == "__main__":
    settings = Settings()
    serve(build(settings), settings)
