"""What the routes of jobs work with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from redis.asyncio import Redis

from services.jobs.settings import Settings
from shared.publishing import Parts


@dataclass(frozen=True)
class JobsParts(Parts):
    """Made once in app.py."""

    settings: Settings
    redis: Redis


async def _parts(request: Request) -> JobsParts:
    parts: JobsParts = request.app.state.parts
    return parts


UseJobs = Annotated[JobsParts, Depends(_parts)]
