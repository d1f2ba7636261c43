"""The inbox's process: alerts and postings into PostgreSQL, and what was deferred told when its time has come."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import time
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from services.matching.alerts import store
from services.matching.alerts.handlers import CAP_HANDLERS, POSTING_HANDLERS, alert_handlers
from services.matching.answers.handlers import ANSWER_HANDLERS
from services.matching.consent import store as consents
from services.matching.digests import store as digests
from services.matching.digests.domain import Budget
from services.matching.digests.handlers import keep_budget, send_due
from services.matching.reminders.handlers import remind_due
from services.matching.settings import Settings
from services.matching.stream.wakeups import digest
from services.matching.watches import store as watches
from services.matching.watches.handlers import FOLLOW_HANDLERS
from shared.clock import Clock, utc_now
from shared.contracts.alert import ALERTS
from shared.contracts.answer import ANSWERS
from shared.contracts.base import Topic
from shared.contracts.follow import FOLLOWS
from shared.contracts.job import JOBS
from shared.contracts.posting import POSTINGS
from shared.database import Database
from shared.messaging.consumer import Consumer, Handlers
from shared.web import Check

log = structlog.get_logger()

AT_ONCE = 1_000  # records of one partition: what is told to a whole district is told in few transactions
RELEASE_EVERY_S = 1.0
FORGET_EVERY_S = 60.0
DIGESTS_EVERY_S = 60.0
GATHER_S = 0.01


class InboxWorker:
    """Five consumer groups, one topic each; deferred alerts, digests and reminders when their time has come."""

    def __init__(self, settings: Settings, *, clock: Clock = utc_now) -> None:
        self._settings, self._clock = settings, clock
        self._database = Database(settings.database_url("matching"))
        self._stopping = asyncio.Event()
        # A batch is thousands of objects that live for a moment: the usual threshold would look at all others at each.
        gc.set_threshold(50_000, 20, 50)
        self._budget = Budget(settings.budget_per_day, settings.budget_urgent_reserve)
        told = alert_handlers(self._budget, settings.quiet_hours())
        # An alert that comes again is known by its id, and what was erased meanwhile is over or without consent.
        self._alerts = self._group("", ALERTS, told, remembers=False)
        self._postings = self._group("-postings", POSTINGS, POSTING_HANDLERS)
        self._caps = self._group("-caps", JOBS, CAP_HANDLERS)
        self._follows = self._group("-follows", FOLLOWS, FOLLOW_HANDLERS)
        self._answers = self._group("-answers", ANSWERS, ANSWER_HANDLERS)
        self.checks: dict[str, Check] = {
            "database": self._database.answers,
            "alerts": self._alerts_flow,
            "postings": self._postings_flow,
            "caps": self._caps_flow,
            "follows": self._follows_flow,
            "answers": self._answers_flow,
        }

    def _group(self, suffix: str, topic: Topic, handlers: Handlers, *, remembers: bool = True) -> Consumer:
        settings, group = self._settings, f"matching-inbox{suffix}"
        return Consumer(
            settings,
            self._database,
            group=group,
            topics=[topic.name],
            handlers=handlers,
            clock=self._clock,
            max_records=AT_ONCE,
            gather_s=GATHER_S,
            remembers=remembers,
        )

    def stop(self) -> None:
        self._stopping.set()
        self._alerts.stop()
        self._postings.stop()
        self._caps.stop()
        self._follows.stop()
        self._answers.stop()

    async def run(self) -> None:
        try:
            consumers = (self._alerts, self._postings, self._caps, self._follows, self._answers)
            chores = (self._release_forever(), self._digest_forever())
            await asyncio.gather(*(consumer.run() for consumer in consumers), *chores)
        finally:
            await self._database.close()

    async def _release_forever(self) -> None:
        """Look every second whether anything has come due; the locks that a release takes are taken only then."""
        forgotten_at, ahead = -math.inf, timedelta(hours=self._settings.remind_before_h)
        while not self._stopping.is_set():
            try:
                while not self._stopping.is_set() and await self._is_due():
                    await self._release()
                await remind_due(self._database, ahead, self._clock(), self._stopping)
                if time.monotonic() - forgotten_at >= FORGET_EVERY_S:
                    await self._forget()
                    forgotten_at = time.monotonic()
            except (SQLAlchemyError, OSError) as error:
                log.warning("release_waits", error=type(error).__name__)
            await self._pause()

    async def _digest_forever(self) -> None:
        """When an hour has struck, and once a minute what came late to it; what a dead worker left is made at the start."""
        looked_in, looked_at = None, -math.inf
        while not self._stopping.is_set():
            now = self._clock()
            hour = now.replace(minute=0, second=0, microsecond=0)
            if hour != looked_in or time.monotonic() - looked_at >= DIGESTS_EVERY_S:
                try:
                    await send_due(self._database, self._settings.digest_hour, now, self._stopping)
                    looked_in, looked_at = hour, time.monotonic()
                except (SQLAlchemyError, OSError) as error:
                    log.warning("digests_wait", error=type(error).__name__)
            await self._pause()

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), RELEASE_EVERY_S)

    async def _is_due(self) -> bool:
        async with self._database.statement() as connection:
            return await store.any_due(connection, self._clock())

    async def _release(self) -> None:
        async with self._database.transaction() as tx:
            now = self._clock()
            told = await keep_budget(tx, await store.release_due(tx, now), self._budget, now)
            await store.notify(tx, sorted({digest(citizen) for citizen in told}))

    async def _forget(self) -> None:
        async with self._database.transaction() as tx:
            now = self._clock()
            await digests.forget(tx, now)
            await consents.forget_records(tx, now, self._settings.records_kept_days)
            await watches.forget_versions(tx, now, self._settings.watch_versions_kept_days)

    async def _alerts_flow(self) -> str | None:
        return self._alerts.progress.problem()

    async def _postings_flow(self) -> str | None:
        return self._postings.progress.problem()

    async def _caps_flow(self) -> str | None:
        return self._caps.progress.problem()

    async def _follows_flow(self) -> str | None:
        return self._follows.progress.problem()

    async def _answers_flow(self) -> str | None:
        return self._answers.progress.problem()
