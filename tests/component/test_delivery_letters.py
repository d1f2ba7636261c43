"""Letters: what gathers until its hour, once whichever topic brings it, follows its addressee's wishes, and is forgotten when sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, time, timedelta
from uuid import uuid4

import pytest
import pytest_asyncio

from services.delivery.deliveries.forgetting import clear_letters, forget_old
from services.delivery.deliveries.handlers import handlers
from services.delivery.settings import Settings
from shared.clock import SEOUL, utc_now
from shared.contracts import Alert, Event
from shared.contracts.alert import Why
from shared.contracts.digest import Digest, DigestItem, digest_id
from shared.messaging.consumer import Unit
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.delivery import DeliveryDesk, body_of, mail_relay, open_delivery, push_service
from tests.issuer import Issuer
from tests.publishers import NOBODY_LISTENS

pytestmark = pytest.mark.component
TODAY = utc_now().astimezone(SEOUL).date() + timedelta(days=1)
BY_HAND = Why(cause="posting_changed", watch_version=1, rule="home_dong")
LETTERS = "SELECT l.* FROM letter l JOIN target t ON t.id = l.target_id WHERE t.citizen_id = :id ORDER BY l.due_at"
KEPT = "SELECT alert_id, content, state, letter_id FROM delivery WHERE citizen_id = :id ORDER BY alert_id"


def at(hour: float, days: int = 0) -> str:
    midnight = datetime.combine(TODAY + timedelta(days=days), time(), SEOUL)
    return (midnight + timedelta(hours=hour)).isoformat()


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[DeliveryDesk]:
    with mail_relay() as relay:
        async with push_service() as push:
            settings = settings_for(
                Settings, kafka_url=NOBODY_LISTENS, push_private_endpoints=True, smtp_host="127.0.0.1", smtp_port=relay.port,
                smtp_tls="none", delivery_tick_s=3_600, delivery_cleared_s=3_600, delivery_requests_per_minute=1_000,
            )  # fmt: skip
            async with open_delivery(databases, issuer, settings, push, relay) as made:
                yield made


@pytest.fixture
def citizen() -> str:
    return f"citizen:{uuid4().hex[:8]}"


async def reader(desk: DeliveryDesk, citizen: str, hour: int = 12, **wanted: object) -> str:
    """The mailbox of somebody who wants mail daily at this hour and no push."""
    await desk.watches(citizen, digest_hour=hour)
    address = await desk.mailbox(citizen)
    await desk.prefers(citizen, **{"mail": "daily", "push": "off", "hour": hour, **wanted})
    return address


def digest_of(desk: DeliveryDesk, citizen: str, alerts: Sequence[Alert], day: int = 0) -> Digest:
    """As matching makes it of alerts that the budget left over."""
    items = tuple(
        DigestItem(
            alert_id=alert.id, posting_id=alert.posting_id, posting_version=1, kind=alert.kind, headline=alert.headline,
            institution="수완동", expires_at=alert.expires_at, link="/jobs/2", located=True,
        )
        for alert in alerts
    )  # fmt: skip
    of = TODAY + timedelta(days=day)
    return Digest(id=digest_id(citizen, of), citizen_id=citizen, day=of, items=items, made_at=desk.clock())


async def several(desk: DeliveryDesk, citizen: str, count: int = 3) -> list[Alert]:
    until = desk.clock() + timedelta(days=3)
    abouts = [desk.open_posting(headline=f"모인 소식 {n}", expires_at=until) for n in range(count)]
    return [await desk.alerted(citizen, about) for about in abouts]


async def test_what_comes_during_the_day_gathers_in_one_letter_and_is_written_once(
    desk: DeliveryDesk, citizen: str
) -> None:
    with desk.clock.at(at(9)):
        address = await reader(desk, citizen)
        alerts = await several(desk, citizen)
        (letter,) = await desk.rows(LETTERS, id=citizen)
        kept = await desk.rows(KEPT, id=citizen)
    assert (letter.state, letter.attempts) == ("gathering", 0)
    assert {row.letter_id for row in kept} == {letter.id}
    with desk.clock.at(at(12.05)):
        await desk.hears(digest_of(desk, citizen, alerts))
        assert len(await desk.rows(LETTERS, id=citizen)) == 1, "the digest brings nothing new: no second letter"
        await desk.rounds()
        (noted,) = await desk.rows(LETTERS, id=citizen)
    assert await desk.rows(KEPT, id=citizen) == kept, "taking and sending write the letter alone"
    (mail,) = desk.relay.of(address)
    assert mail["Message-ID"].startswith(f"<{letter.id}@")
    assert (noted.id, noted.state) == (letter.id, "sent")
    assert all(f"모인 소식 {n}" in body_of(mail) for n in range(3))


@pytest.mark.parametrize("first", [Alert, Digest], ids=["alerts-first", "digest-first"])
async def test_an_alert_of_both_topics_is_in_one_letter(desk: DeliveryDesk, citizen: str, first: type[Event]) -> None:
    with desk.clock.at(at(11.999)):
        address = await reader(desk, citizen)
        scratch = f"{citizen}-nobody"
        alerts = [a.model_copy(update={"citizen_id": citizen}) for a in await several(desk, scratch)]
        told: list[Event] = [digest_of(desk, citizen, alerts), *alerts]
        told.sort(key=lambda event: not isinstance(event, first))
    with desk.clock.at(at(12.01)):
        await desk.hears(*told[:2])
    with desk.clock.at(at(12.05)):
        await desk.rounds()
        await desk.hears(*told, *told)
        await desk.rounds()
    with desk.clock.at(at(12.05, days=1)):
        await desk.rounds()
    found = "\n".join(body_of(letter) for letter in desk.relay.of(address))
    assert [found.count(f"모인 소식 {n}\n") for n in range(3)] == [1, 1, 1]


async def test_both_topics_at_the_same_moment_make_one_letter_of_each_alert_once(
    desk: DeliveryDesk, citizen: str
) -> None:
    crowd = [f"{citizen}-{n}" for n in range(8)]
    with desk.clock.at(at(9)):
        addresses = [await reader(desk, who) for who in crowd]
        given = {}
        for who in crowd:
            made = await several(desk, f"{who}-nobody")
            given[who] = [alert.model_copy(update={"citizen_id": who}) for alert in made]
        alerts = [alert for made in given.values() for alert in made]
        digests = [digest_of(desk, who, made, day=-1) for who, made in reversed(given.items())]

        async def hears(events: Sequence[Event]) -> None:
            async with desk.database.transaction() as tx:
                await handlers(desk.parts.hours)[type(events[0])](events, Unit(tx, desk.clock()))

        await asyncio.gather(hears(alerts), hears(digests), hears(alerts[::-1]), hears(digests[::-1]))
        await desk.rounds()
    with desk.clock.at(at(12.05)):
        await desk.rounds()
    for address in addresses:
        (letter,) = desk.relay.of(address)
        assert [body_of(letter).count(f"모인 소식 {n}\n") for n in range(3)] == [1, 1, 1]


async def test_withdrawn_consent_erases_from_letters_what_a_position_made(desk: DeliveryDesk, citizen: str) -> None:
    with desk.clock.at(at(9)):
        address = await reader(desk, citizen)
        await several(desk, citizen)
        stays = await desk.alerted(citizen, desk.open_posting(headline="동네로"), why=BY_HAND)
        await desk.watches(citizen, 2, located=False, digest_hour=12)
        assert [row.alert_id for row in await desk.rows(KEPT, id=citizen)] == [stays.id]
    with desk.clock.at(at(12.05)):
        await desk.rounds()
    (letter,) = desk.relay.of(address)
    assert "동네로" in body_of(letter)
    assert "모인 소식" not in body_of(letter)


async def test_a_letter_whose_items_are_all_gone_is_not_sent(desk: DeliveryDesk, citizen: str) -> None:
    with desk.clock.at(at(9)):
        address = await reader(desk, citizen)
        await several(desk, citizen)
        await desk.watches(citizen, 2, located=False, digest_hour=12)
    with desk.clock.at(at(12.05)):
        await desk.rounds()
        (letter,) = await desk.rows(LETTERS, id=citizen)
    assert (letter.state, desk.relay.of(address)) == ("dropped", [])


async def test_another_hour_moves_the_letter_that_gathers(desk: DeliveryDesk, citizen: str) -> None:
    with desk.clock.at(at(9)):
        address = await reader(desk, citizen, hour=12)
        await several(desk, citizen)
        await desk.prefers(citizen, mail="daily", push="off", hour=15)
    counts = []
    for hour in (12.05, 15.05, 18.05):
        with desk.clock.at(at(hour)):
            await desk.rounds()
            counts.append(len(desk.relay.of(address)))
    assert counts == [0, 1, 1]


async def test_off_erases_the_letter_and_what_gathered(desk: DeliveryDesk, citizen: str) -> None:
    with desk.clock.at(at(9)):
        address = await reader(desk, citizen)
        await several(desk, citizen)
        await desk.prefers(citizen, mail="off", push="off")
        assert (await desk.rows(LETTERS, id=citizen), await desk.rows(KEPT, id=citizen)) == ([], [])
    with desk.clock.at(at(12.05)):
        await desk.rounds()
    assert desk.relay.of(address) == []


async def test_who_forgets_an_addressee_forgets_letters_and_items_with_it(desk: DeliveryDesk, citizen: str) -> None:
    with desk.clock.at(at(9)):
        await reader(desk, citizen)
        phone = await desk.device(citizen)
        await several(desk, citizen)
    with desk.clock.at(at(12.05)):
        await desk.rounds()
        await several(desk, citizen)
        letters = [row.id for row in await desk.rows(LETTERS, id=citizen)]
        await desk.good("DELETE", "/subscriptions", as_=citizen)
    found = await desk.rows("SELECT 1 FROM letter WHERE id = ANY(:ids)", ids=letters)
    assert (len(letters), found, await desk.rows(KEPT, id=citizen)) == (2, [], [])
    assert desk.push.of(phone) == []


async def test_what_a_letter_said_is_erased_soon_and_that_it_was_sent_is_kept_for_days(
    desk: DeliveryDesk, citizen: str
) -> None:
    with desk.clock.at(at(9)):
        address = await reader(desk, citizen)
        alerts = await several(desk, citizen)
        await clear_letters(desk.database)
        assert all(row.content for row in await desk.rows(KEPT, id=citizen)), "it is still to be sent"
    with desk.clock.at(at(12.05)):
        await desk.rounds()
        await clear_letters(desk.database)
        assert {row.content for row in await desk.rows(KEPT, id=citizen)} == {None}
        mail = (await desk.good("GET", "/subscriptions", as_=citizen))["mail"]
        assert datetime.fromisoformat(mail["last_sent_at"]) > datetime.fromisoformat(at(12.05))
        await desk.hears(*alerts, digest_of(desk, citizen, alerts))
        await desk.rounds()
        assert len(desk.relay.of(address)) == 1, "it is remembered without its words"
    with desk.clock.at(at(12.06, days=14)):
        await forget_old(desk.settings, desk.database, desk.clock)
        assert (await desk.rows(LETTERS, id=citizen), await desk.rows(KEPT, id=citizen)) == ([], [])


async def test_a_letter_tried_again_keeps_its_id_and_its_items_while_another_gathers(
    desk: DeliveryDesk, citizen: str
) -> None:
    with desk.clock.at(at(9)):
        address = await reader(desk, citizen)
        await several(desk, citizen)
        (first,) = await desk.rows(LETTERS, id=citizen)
    desk.relay.spurns[address] = "451 4.7.1 greylisted"
    with desk.clock.at(at(12.05)):
        await desk.rounds()
        desk.relay.spurns.pop(address)
        await desk.alerted(citizen, desk.open_posting(headline="다음 모음"))
    with desk.clock.at(at(12.1)):
        await desk.rounds()
        states = {row.id: (row.state, row.attempts) for row in await desk.rows(LETTERS, id=citizen)}
    (mail,) = desk.relay.of(address)
    assert mail["Message-ID"].startswith(f"<{first.id}@")
    assert "다음 모음" not in body_of(mail)
    assert sorted(states.values()) == [("gathering", 0), ("sent", 2)]
    assert states[first.id] == ("sent", 2)


async def test_what_cannot_be_told_yet_waits_and_the_rest_of_its_letter_goes(desk: DeliveryDesk, citizen: str) -> None:
    with desk.clock.at(at(9)):
        address = await desk.mailbox(citizen)
        await desk.prefers(citizen, mail="daily", push="off", hour=12)
        await desk.alerted(citizen, desk.open_posting(headline="위치로"))
        await desk.alerted(citizen, desk.open_posting(headline="동네로"), why=BY_HAND)
    with desk.clock.at(at(12.05)):
        await desk.rounds()
        (first,) = desk.relay.of(address)
    assert "위치로" not in body_of(first), "whether location is consented to is not known yet"
    with desk.clock.at(at(12.06)):
        await desk.watches(citizen)
        await desk.rounds()
    bodies = [body_of(letter) for letter in desk.relay.of(address)]
    assert ["위치로" in body for body in bodies] == [False, True]
    ids = {letter["Message-ID"] for letter in desk.relay.of(address)}
    assert len(ids) == 2
