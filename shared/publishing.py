"""What every service that publishes postings has: a database, the relay of its outbox, tokens verified, health told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Request

from shared import runtime
from shared.auth import Verifier
from shared.clock import Clock, utc_now
from shared.database import Database
from shared.messaging.relay import Relay
from shared.settings import PlatformSettings
from shared.web import Check, create_app


@dataclass(frozen=True)
class Parts:
    """What routes work with."""

    database: Database
    clock: Clock


async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


UseParts = Annotated[Parts, Depends(_parts)]
Watch = Callable[[Parts], Awaitable[str | None]]


def build_publisher(
    service: str,
    settings: PlatformSettings,
    routers: Sequence[APIRouter],
    *,
    description: str,
    clock: Clock = utc_now,
    watched: Mapping[str, Watch] | None = None,
) -> FastAPI:
    """The application of a service whose only events go out through its outbox. `watched` are told as degraded."""
    database = Database(settings.database_url(service))
    parts = Parts(database, clock)
    relay = Relay(database.url, settings.kafka_url, service=service, poll_s=settings.outbox_poll_s)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with runtime.background() as tasks:
            tasks.start("relay", relay.run())
            tasks.start("prune", runtime.prune_forever(database, clock))
            yield
        await database.close()

    degraded: dict[str, Check] = {"outbox": relay.flows}
    degraded |= {name: partial(watch, parts) for name, watch in (watched or {}).items()}
    app = create_app(
        service, settings, routers=routers, checks={"database": database.answers}, watched=degraded, lifespan=lifespan,
        description=description,
    )  # fmt: skip
    app.state.verifier = Verifier(settings)
    app.state.parts = parts
    return app
