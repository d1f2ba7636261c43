"""A crowd that comes for one posting is looked at together: one statement tells most of them that they are too late."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from services.jobs.claims import store
from services.jobs.claims.store import Comer
from shared.clock import Clock
from shared.database import Database
from shared.together import Together

Glances = Together[Comer, Row[Any] | None]


def glancing(database: Database, clock: Clock) -> Glances:
    """What `store.glance` tells, for all who ask at the same time."""

    async def look(comers: Sequence[Comer]) -> list[Row[Any] | None]:
        async with database.statement() as connection:
            return await store.glance(connection, comers, clock())

    return Together(look)
