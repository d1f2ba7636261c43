"""Mail killed at each of its borders: before the letter is handed over, after it and before the answer, and after the answer
and before that is written down. No letter is lost; only what was on its way comes again, with the same Message-ID.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlalchemy import text

from shared.clock import utc_now
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.delivery import FATES, DeliveryDesk
from tests.integration.couriers import environment, one_that_is_killed, send, watch
from tests.issuer import Issuer
from tests.processes import Nursery, Running
from tests.samples import alert, posting
from tests.waiting import until

pytestmark = pytest.mark.integration
CITIZENS, KILLS, CONNECTIONS = 24, 2, 4


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[DeliveryDesk]:
    async with one_that_is_killed(databases, issuer, settings_for, mail_couriers=CONNECTIONS) as made:
        yield made


async def crowd(desk: DeliveryDesk, mode: str = "instant", each: int = 1) -> dict[str, str]:
    """Citizens with so many alerts each, due by mail now if they want them at once, and their addresses."""
    run, now = uuid4().hex[:6], utc_now()
    addresses = {}
    for number in range(CITIZENS):
        citizen = f"citizen:{run}-{number}"
        addresses[citizen] = await desk.mailbox(citizen)
        await desk.prefers(citizen, push="off", mail=mode)
    abouts = [posting(expires_at=now + timedelta(days=3), changed_at=now) for _ in range(each)]
    alerts = [alert(who, about, made_at=utc_now(), caused_at=now) for who in addresses for about in abouts]
    await send(desk.settings.kafka_url, *abouts, *[watch(citizen, now) for citizen in addresses], *alerts)
    return addresses


async def finished(desk: DeliveryDesk, addresses: dict[str, str], children: Nursery, each: int = 1) -> Counter[str]:
    """How often each address was written to, after a last start that nobody kills."""
    desk.relay.holds = None
    service = children.start("services.delivery.app", environment=environment(desk))

    async def all_noted() -> bool:
        query = f"SELECT count(*) AS n FROM ({FATES}) f WHERE state = 'sent' AND citizen_id = ANY(:who)"
        return int((await desk.rows(query, who=list(addresses)))[0].n) == CITIZENS * each

    await until(all_noted, 60, what=service.said()[-3_000:])
    service.terminate()
    return Counter(to for to, _ in desk.relay.took if to in addresses.values())


def same_id(desk: DeliveryDesk, address: str) -> bool:
    return len({letter["Message-ID"] for letter in desk.relay.of(address)}) == 1


async def until_held(desk: DeliveryDesk, children: Nursery) -> Running:
    """A service that stands before the relay with a letter in each hand."""
    before = desk.relay.held
    service = children.start("services.delivery.app", environment=environment(desk))
    await until(lambda: desk.relay.held >= before + CONNECTIONS, 60, what=service.said()[-3_000:])
    return service


async def test_killed_before_the_letter_is_handed_over_nothing_comes_twice(
    desk: DeliveryDesk, children: Nursery
) -> None:
    addresses = await crowd(desk)
    desk.relay.holds = "RCPT"
    for _ in range(KILLS):
        (await until_held(desk, children)).kill()
    written = await finished(desk, addresses, children)
    assert written == Counter(addresses.values()), "each once"


async def test_killed_before_the_answer_what_the_relay_had_taken_comes_once_more(
    desk: DeliveryDesk, children: Nursery
) -> None:
    addresses = await crowd(desk)
    desk.relay.holds = "DATA"
    for _ in range(KILLS):
        (await until_held(desk, children)).kill()
    written = await finished(desk, addresses, children)
    assert set(written) == set(addresses.values()), "none is missing"
    assert sum(written.values()) - CITIZENS <= KILLS * CONNECTIONS, "one letter per connection and kill"
    assert all(same_id(desk, address) for address in addresses.values())


async def test_killed_between_the_answer_and_its_note_only_those_come_once_more(
    desk: DeliveryDesk, children: Nursery
) -> None:
    addresses = await crowd(desk)
    desk.relay.holds = "DATA"
    service = await until_held(desk, children)
    async with desk.database.transaction() as tx:
        await tx.execute(text("LOCK TABLE delivery IN EXCLUSIVE MODE"))  # nothing can be noted
        before, desk.relay.holds = desk.relay.answered, None
        await until(lambda: desk.relay.answered >= before + CONNECTIONS, 30)
        service.kill()
    written = await finished(desk, addresses, children)
    assert set(written) == set(addresses.values()), "none is missing"
    assert 0 < sum(written.values()) - CITIZENS <= CONNECTIONS, "those, and no connection went on before its note"
    assert all(same_id(desk, address) for address in addresses.values())


async def test_digests_killed_amid_sending_are_whole_and_known_by_their_id(
    desk: DeliveryDesk, children: Nursery
) -> None:
    addresses = await crowd(desk, "daily", each=3)
    service = children.start("services.delivery.app", environment=environment(desk))
    due = (
        "UPDATE letter l SET due_at = now() FROM target t WHERE t.id = l.target_id AND t.citizen_id = ANY(:who) "
        "AND l.state = 'gathering' RETURNING 1"
    )
    counted = "SELECT count(*) AS n FROM delivery WHERE citizen_id = ANY(:who)"

    async def all_known() -> bool:
        return int((await desk.rows(counted, who=list(addresses)))[0].n) == CITIZENS * 3

    await until(all_known, 60, what=service.said()[-3_000:])
    service.kill()
    desk.relay.holds = "DATA"
    assert len(await desk.rows(due, who=list(addresses))) == CITIZENS, "their hour has struck"
    for _ in range(KILLS):
        (await until_held(desk, children)).kill()
    written = await finished(desk, addresses, children, each=3)
    assert set(written) == set(addresses.values()), "none is missing"
    assert sum(written.values()) - CITIZENS <= KILLS * CONNECTIONS, "one letter per connection and kill"
    assert all(same_id(desk, address) for address in addresses.values()), "a digest is one letter, however often"
