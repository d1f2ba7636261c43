"""A crowd that comes for one posting is served together: one look tells most of them that they are too late, one transaction
gives the places to who came first. Alone nobody waits for company.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

from fastapi.responses import JSONResponse
from sqlalchemy import Row

from services.jobs.claims import store
from services.jobs.claims.store import Look
from shared.clock import Clock
from shared.database import Database
from shared.rules import Refused
from shared.together import Together
from shared.web.idempotency import Keyed

AT_ONCE = 200
Glances = Together[Look, Row[Any] | None]


@dataclass(frozen=True)
class Asking:
    """A request for a place. `keyed.principal` is the citizen."""

    keyed: Keyed
    may_wait: bool


Answer = JSONResponse | Refused | None
Decide = Together[Asking, Answer]


class Rush:
    """For each posting that somebody asks for now, those who wait for the decision."""

    def __init__(self) -> None:
        self._of: WeakValueDictionary[UUID, Decide] = WeakValueDictionary()

    async def ask(self, posting_id: UUID, asking: Asking, decide: Callable[[], Decide]) -> Answer:
        """The answer; None where the request was made before, or is being made now."""
        together = self._of.get(posting_id)
        if together is None:
            together = self._of[posting_id] = decide()
        return await together(asking)


def glancing(database: Database, clock: Clock) -> Glances:
    """What `store.glance` tells, for all who ask at the same time."""

    async def look(looks: Sequence[Look]) -> list[Row[Any] | None]:
        async with database.statement() as connection:
            return await store.glance(connection, looks, clock())

    return Together(look)
