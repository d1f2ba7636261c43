"""A small service for tests of the outbox: aggregates with a version, each change emits the whole state."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from sqlalchemy import text

from shared.contracts import Posting
from shared.database import Database
from shared.messaging import outbox
from shared.messaging.relay import Relay
from tests.samples import NOW, posting
from tests.tap import Tap, first_of_each


class RolledBackError(Exception):
    """The writer changed its mind."""


@dataclass
class Board:
    """Writes postings as a service does: change the row, emit, commit."""

    database: Database
    ids: list[UUID] = field(default_factory=list)

    async def prepare(self) -> None:
        async with self.database.transaction() as tx:
            await tx.execute(text("CREATE TABLE IF NOT EXISTS board (id uuid PRIMARY KEY, version int NOT NULL)"))

    async def open(self, count: int) -> list[str]:
        """New aggregates, which have emitted nothing yet."""
        self.ids = [uuid4() for _ in range(count)]
        async with self.database.transaction() as tx:
            for id_ in self.ids:
                await tx.execute(text("INSERT INTO board VALUES (:id, 0)"), {"id": id_})
        return [str(id_) for id_ in self.ids]

    async def change(self, id_: UUID, *, times: int = 1, give_up: bool = False) -> None:
        """One transaction of so many changes to one aggregate."""
        try:
            async with self.database.transaction() as tx:
                for _ in range(times):
                    bump = text("UPDATE board SET version = version + 1 WHERE id = :id RETURNING version")
                    version: int = (await tx.execute(bump, {"id": id_})).scalar_one()
                    await asyncio.sleep(0)
                    await outbox.emit(tx, posting(id_, version), source="tests", now=NOW)
                if give_up:
                    raise RolledBackError
        except RolledBackError:
            return

    async def waiting(self) -> int:
        async with self.database.transaction() as tx:
            return int((await tx.execute(text("SELECT count(*) FROM outbox"))).scalar_one())

    async def empty(self) -> bool:
        return await self.waiting() == 0

    async def versions(self) -> dict[str, int]:
        async with self.database.transaction() as tx:
            rows = await tx.execute(text("SELECT id, version FROM board WHERE id = ANY(:ids)"), {"ids": self.ids})
            return {str(id_): version for id_, version in rows}


def versions_of(tap: Tap, key: str) -> list[int]:
    """The versions of one aggregate as a deduplicating consumer sees them."""
    return [Posting.model_validate_json(record.value).version for record in first_of_each(tap.of(key))]


async def expect_all_in_order(board: Board, tap: Tap) -> None:
    """Every committed version of every aggregate, once after deduplication, rising by one."""
    for key, version in (await board.versions()).items():
        assert versions_of(tap, key) == list(range(1, version + 1))


@asynccontextmanager
async def relaying(database: Database, kafka_url: str) -> AsyncIterator[Relay]:
    """A relay in this process while the block runs."""
    relay = Relay(database.url, kafka_url, service="tests", poll_s=0.1)
    task = asyncio.create_task(relay.run())
    try:
        yield relay
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
