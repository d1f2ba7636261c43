"""What the routes of jobs work with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from redis.asyncio import Redis

from services.jobs.claims.models import Alternative
from services.jobs.claims.rush import Glances, Rush
from services.jobs.settings import Settings
from shared.publishing import Parts
from shared.recent import Recent


@dataclass(frozen=True)
class JobsParts(Parts):
    """Made once in app.py."""

    settings: Settings
    redis: Redis
    glances: Glances
    rush: Rush
    alternatives: Recent[UUID, list[Alternative]] = field(default_factory=lambda: Recent(for_s=1.0, most=1_000))


async def _parts(request: Request) -> JobsParts:
    parts: JobsParts = request.app.state.parts
    return parts


UseJobs = Annotated[JobsParts, Depends(_parts)]
