"""The jobs service: `python -m services.jobs.app`."""

from __future__ import annotations

from fastapi import FastAPI

from services.jobs.postings.api import router as postings
from services.jobs.settings import Settings
from shared.clock import Clock, utc_now
from shared.publishing import build_publisher
from shared.web import serve


def build(settings: Settings, clock: Clock = utc_now) -> FastAPI:
    """Wire the service."""
    return build_publisher("jobs", settings, [postings], description="일자리: 광산시민수당과 틈새 연결", clock=clock)


if __name__ == "__main__":
    settings = Settings()
    serve(build(settings), settings)
