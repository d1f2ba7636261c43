"""Delivery killed again and again in the middle of sending: nothing is lost, and what is repeated bears the same id."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from deploy.local import ports
from services.delivery.settings import Settings
from shared.clock import utc_now
from shared.contracts import Alert, Event, Posting, Watch
from shared.messaging import kafka
from shared.messaging.envelope import body_of, headers_of
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.delivery import DeliveryDesk, Device, mail_relay, open_delivery, push_service
from tests.issuer import Issuer
from tests.processes import Nursery
from tests.publishers import NOBODY_LISTENS
from tests.samples import alert, posting
from tests.waiting import until

pytestmark = pytest.mark.integration
CITIZENS, KILLS = 40, 3


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[DeliveryDesk]:
    with mail_relay() as relay:
        async with push_service() as push:
            settings = settings_for(
                Settings, push_private_endpoints=True, smtp_host="127.0.0.1", smtp_port=relay.port, smtp_tls="none",
                delivery_lease_s=5.0, delivery_at_once=5, quiet_from=0, quiet_to=0, delivery_tick_s=0.1,
                unsubscribe_key="the-same-for-both-processes",
            )  # fmt: skip
            mute = settings.model_copy(update={"kafka_url": NOBODY_LISTENS, "delivery_tick_s": 3_600})
            async with open_delivery(databases, issuer, mute, push, relay) as made:
                made.settings = settings
                yield made


async def send(producer: AIOKafkaProducer, *events: Event) -> None:
    now = utc_now()
    futures = []
    for event in events:
        headers = headers_of(event, event_id=uuid4(), source="/services/matching", time=now)
        told = [(name, value.encode()) for name, value in headers.items()]
        futures.append(await producer.send(event.TOPIC, body_of(event), key=event.topic_key().encode(), headers=told))
    for future in futures:
        await future


def watch(citizen: str, now: datetime) -> Watch:
    return Watch(citizen_id=citizen, version=1, consent_epoch=1, located=True, changed_at=now)


def environment(desk: DeliveryDesk) -> dict[str, str]:
    names = (
        "kafka_url", "postgres_url", "database_prefix", "oidc_issuer", "oidc_audience", "push_private_endpoints", "smtp_host",
        "smtp_port", "smtp_tls", "delivery_lease_s", "delivery_at_once", "quiet_from", "quiet_to",
        "delivery_tick_s", "unsubscribe_key",
    )  # fmt: skip
    made = {f"GWANGSAN_{name.upper()}": str(getattr(desk.settings, name)) for name in names}
    return made | {"GWANGSAN_PORT": str(ports.pick(None, ()))}


async def test_one_delivery_per_channel_and_alert_however_often_it_is_killed(
    desk: DeliveryDesk, children: Nursery
) -> None:
    run = uuid4().hex[:6]
    crowd = [f"citizen:{run}-{n}" for n in range(CITIZENS)]
    devices: dict[str, Device] = {citizen: await desk.device(citizen) for citizen in crowd}
    mailboxes = {citizen: await mailbox(desk, citizen) for citizen in crowd[:10]}
    now = utc_now()
    about: Posting = posting(expires_at=now + timedelta(days=1), changed_at=now)
    alerts: list[Alert] = [alert(citizen, about, made_at=utc_now(), caused_at=now) for citizen in crowd]
    producer = kafka.producer(desk.settings.kafka_url)
    await producer.start()
    await send(producer, about, *[watch(citizen, now) for citizen in crowd], *alerts, *alerts)
    await producer.stop()
    desk.push.held = True  # taken, not answered: in the middle of sending
    for kill in range(KILLS):
        before = len(desk.push.took)
        service = children.start("services.delivery.app", environment=environment(desk))
        await until(lambda before=before: len(desk.push.took) > before, 60, what=service.said())  # type: ignore[misc]
        service.kill()
        desk.push.held = kill + 1 < KILLS
    service = children.start("services.delivery.app", environment=environment(desk))

    async def all_noted() -> bool:
        rows = await desk.rows(
            "SELECT count(*) AS n FROM delivery WHERE state = 'sent' AND citizen_id = ANY(:who)", who=crowd
        )
        return int(rows[0].n) == CITIZENS + len(mailboxes)

    await until(all_noted, 60, what=service.said()[-3_000:])
    service.terminate()
    topics = Counter(pushed.topic for pushed in desk.push.took)
    assert len(topics) == CITIZENS, "one message per alert, whatever was repeated"
    most_in_flight = desk.settings.push_couriers * desk.settings.delivery_at_once
    assert sum(topics.values()) - CITIZENS <= KILLS * most_in_flight
    for citizen, device in devices.items():
        assert {device.read(pushed)["alert_id"] for pushed in desk.push.of(device)} == {
            str(alerts[crowd.index(citizen)].id)
        }
    for address in mailboxes.values():
        assert len({letter["Message-ID"] for letter in desk.relay.of(address)}) == 1


async def mailbox(desk: DeliveryDesk, citizen: str) -> str:
    address = await desk.mailbox(citizen)
    await desk.prefers(citizen, push="instant", mail="instant")
    return address


async def test_what_was_noted_as_sent_is_never_sent_again(desk: DeliveryDesk, children: Nursery) -> None:
    citizen, now = f"citizen:{uuid4().hex[:8]}", utc_now()
    phone = await desk.device(citizen)
    about = posting(expires_at=now + timedelta(days=1), changed_at=now)
    made = alert(citizen, about, made_at=utc_now(), caused_at=now)
    producer = kafka.producer(desk.settings.kafka_url)
    await producer.start()
    service = children.start("services.delivery.app", environment=environment(desk))
    await send(producer, watch(citizen, now), about, made)

    async def sent() -> bool:
        return await desk.fates(citizen) == [("sent", None)]

    await until(sent, 60, what=service.said()[-3_000:])
    service.kill()
    service = children.start("services.delivery.app", environment=environment(desk))
    other = f"citizen:{uuid4().hex[:8]}"
    after = await desk.device(other)
    told = alert(other, about, made_at=utc_now(), caused_at=now)
    await send(producer, made, made, watch(other, now), told)  # the first again, as other events
    await producer.stop()
    await until(lambda: desk.push.of(after), 60, what=service.said()[-3_000:])
    assert len(desk.push.of(phone)) == 1
