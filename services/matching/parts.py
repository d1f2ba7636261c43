"""What matching's routes work with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from aiokafka import AIOKafkaProducer
from fastapi import Depends, Request
from redis.asyncio import Redis

from services.matching.positions.handlers import Collected
from services.matching.settings import Settings
from services.matching.stream.feed import Feed
from services.matching.stream.wakeups import Wakeups
from shared.clock import Clock
from shared.database import Database
from shared.geo import District

SOURCE = "/services/matching"


@dataclass(frozen=True)
class Parts:
    """Made once in app.py."""

    settings: Settings
    database: Database
    redis: Redis
    producer: AIOKafkaProducer
    wakeups: Wakeups
    feed: Feed
    collected: Collected
    district: District
    clock: Clock


async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


UseParts = Annotated[Parts, Depends(_parts)]
