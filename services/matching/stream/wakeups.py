"""Wakes live streams: the inbox notifies through PostgreSQL when a transaction commits; each stream then reads its rows.

A wake-up is only a hint. Streams look by themselves every minute, so a lost one delays and never loses.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterator
from hashlib import blake2b

import asyncpg
import structlog

log = structlog.get_logger()

CHANNEL = "inbox"
RECONNECT_S = 1.0


def digest(citizen_id: str) -> str:
    """Eight hex digits: short enough for a notification, and no name in it."""
    return blake2b(citizen_id.encode(), digest_size=4).hexdigest()


class Wakeups:
    """One listening connection per process; any number of streams wait on it."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn.replace("+asyncpg", "")
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self.listening = False

    async def run(self) -> None:
        """Listen until cancelled; after a fault listen again and wake everybody once."""
        while True:
            try:
                connection = await asyncpg.connect(self._dsn, timeout=10)
                try:
                    await self._listen(connection)
                finally:
                    with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                        await connection.close(timeout=2)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
                log.warning("wakeups_fault", error=type(error).__name__)
            self.listening = False
            await asyncio.sleep(RECONNECT_S)

    async def _listen(self, connection: asyncpg.Connection) -> None:
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        await connection.add_listener(CHANNEL, lambda _c, _p, _ch, payload: self._wake(payload.split(",")))
        self.listening = True
        self._wake(list(self._waiting))
        await lost.wait()

    def _wake(self, digests: list[str]) -> None:
        for name in digests:
            for event in self._waiting.get(name, ()):
                event.set()

    def open_of(self, citizen_id: str) -> int:
        """How many streams the citizen has open in this process."""
        return len(self._waiting.get(digest(citizen_id), ()))

    @contextlib.contextmanager
    def waiting(self, citizen_id: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever something may have changed for the citizen."""
        name, event = digest(citizen_id), asyncio.Event()
        self._waiting[name].add(event)
        try:
            yield event
        finally:
            self._waiting[name].discard(event)
            if not self._waiting[name]:
                del self._waiting[name]
