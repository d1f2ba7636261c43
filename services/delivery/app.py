"""The delivery service: `python -m services.delivery.app`. API, consumer and couriers in one process."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog
from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError

from services.delivery.deliveries.courier import Courier, noting_of
from services.delivery.deliveries.forgetting import forget_forever
from services.delivery.deliveries.handlers import Hours, handlers
from services.delivery.deliveries.messages import Sender
from services.delivery.mail.confirmations import ask_owners
from services.delivery.mail.sender import Mailer
from services.delivery.parts import DeliveryParts
from services.delivery.push.sender import Pusher
from services.delivery.push.vapid import Vapid
from services.delivery.settings import Settings
from services.delivery.subscriptions.api import router as subscriptions
from services.delivery.subscriptions.domain import Channel
from shared import runtime
from shared.auth import Verifier
from shared.clock import Clock, utc_now
from shared.contracts.alert import ALERTS
from shared.contracts.digest import DIGESTS
from shared.contracts.posting import POSTINGS
from shared.contracts.watch import WATCHES
from shared.database import Database
from shared.messaging.consumer import Consumer
from shared.outside import Outside
from shared.web import create_app, serve

log = structlog.get_logger()

ABOUT = "전달: 알림을 휴대전화와 메일함까지. 다른 서비스는 이 서비스를 모릅니다"
ROUTERS = (subscriptions,)
GROUP = "delivery"
AT_ONCE = 500  # of a partition: a digest to everybody is many at once, and all partitions of it are in memory
TOPICS = (ALERTS.name, DIGESTS.name, POSTINGS.name, WATCHES.name)


class UpToDate:
    """Nothing but emergencies goes out before postings and consents are known as they are now (N3, M9).

    Caught up once is caught up: later lag is what came in just now. A consumer that does not get on closes it again.
    """

    def __init__(self, consumer: Consumer) -> None:
        self._progress, self._reached = consumer.progress, False

    def __call__(self) -> bool:
        well = self._progress.problem() is None
        self._reached = self._reached or (well and self._progress.lag == 0)
        return well and self._reached


def build(settings: Settings, clock: Clock = utc_now) -> FastAPI:
    """Wire the service."""
    settings.check()
    database = Database(settings.database_url("delivery"), pool_size=16, seq_scans=False)
    hours = Hours(settings.digest_hour, timedelta(seconds=settings.delivery_digest_settles_s))
    consumer = Consumer(
        settings, database, group=GROUP, topics=TOPICS, handlers=handlers(hours), clock=clock, max_records=AT_ONCE,
        gather_s=0.3, remembers=False,
    )  # fmt: skip
    parts = DeliveryParts(database, clock, settings, Vapid(settings.vapid_secret, settings.vapid_contact), hours)

    async def events_flow() -> str | None:
        return consumer.progress.problem()

    async def none_died() -> str | None:
        tasks: runtime.Background = app.state.tasks
        return await tasks.problem()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with _at_work(parts, consumer) as app.state.tasks:
            yield
        await database.close()

    checks = {"database": database.answers, "events": events_flow, "tasks": none_died}
    app = create_app("delivery", settings, routers=ROUTERS, checks=checks, lifespan=lifespan, description=ABOUT)
    app.state.verifier = Verifier(settings)
    app.state.parts = parts
    return app


@asynccontextmanager
async def _at_work(parts: DeliveryParts, consumer: Consumer) -> AsyncIterator[runtime.Background]:
    """Events taken in, messages sent and confirmed, what is old forgotten; a message in hand is finished at the end."""
    settings, database, clock, stopping = parts.settings, parts.database, parts.clock, asyncio.Event()
    outside = Outside(private=settings.push_private_endpoints, total_s=min(15.0, settings.delivery_lease_s / 3))
    mailers = [Mailer(settings, clock) for _ in range(settings.mail_couriers)] if settings.smtp_host else []
    async with runtime.background() as chores, runtime.background(grace_s=15.0) as tasks:
        chores.start("prune", runtime.prune_forever(database, clock))
        chores.start("forget", forget_forever(settings, database, clock))
        tasks.start("events", consumer.run())
        _send_off(tasks, _couriers(parts, Pusher(settings, parts.vapid, outside, clock), mailers, consumer), stopping)
        if mailers:
            tasks.start("confirmations", _confirm_forever(parts, stopping))
        yield tasks
        stopping.set()
        consumer.stop()
    for mailer in mailers:
        await mailer.close()
    await outside.close()


def _couriers(parts: DeliveryParts, pusher: Pusher, mailers: Sequence[Mailer], consumer: Consumer) -> list[Courier]:
    """Two share the connections to the relay: while one takes what is due, the other sends."""
    is_open, settings, clock = UpToDate(consumer), parts.settings, parts.clock

    def courier(channel: Channel, senders: Sequence[Sender], taking: asyncio.Lock) -> Courier:
        given = (settings, parts.database, parts.hours, channel, senders, is_open, clock)
        return Courier(*given, taking=taking, noting=noting)

    noting = noting_of(parts.database, clock)
    phones, boxes = asyncio.Lock(), asyncio.Lock()
    pushing = [courier("push", [pusher] * settings.push_at_once, phones) for _ in range(settings.push_couriers)]
    return pushing + [courier("mail", half, boxes) for half in (mailers[::2], mailers[1::2]) if half]


def _send_off(tasks: runtime.Background, couriers: Sequence[Courier], stopping: asyncio.Event) -> None:
    for number, courier in enumerate(couriers):
        tasks.start(f"courier-{number}", courier.run(stopping))


async def _confirm_forever(parts: DeliveryParts, stopping: asyncio.Event) -> None:
    mailer = Mailer(parts.settings, parts.clock)
    while not stopping.is_set():
        try:
            await ask_owners(parts.settings, parts.database, mailer, parts.clock)
        except (SQLAlchemyError, OSError) as error:
            log.warning("confirmations_wait", error=type(error).__name__)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), parts.settings.delivery_tick_s)
    await mailer.close()


if __name__ == "__main__":
    settings = Settings()
    app = build(settings)
    gc.freeze()  # a digest to everybody makes objects by the million; those of the start need not be looked at for each thousand
    gc.set_threshold(50_000, 20, 50)
    serve(app, settings)
