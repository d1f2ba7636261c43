"""The jobs service: `python -m services.jobs.app`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.jobs.claims.api import router as claims
from services.jobs.claims.rush import Rush, glancing
from services.jobs.clockwork import do_chores_forever
from services.jobs.counts.api import router as counts
from services.jobs.counts.handlers import GROUP, HANDLERS
from services.jobs.drafts.api import router as drafts
from services.jobs.imports.api import router as imports
from services.jobs.parts import JobsParts
from services.jobs.postings.api import router as postings
from services.jobs.reports.api import router as reports
from services.jobs.rules.api import router as rules
from services.jobs.settings import Settings
from services.jobs.shifts.api import router as shifts
from services.jobs.trust.api import router as trust
from services.jobs.work.api import router as work
from shared import runtime
from shared.clock import Clock, utc_now
from shared.contracts.alert import ALERTS
from shared.messaging.consumer import Consumer
from shared.publishing import build_publisher
from shared.redis import connect
from shared.web import serve

ROUTERS = (postings, claims, work, trust, reports, counts, rules, drafts, shifts, imports)


def build(settings: Settings, clock: Clock = utc_now) -> FastAPI:
    """Wire the service."""
    if settings.environment == "production" and "jobs_secret" not in settings.model_fields_set:
        raise ValueError("GWANGSAN_JOBS_SECRET must be set in production")
    app = build_publisher("jobs", settings, ROUTERS, description="일자리: 광산시민수당과 틈새 연결", clock=clock)
    redis = connect(settings.redis_url, timeout_s=2)
    database = app.state.parts.database
    parts = JobsParts(database, clock, settings, redis, glancing(database, clock), Rush())
    app.state.parts, base = parts, app.router.lifespan_context
    alerts = Consumer(
        settings, parts.database, group=GROUP, topics=[ALERTS.name], handlers=HANDLERS, clock=clock, gather_s=1.0
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with base(app), runtime.background() as tasks:
            tasks.start("chores", do_chores_forever(parts))
            tasks.start("counts", alerts.run())
            yield
            alerts.stop()
        await redis.aclose()

    app.router.lifespan_context = lifespan
    return app


if __name__ == "__main__":
    settings = Settings()
    serve(build(settings), settings)
