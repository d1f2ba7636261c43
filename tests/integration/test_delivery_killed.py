"""Push killed again and again in the middle of sending: nothing is lost, and what is repeated replaces what was there."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest
import pytest_asyncio

from shared.clock import utc_now
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.delivery import DeliveryDesk, Device
from tests.integration.couriers import environment, one_that_is_killed, send, watch
from tests.issuer import Issuer
from tests.processes import Nursery
from tests.samples import alert, posting
from tests.waiting import until

pytestmark = pytest.mark.integration
CITIZENS, KILLS = 40, 3


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[DeliveryDesk]:
    async with one_that_is_killed(databases, issuer, settings_for) as made:
        yield made


async def test_every_phone_has_one_message_per_alert_however_often_it_is_killed(
    desk: DeliveryDesk, children: Nursery
) -> None:
    run, now = uuid4().hex[:6], utc_now()
    crowd = [f"citizen:{run}-{n}" for n in range(CITIZENS)]
    devices: dict[str, Device] = {citizen: await desk.device(citizen) for citizen in crowd}
    about = posting(expires_at=now + timedelta(days=1), changed_at=now)
    alerts = [alert(citizen, about, made_at=utc_now(), caused_at=now) for citizen in crowd]
    await send(desk.settings.kafka_url, about, *[watch(citizen, now) for citizen in crowd], *alerts, *alerts)
    desk.push.held = True  # taken, not answered: in the middle of sending
    for kill in range(KILLS):
        before = len(desk.push.took)
        service = children.start("services.delivery.app", environment=environment(desk))
        await until(lambda before=before: len(desk.push.took) > before, 60, what=service.said())  # type: ignore[misc]
        service.kill()
        await desk.push.has_all_of_the_dead()
        desk.push.held = kill + 1 < KILLS
    unanswered = len(desk.push.took)
    service = children.start("services.delivery.app", environment=environment(desk))

    async def all_noted() -> bool:
        rows = await desk.rows(
            "SELECT count(*) AS n FROM delivery WHERE state = 'sent' AND citizen_id = ANY(:who)", who=crowd
        )
        return int(rows[0].n) == CITIZENS

    await until(all_noted, 60, what=service.said()[-3_000:])
    service.terminate()
    topics = Counter(pushed.topic for pushed in desk.push.took)
    assert len(topics) == CITIZENS, "one topic per alert: of those that it holds a push service keeps the newest"
    assert sum(topics.values()) - CITIZENS <= unanswered, "only what was on its way at a kill comes again"
    assert unanswered <= KILLS * desk.settings.push_couriers * desk.settings.push_at_once
    for citizen, device in devices.items():
        told = [device.read(pushed) for pushed in desk.push.of(device)]
        assert {one["alert_id"] for one in told} == {str(alerts[crowd.index(citizen)].id)}
        assert len({one["tag"] for one in told}) == 1, "shown twice, it is one notification"


async def test_what_was_noted_as_sent_is_never_sent_again(desk: DeliveryDesk, children: Nursery) -> None:
    citizen, now = f"citizen:{uuid4().hex[:8]}", utc_now()
    phone = await desk.device(citizen)
    about = posting(expires_at=now + timedelta(days=1), changed_at=now)
    made = alert(citizen, about, made_at=utc_now(), caused_at=now)
    service = children.start("services.delivery.app", environment=environment(desk))
    await send(desk.settings.kafka_url, watch(citizen, now), about, made)

    async def sent() -> bool:
        return await desk.fates(citizen) == [("sent", None)]

    await until(sent, 60, what=service.said()[-3_000:])
    service.kill()
    service = children.start("services.delivery.app", environment=environment(desk))
    other = f"citizen:{uuid4().hex[:8]}"
    after = await desk.device(other)
    told = alert(other, about, made_at=utc_now(), caused_at=now)
    await send(desk.settings.kafka_url, made, made, watch(other, now), told)  # the first again, as other events
    await until(lambda: desk.push.of(after), 60, what=service.said()[-3_000:])
    assert len(desk.push.of(phone)) == 1


async def test_the_wait_between_two_tries_outlives_a_kill(desk: DeliveryDesk, children: Nursery) -> None:
    citizen, now = f"citizen:{uuid4().hex[:8]}", utc_now()
    phone = await desk.device(citizen)
    desk.push.answers[phone.path] = (503, {})
    about = posting(expires_at=now + timedelta(days=1), changed_at=now)
    service = children.start("services.delivery.app", environment=environment(desk))
    await send(desk.settings.kafka_url, watch(citizen, now), about, alert(citizen, about, made_at=utc_now()))

    async def waits() -> bool:
        return await desk.fates(citizen) == [("waiting", None)] and bool(desk.push.of(phone))

    await until(waits, 60, what=service.said()[-3_000:])
    before = await desk.rows("SELECT due_at, attempts FROM delivery WHERE citizen_id = :id", id=citizen)
    service.kill()
    service = children.start("services.delivery.app", environment=environment(desk))
    other = f"citizen:{uuid4().hex[:8]}"
    after = await desk.device(other)
    await send(desk.settings.kafka_url, watch(other, now), alert(other, about, made_at=utc_now()))
    await until(lambda: desk.push.of(after), 60, what=service.said()[-3_000:])
    assert await desk.rows("SELECT due_at, attempts FROM delivery WHERE citizen_id = :id", id=citizen) == before
    assert (before[0].attempts, before[0].due_at > now + timedelta(seconds=14)) == (1, True)
    assert len(desk.push.of(phone)) == 1, "a restart is no reason to try sooner"
