"""The engine's worker as `python -m services.matching.worker engine` runs it, but that it takes no fix before the line `go`.

So it begins as its peers do, holding what it must hold. `holds N` says how many partitions the group has given it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable

from aiokafka import TopicPartition

from services.matching.engine.session import Session
from services.matching.engine.worker import EngineWorker
from services.matching.settings import Settings
from services.matching.worker import build
from shared.web import serve


class HeldSession(Session):
    held = True
    newest: HeldSession | None = None

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        given = list(assigned)
        await super().on_partitions_assigned(given)
        HeldSession.newest = self
        if HeldSession.held:
            self._fixes.pause(*given)
        sys.stdout.write(f"holds {len(given)}\n")
        sys.stdout.flush()

    def let_go(self) -> None:
        self._fixes.resume(*self._fixes.assignment())


class HeldWorker(EngineWorker):
    session = HeldSession

    async def run(self) -> None:
        letting_go = asyncio.create_task(self._let_go())
        await super().run()
        letting_go.cancel()

    async def _let_go(self) -> None:
        await asyncio.to_thread(sys.stdin.readline)
        HeldSession.held = False
        if HeldSession.newest is not None:
            HeldSession.newest.let_go()


if __name__ == "__main__":
    settings = Settings()
    serve(build(HeldWorker(settings), "engine", settings), settings)
