"""The spaces service: `python -m services.spaces.app`."""

from __future__ import annotations

from fastapi import FastAPI

from services.spaces.calendars.api import router as calendars
from services.spaces.facilities.api import router as facilities
from services.spaces.settings import Settings
from shared.clock import Clock, utc_now
from shared.publishing import build_publisher
from shared.web import serve


def build(settings: Settings, clock: Clock = utc_now) -> FastAPI:
    """Wire the service."""
    return build_publisher(
        "spaces", settings, [facilities, calendars], description="공간: 광산형 구독 오피스", clock=clock
    )


if __name__ == "__main__":
    settings = Settings()
    serve(build(settings), settings)
