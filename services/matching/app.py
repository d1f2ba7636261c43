"""The matching service's API: `python -m services.matching.app`. Its consumers are in worker.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI

from services.matching.alerts.api import router as inbox
from services.matching.alerts.api import why_router as why
from services.matching.consent.api import router as consent
from services.matching.index.api import router as nearby
from services.matching.parts import Parts
from services.matching.positions.api import router as positions
from services.matching.positions.handlers import collecting
from services.matching.reach.api import router as reach
from services.matching.settings import Settings
from services.matching.stream.api import router as stream
from services.matching.stream.feed import Feed
from services.matching.stream.wakeups import Wakeups
from services.matching.unsubscribe.api import router as unsubscribe
from services.matching.watches.api import router as watch
from shared import runtime
from shared.auth import Verifier
from shared.clock import Clock, utc_now
from shared.database import Database
from shared.geo import district
from shared.messaging import kafka
from shared.messaging.relay import Relay
from shared.redis import answers, connect
from shared.web import Check, create_app, serve

ABOUT = "알림: 걸어서 10분 안에 열린 것을 한 번만, 이유와 함께"
ROUTERS = (consent, watch, positions, nearby, inbox, why, stream, reach, unsubscribe)


def build(settings: Settings, *, clock: Clock = utc_now) -> FastAPI:
    """Wire the service."""
    settings.check_key()
    database = Database(settings.database_url("matching"))
    relay = Relay(database.url, settings.kafka_url, service="matching", poll_s=settings.outbox_poll_s)
    redis, wakeups = connect(settings.redis_url), Wakeups(database.url)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        producer = kafka.producer(settings.kafka_url, linger_ms=3, client_id="matching-positions")
        await producer.start()
        feed, collected = Feed(database, clock), collecting(database, clock)
        app.state.parts = Parts(settings, database, redis, producer, wakeups, feed, collected, district(), clock)
        async with runtime.background() as tasks:
            tasks.start("relay", relay.run())
            tasks.start("wakeups", wakeups.run())
            tasks.start("prune", runtime.prune_forever(database, clock))
            yield
        await producer.stop()
        await redis.aclose()
        await database.close()

    checks: dict[str, Check] = {"database": database.answers}
    watched: dict[str, Check] = {"redis": partial(answers, redis), "outbox": relay.flows}
    app = create_app(
        "matching",
        settings,
        routers=ROUTERS,
        checks=checks,
        watched=watched,
        lifespan=lifespan,
        description=ABOUT,
    )
    app.state.verifier = Verifier(settings)
    return app


if __name__ == "__main__":
    settings = Settings()
    serve(build(settings), settings)
