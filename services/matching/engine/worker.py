"""The engine's process: one session after another, until told to stop."""

from __future__ import annotations

import asyncio
import gc

import structlog
from aiokafka.errors import KafkaError

from services.matching.engine.session import GROUP, Session
from services.matching.engine.warmup import warm_up
from services.matching.settings import Settings
from shared.clock import Clock, utc_now
from shared.geo import district
from shared.messaging.consumer import Halted
from shared.messaging.progress import Progress
from shared.redis import FAULTS as REDIS_FAULTS
from shared.web import Check

log = structlog.get_logger()

RESTART_AFTER_S = 0.5
FAULTS = (KafkaError, OSError, TimeoutError, *REDIS_FAULTS)


class EngineWorker:
    """Runs until stopped. A fault of Kafka or Redis starts it over from what they keep; nothing is lost by it."""

    session = Session

    def __init__(self, settings: Settings, *, clock: Clock = utc_now) -> None:
        self._settings, self._clock = settings, clock
        self._stopping = asyncio.Event()
        self._district = district()
        self.progress = Progress(GROUP, stale_after_s=settings.stale_after_s)
        self.checks: dict[str, Check] = {"engine": self._flows}
        warm_up(self._district)
        # The engine holds some million objects that live as long as it does: looked at in vain by every full collection.
        gc.set_threshold(50_000, 20, 50)

    async def _flows(self) -> str | None:
        return self.progress.problem()

    def stop(self) -> None:
        """Finish the batch in hand, commit, leave the group."""
        self._stopping.set()

    async def run(self) -> None:
        while not self._stopping.is_set():
            try:
                await self.session(self._settings, self._clock, self._district, self.progress, self._stopping).run()
            except Halted as halted:
                self.progress.halt(str(halted))
                log.error("engine_halted", reason=str(halted))
                await self._stopping.wait()
            except FAULTS as error:
                log.warning("engine_fault", error=type(error).__name__, detail=str(error)[:200])
                await asyncio.sleep(RESTART_AFTER_S)
