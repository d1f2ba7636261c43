"""What live streams read and note, for all streams of the process together: under load one statement serves many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from services.matching.alerts import store
from shared.clock import Clock
from shared.database import Database
from shared.together import Together

AT_ONCE = 500


class Feed:
    """The inbox as streams see it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._reading: Together[tuple[str, int], list[Row[Any]]] = Together(self._read)
        self._noting: Together[Sequence[UUID], None] = Together(self._note)

    async def now(self, citizen_id: str) -> int:
        """The number of the citizen's last change."""
        async with self._database.statement() as connection:
            return await store.last_change(connection, citizen_id)

    async def since(self, citizen_id: str, change: int) -> list[Row[Any]]:
        """What changed after number `change`, oldest first, at most AT_ONCE."""
        return await self._reading((citizen_id, change))

    async def delivered(self, rows: Sequence[Row[Any]]) -> None:
        """Note that these reached the citizen's screen: once for each, and as a provision (위치정보법 §16②)."""
        fresh = [row.id for row in rows if row.delivered_at is None]
        if fresh:
            await self._noting(fresh)

    async def _read(self, asked: Sequence[tuple[str, int]]) -> list[list[Row[Any]]]:
        async with self._database.statement() as connection:
            return await store.since(connection, asked, AT_ONCE)

    async def _note(self, several: Sequence[Sequence[UUID]]) -> list[None]:
        async with self._database.statement() as connection:
            await store.delivered(connection, [id_ for ids in several for id_ in ids], "stream", self._clock())
        return [None] * len(several)
