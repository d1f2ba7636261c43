"""What every service that publishes postings has: a database, the relay of its outbox, tokens verified, health told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Request

from shared import runtime
from shared.auth import Verifier
from shared.clock import Clock, utc_now
from shared.database import Database
from shared.messaging.relay import Relay
from shared.settings import PlatformSettings
from shared.web import create_app


@dataclass(frozen=True)
class Parts:
    """What routes work with."""

    database: Database
    clock: Clock


async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


UseParts = Annotated[Parts, Depends(_parts)]


def build_publisher(
    service: str, settings: PlatformSettings, routers: Sequence[APIRouter], *, description: str, clock: Clock = utc_now
) -> FastAPI:
    """The application of a service whose only events go out through its outbox."""
    database = Database(settings.database_url(service))
    relay = Relay(database.url, settings.kafka_url, service=service, poll_s=settings.outbox_poll_s)

    async def database_answers() -> str | None:
        await database.ping()
        return None

    async def outbox_flows() -> str | None:
        return relay.problem()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with runtime.background() as tasks:
            tasks.start("relay", relay.run())
            tasks.start("prune", runtime.prune_forever(database, clock))
            yield
        await database.close()

    checks, watched = {"database": database_answers}, {"outbox": outbox_flows}
    app = create_app(
        service, settings, routers=routers, checks=checks, watched=watched, lifespan=lifespan, description=description
    )
    app.state.verifier = Verifier(settings)
    app.state.parts = Parts(database, clock)
    return app
