"""Couriers: take what is due, look again whether it may still be sent, send it, note how it went.

What is taken is committed before it is sent, and how it went is committed after the peer has said so. Killed between the
two, the same message with the same id is sent again when the lease is over: at least once, told apart by its id. A sender
sends nothing before its last message is noted, so at most one message per sender can come twice of one kill.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.delivery.deliveries import store
from services.delivery.deliveries.domain import apart, wait_after
from services.delivery.deliveries.handlers import Hours
from services.delivery.deliveries.messages import Accepted, Gone, Later, Message, Outcome, Refused, Sender
from services.delivery.deliveries.sorting import sort_due
from services.delivery.letters import store as letters
from services.delivery.letters.writing import take_due
from services.delivery.settings import Settings
from services.delivery.subscriptions import store as subscriptions
from services.delivery.subscriptions.domain import Channel
from shared import telemetry
from shared.clock import Clock
from shared.database import Database
from shared.together import Together

log = structlog.get_logger()

NOTE_AGAIN_S = (0.2, 0.5, 1.0, 2.0, 5.0)


Noting = Together[Message, None]


def noting_of(database: Database, clock: Clock) -> Noting:
    """Writes down what was sent: of senders that are done at the same time, together."""

    async def note(messages: Sequence[Message]) -> Sequence[None]:
        alone = [(message.target_id, message.id) for message in messages if not message.digest]
        gathered = [message.id for message in messages if message.digest]
        async with database.statement() as connection:
            if gathered:
                await letters.sent(connection, gathered, clock())
            if alone:
                await store.sent(connection, alone, clock())
        return [None] * len(messages)

    return Together(note)


class Courier:
    """One of several for a channel, with senders that each send one message at a time.

    `is_open` says whether what is known of postings and consents is up to date; `taking` and `noting` are shared by the
    couriers of a channel.
    """

    def __init__(
        self, settings: Settings, database: Database, hours: Hours, channel: Channel, senders: Sequence[Sender],
        is_open: Callable[[], bool], clock: Clock, *, taking: asyncio.Lock | None = None, noting: Noting | None = None,
    ) -> None:  # fmt: skip
        self._settings, self._database, self._hours, self._clock = settings, database, hours, clock
        self._channel, self._senders, self._is_open = channel, senders, is_open
        self._taking = taking or asyncio.Lock()
        self._note_sent = noting or noting_of(database, clock)

    async def run(self, stopping: asyncio.Event) -> None:
        """Until told to stop; what is in hand is finished."""
        while not stopping.is_set():
            try:
                taken = await self.round()
            except (SQLAlchemyError, OSError) as error:
                log.warning("courier_waits", channel=self._channel, error=type(error).__name__)
                taken = 0
            if not taken:
                await _pause(stopping, self._settings.delivery_tick_s)

    async def round(self) -> int:
        """Send some of what is due; returns how many addressees and letters were looked at."""
        begun = time.monotonic()
        async with self._taking:  # two who take at once find the same addressees
            looked_at, messages = await self.take()
        left = deque(messages)
        await asyncio.gather(*(self._work_off(left, send, begun) for send in self._senders[: len(messages)]))
        return looked_at

    async def _work_off(self, left: deque[Message], send: Sender, begun: float) -> None:
        while left:
            message = left.popleft()
            late = time.monotonic() - begun > self._settings.delivery_lease_s / 2
            await (self._put_back(message) if late else self._carry(message, send))

    async def take(self) -> tuple[int, list[Message]]:
        """(addressees and letters looked at, messages that are to be sent now), each noted as being on its way."""
        now, open_ = self._clock(), self._is_open()
        addressees, alone = await self._take_alone(now, open_=open_)
        if addressees or not open_:
            return addressees, alone
        async with self._database.transaction() as tx:
            looked_at, written = await take_due(tx, self._channel, self._settings, now)
        self._count(because for _, _, because in written.dropped)
        return looked_at, written.messages

    async def _take_alone(self, now: datetime, *, open_: bool) -> tuple[int, list[Message]]:
        """What is due by itself goes before letters, which ring nobody at a minute of their own."""
        async with self._database.transaction() as tx:
            targets = await store.lock_targets(tx, self._channel, now, self._settings.delivery_at_once, open_=open_)
            if not targets:
                return 0, []
            found = await sort_due(tx, targets, self._settings, self._hours, now, open_=open_)
            await store.apply(tx, found.decided, now)
            await letters.gather_known(tx, self._channel, found.to_digests)
        self._count(row["because"] for row in found.decided if row["state"] == "dropped")
        return len(targets), found.messages

    def _count(self, dropped: Iterable[str]) -> None:
        for because in dropped:
            telemetry.DELIVERIES.labels(self._channel, because).inc()

    async def _put_back(self, message: Message) -> None:
        """The lease is too short for what is left of it: another round."""
        await self._surely_note(message, Later("lease", counts=False))

    async def _carry(self, message: Message, send: Sender) -> None:
        outcome = await send(message)
        await self._surely_note(message, outcome)
        telemetry.DELIVERIES.labels(self._channel, type(outcome).__name__.lower()).inc()
        if isinstance(outcome, Accepted) and not message.digest:
            waited_s = (self._clock() - message.items[0].wanted_at).total_seconds()
            telemetry.DELIVERY_S.labels(self._channel).observe(max(0.0, waited_s))
        elif not isinstance(outcome, Accepted):
            log.info("undelivered", channel=self._channel, outcome=type(outcome).__name__, reason=outcome.reason)

    async def _surely_note(self, message: Message, outcome: Outcome) -> None:
        """A database that is away for a moment must not make a message that was taken look like one that was not."""
        for wait_s in NOTE_AGAIN_S:
            try:
                await self._note(message, outcome)
                return
            except (SQLAlchemyError, OSError) as error:
                log.warning("note_waits", channel=self._channel, error=type(error).__name__)
                await asyncio.sleep(wait_s)
        await self._note(message, outcome)

    async def _note(self, message: Message, outcome: Outcome) -> None:
        if isinstance(outcome, Accepted):
            await self._note_sent(message)
            return
        async with self._database.transaction() as tx:
            match outcome:
                case Later():
                    await self._note_later(tx, message, outcome)
                case Refused() if message.digest:
                    await letters.refused(tx, message.id, self._clock())
                case Refused():
                    await store.refused(tx, message.target_id, message.id, self._clock())
                case Gone() if message.channel == "push":
                    await subscriptions.remove_endpoint(tx, message.target_id)
                case Gone():
                    await subscriptions.suspend_mail(tx, message.target_id, self._clock())

    async def _note_later(self, tx: AsyncConnection, message: Message, why: Later) -> None:
        now, first_s, most = self._clock(), self._settings.delivery_backoff_s, self._settings.delivery_attempts
        until = now + wait_after(message.attempt, first_s, why.after_s, apart(message.id, message.attempt))
        if message.digest:
            await letters.later(tx, message.id, now, until, most=most, counts=why.counts)
        else:
            await store.later(tx, message.target_id, message.id, now, until, most=most, counts=why.counts)


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    waiting = asyncio.ensure_future(stopping.wait())
    await asyncio.wait({waiting}, timeout=seconds)
    waiting.cancel()
