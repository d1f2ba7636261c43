"""The notices service: `python -m services.notices.app`."""

from __future__ import annotations

from fastapi import FastAPI

from services.notices.publishing.api import router as publishing
from services.notices.settings import Settings
from shared.clock import Clock, utc_now
from shared.publishing import build_publisher
from shared.web import serve


def build(settings: Settings, clock: Clock = utc_now) -> FastAPI:
    """Wire the service."""
    return build_publisher(
        "notices", settings, [publishing], description="소식: 기관이 주민에게 바로 알리는 채널", clock=clock
    )


if __name__ == "__main__":
    settings = Settings()
    serve(build(settings), settings)
