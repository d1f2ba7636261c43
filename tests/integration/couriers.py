"""Delivery as a process of its own that tests kill, and the events that it hears from Kafka."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import uuid4

from deploy.local import ports
from services.delivery.settings import Settings
from shared.clock import utc_now
from shared.contracts import Event, Watch
from shared.messaging import kafka
from shared.messaging.envelope import body_of, headers_of
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.delivery import DeliveryDesk, mail_relay, open_delivery, push_service
from tests.issuer import Issuer
from tests.publishers import NOBODY_LISTENS

TOLD = (
    "kafka_url", "postgres_url", "database_prefix", "oidc_issuer", "oidc_audience", "push_private_endpoints", "smtp_host", "smtp_port",
    "smtp_tls", "delivery_lease_s", "delivery_at_once", "quiet_from", "quiet_to", "delivery_tick_s", "delivery_backoff_s",
    "mail_couriers", "push_couriers", "push_at_once", "unsubscribe_key",
)  # fmt: skip


@asynccontextmanager
async def one_that_is_killed(
    databases: Databases, issuer: Issuer, settings_for: SettingsFor, **changed: Any
) -> AsyncIterator[DeliveryDesk]:
    """The desk of a service that only registers; the processes that a test starts beside it do the sending."""
    with mail_relay() as relay:
        async with push_service() as push:
            settings = settings_for(
                Settings, push_private_endpoints=True, smtp_host="127.0.0.1", smtp_port=relay.port, smtp_tls="none",
                delivery_lease_s=5.0, delivery_at_once=5, quiet_from=0, quiet_to=0, delivery_tick_s=0.1, push_at_once=5,
                unsubscribe_key="the-same-for-both-processes", **changed,
            )  # fmt: skip
            mute = settings.model_copy(update={"kafka_url": NOBODY_LISTENS, "delivery_tick_s": 3_600})
            async with open_delivery(databases, issuer, mute, push, relay) as made:
                made.settings = settings
                yield made


def environment(desk: DeliveryDesk) -> dict[str, str]:
    """Of a process of the same delivery."""
    made = {f"GWANGSAN_{name.upper()}": str(getattr(desk.settings, name)) for name in TOLD}
    return made | {"GWANGSAN_PORT": str(ports.pick(None, ()))}


async def send(kafka_url: str, *events: Event) -> None:
    now, futures, producer = utc_now(), [], kafka.producer(kafka_url)
    await producer.start()
    for event in events:
        headers = headers_of(event, event_id=uuid4(), source="/services/matching", time=now)
        told = [(name, value.encode()) for name, value in headers.items()]
        futures.append(await producer.send(event.TOPIC, body_of(event), key=event.topic_key().encode(), headers=told))
    for future in futures:
        await future
    await producer.stop()


def watch(citizen: str, now: datetime) -> Watch:
    return Watch(citizen_id=citizen, version=1, consent_epoch=1, located=True, changed_at=now)
