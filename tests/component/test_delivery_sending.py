"""What is due is looked at again and sent once: to phones through a push service, to mailboxes through a relay."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from services.delivery.settings import Settings
from shared.clock import SEOUL, utc_now
from shared.contracts.alert import Why
from shared.contracts.posting import Audience
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.delivery import DeliveryDesk, mail_relay, open_delivery, push_service
from tests.issuer import Issuer
from tests.publishers import NOBODY_LISTENS

pytestmark = pytest.mark.component
TODAY = utc_now().astimezone(SEOUL).date() + timedelta(days=1)
BY_HAND = Why(cause="posting_changed", watch_version=1, rule="home_dong")


def at(hour: float, days: int = 0) -> str:
    midnight = datetime.combine(TODAY + timedelta(days=days), time(), SEOUL)
    return (midnight + timedelta(hours=hour)).isoformat()


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[DeliveryDesk]:
    with mail_relay() as relay:
        async with push_service() as push:
            settings = settings_for(
                Settings, kafka_url=NOBODY_LISTENS, push_private_endpoints=True, smtp_host="127.0.0.1", smtp_port=relay.port,
                smtp_tls="none", delivery_tick_s=3_600, delivery_instant_per_day=3, delivery_urgent_reserve=1,
                delivery_attempts=3, delivery_requests_per_minute=1_000,
            )  # fmt: skip
            async with open_delivery(databases, issuer, settings, push, relay) as made:
                yield made


@pytest.fixture
def citizen() -> str:
    return f"citizen:{uuid4().hex[:8]}"


async def test_an_alert_reaches_every_device_once_encrypted_and_signed(desk: DeliveryDesk, citizen: str) -> None:
    with desk.clock.at(at(10)):
        await desk.watches(citizen)
        phone, tablet = await desk.device(citizen), await desk.device(citizen)
        about = desk.open_posting(audience=Audience(interests=("library",), channel="수완동"))
        await desk.hears(about)
        made = await desk.alerted(citizen, about)
        await desk.hears(made)
        await desk.rounds()
        await desk.rounds()
    for device in (phone, tablet):
        (pushed,) = desk.push.of(device)
        told = device.read(pushed)
        assert (told["alert_id"], told["title"], told["tag"]) == (str(made.id), about.headline, told["id"])
        assert "약 400m(직선거리)" in told["body"]
        assert set(told["unsubscribe"]) == {"kind", "channel", "topic:library"}
        assert (pushed.headers["content-encoding"], pushed.headers["urgency"]) == ("aes128gcm", "normal")
        assert pushed.headers["authorization"].startswith("vapid t=")
        assert 86_000 < int(pushed.headers["ttl"]) <= 86_400
        assert citizen.encode() not in pushed.body
    assert await desk.fates(citizen) == [("sent", None)] * 2
    assert {
        row.content for row in await desk.rows("SELECT content FROM delivery WHERE citizen_id = :id", id=citizen)
    } == {None}


async def test_what_is_over_by_the_time_it_is_due_is_never_sent(desk: DeliveryDesk, citizen: str) -> None:
    with desk.clock.at(at(22)):
        await desk.watches(citizen, quiet={"starts": "21:00", "ends": "08:00"})
        phone = await desk.device(citizen)
        closed, expires, epoch, edited = (desk.open_posting(headline=f"밤 알림 {n}") for n in range(4))
        expires = expires.model_copy(update={"expires_at": desk.clock() + timedelta(hours=2)})
        morning = desk.clock() + timedelta(hours=10)
        for about in (closed, expires, epoch, edited):
            await desk.alerted(citizen, about, deferred_until=morning)
        await desk.rounds()
        assert desk.push.of(phone) == []
        newer = {"version": 2, "changed_at": desk.clock()}
        await desk.hears(
            closed.model_copy(update={**newer, "status": "closed"}), epoch.model_copy(update={**newer, "urgency_epoch": 1}),
            edited.model_copy(update={**newer, "headline": "아침에 바뀐 제목"}),
        )  # fmt: skip
    with desk.clock.at(at(8.1, days=1)):
        await desk.rounds()
        (pushed,) = desk.push.of(phone)
    told = phone.read(pushed)
    assert told["title"] == "(수정됨) 아침에 바뀐 제목"
    assert "직선거리" not in told["body"], "where it is may have changed too"
    assert sorted(fate[1] or fate[0] for fate in await desk.fates(citizen)) == ["closed", "expired", "replaced", "sent"]


async def test_quiet_hours_hold_a_phone_back_and_an_emergency_passes(desk: DeliveryDesk, citizen: str) -> None:
    with desk.clock.at(at(23)):
        await desk.watches(citizen, muted_channels=("수완동",))
        phone = await desk.device(citizen)
        await desk.alerted(citizen)
        about = desk.open_posting(emergency=True, audience=Audience(channel="수완동"))
        await desk.hears(about)
        await desk.alerted(citizen, about, emergency=True)
        await desk.rounds()
        assert [phone.read(pushed)["emergency"] for pushed in desk.push.of(phone)] == [True]
    with desk.clock.at(at(8, days=1)):
        await desk.rounds()
        assert len(desk.push.of(phone)) == 2, "the end of quiet hours is not quiet"


@pytest.mark.parametrize(
    "changed",
    [{"paused": True}, {"kinds": ("space",)}, {"muted_channels": ("수완동",)}, {"muted_topics": ("library",)}],
    ids=lambda changed: next(iter(changed)),
)
async def test_what_was_muted_meanwhile_is_not_sent(desk: DeliveryDesk, citizen: str, changed: dict[str, Any]) -> None:
    with desk.clock.at(at(10)):
        await desk.watches(citizen)
        phone = await desk.device(citizen)
        about = desk.open_posting(audience=Audience(interests=("library", "other"), channel="수완동"))
        await desk.hears(about)
        await desk.alerted(citizen, about)
        await desk.watches(citizen, 2, **changed)
        await desk.rounds()
    assert desk.push.of(phone) == []
    assert [because for _, because in await desk.fates(citizen)] == ["paused" if "paused" in changed else "muted"]


async def test_withdrawn_consent_erases_what_location_made_and_nothing_else(desk: DeliveryDesk, citizen: str) -> None:
    with desk.clock.at(at(10)):
        await desk.watches(citizen)
        phone = await desk.device(citizen)
        await desk.alerted(citizen)
        by_hand = await desk.alerted(citizen, why=BY_HAND)
        await desk.watches(citizen, 2, located=False)
        assert len(await desk.fates(citizen)) == 1
        await desk.alerted(citizen)  # was on its way when consent was withdrawn
        await desk.rounds()
        assert [phone.read(pushed)["alert_id"] for pushed in desk.push.of(phone)] == [str(by_hand.id)]
        await desk.watches(citizen, 3, consent_epoch=2)
        await desk.alerted(citizen)  # made under version 1: of the consent that is over
        fresh = await desk.alerted(citizen, why=Why(cause="citizen_moved", watch_version=3))
        await desk.rounds()
        assert phone.read(desk.push.of(phone)[-1])["alert_id"] == str(fresh.id)
    assert len(desk.push.of(phone)) == 2


async def test_an_alert_by_location_waits_until_the_consent_is_known(desk: DeliveryDesk, citizen: str) -> None:
    with desk.clock.at(at(10)):
        phone = await desk.device(citizen)
        await desk.alerted(citizen)
        await desk.rounds()
        assert desk.push.of(phone) == []
    with desk.clock.at(at(10.01)):
        await desk.watches(citizen)
        await desk.rounds()
        assert len(desk.push.of(phone)) == 1


async def test_nothing_but_emergencies_goes_out_before_the_service_is_up_to_date(
    desk: DeliveryDesk, citizen: str
) -> None:
    with desk.clock.at(at(10)):
        await desk.watches(citizen)
        phone = await desk.device(citizen)
        await desk.alerted(citizen)
        await desk.alerted(citizen, emergency=True)
        desk.open = False
        await desk.couriers["push"].round()
        assert [phone.read(pushed)["emergency"] for pushed in desk.push.of(phone)] == [True]
        desk.open = True
        await desk.rounds()
    assert len(desk.push.of(phone)) == 2


async def test_endpoints_that_are_gone_are_removed_and_the_rest_is_tried_again(
    desk: DeliveryDesk, citizen: str
) -> None:
    with desk.clock.at(at(10)):
        await desk.watches(citizen)
        gone, busy, broken = [await desk.device(citizen) for _ in range(3)]
        desk.push.answers |= {
            gone.path: (410, {}), busy.path: (429, {"Retry-After": "120"}), broken.path: (400, {}),
        }  # fmt: skip
        await desk.alerted(citizen)
        await desk.rounds()
        left = (await desk.good("GET", "/subscriptions", as_=citizen))["push"]
        assert len(left) == 2
        await desk.rounds()
        assert [len(desk.push.of(device)) for device in (gone, busy, broken)] == [1, 1, 1]
    desk.push.answers.pop(busy.path)
    with desk.clock.at(at(10 + 119 / 3600)):
        await desk.rounds()
        assert len(desk.push.of(busy)) == 1, "not before it asked us to"
    with desk.clock.at(at(10 + 125 / 3600)):
        await desk.rounds()
        first, second = desk.push.of(busy)
    assert first.topic == second.topic
    assert sorted(fate[1] or fate[0] for fate in await desk.fates(citizen)) == ["refused", "sent"]


async def test_a_message_is_given_up_after_the_last_try(desk: DeliveryDesk, citizen: str) -> None:
    with desk.clock.at(at(10)):
        await desk.watches(citizen)
        phone = await desk.device(citizen)
        desk.push.answers[phone.path] = (503, {})
        await desk.alerted(citizen)
    for minute in range(5):
        with desk.clock.at(at(10 + minute / 60)):
            await desk.rounds()
    assert len(desk.push.of(phone)) == 3
    assert await desk.fates(citizen) == [("dropped", "gave-up")]


async def test_beyond_the_day_s_number_it_goes_into_the_digest_once(desk: DeliveryDesk, citizen: str) -> None:
    with desk.clock.at(at(10)):
        await desk.watches(citizen)
        phone = await desk.device(citizen)
        for urgent in (False, True, False, False, False, False, True):
            await desk.alerted(citizen, desk.open_posting(urgent=urgent))
            await desk.rounds()
        kinds = [phone.read(pushed)["type"] for pushed in desk.push.of(phone)]
        assert kinds == ["alert"] * 4, "three ordinary ones, and one urgent of its reserve"
    with desk.clock.at(at(18.1)):
        await desk.rounds()
        digest = phone.read(desk.push.of(phone)[-1])
        await desk.rounds()
    assert (digest["type"], digest["count"], len(desk.push.of(phone))) == ("digest", 3, 5)


async def test_a_mailbox_that_refuses_for_good_is_suspended_and_a_full_one_tried_again(
    desk: DeliveryDesk, citizen: str
) -> None:
    with desk.clock.at(at(10)):
        await desk.watches(citizen)
        address = await desk.mailbox(citizen)
        await desk.prefers(citizen, mail="instant", push="off")
        desk.relay.refuses[address] = "452 4.2.2 mailbox full"
        await desk.alerted(citizen)
        await desk.rounds()
        assert await desk.fates(citizen) == [("waiting", None)]
    desk.relay.refuses[address] = "550 5.1.1 no such mailbox"
    with desk.clock.at(at(10.1)):
        await desk.rounds()
        state = (await desk.good("GET", "/subscriptions", as_=citizen))["mail"]["state"]
        await desk.alerted(citizen)
        await desk.rounds()
    assert (state, await desk.fates(citizen), desk.relay.of(address)) == ("suspended", [("dropped", "refused")], [])


async def test_a_letter_that_is_refused_is_dropped_and_its_mailbox_stays(desk: DeliveryDesk, citizen: str) -> None:
    with desk.clock.at(at(10)):
        await desk.watches(citizen)
        address = await desk.mailbox(citizen)
        await desk.prefers(citizen, mail="instant", push="off")
        desk.relay.spurns[address] = "451 4.7.1 greylisted"
        await desk.alerted(citizen)
        await desk.rounds()
        assert await desk.fates(citizen) == [("waiting", None)]
    desk.relay.spurns.pop(address)
    with desk.clock.at(at(10.1)):
        await desk.rounds()
        assert len(desk.relay.of(address)) == 1
        desk.relay.spurns[address] = "554 5.6.0 not this one"
        await desk.alerted(citizen)
        await desk.rounds()
        desk.relay.spurns.pop(address)
        state = (await desk.good("GET", "/subscriptions", as_=citizen))["mail"]["state"]
        await desk.alerted(citizen)
        await desk.rounds()
    assert (state, len(desk.relay.of(address))) == ("active", 2)
    assert sorted(fate[1] or fate[0] for fate in await desk.fates(citizen)) == ["refused", "sent", "sent"]


async def test_a_relay_that_is_away_uses_up_no_tries(desk: DeliveryDesk, citizen: str) -> None:
    with desk.clock.at(at(10)):
        await desk.watches(citizen)
        address = await desk.mailbox(citizen)
        await desk.prefers(citizen, mail="daily", push="off", hour=12)
        await desk.alerted(citizen)
    desk.relay.stop()
    for minute in range(6):
        with desk.clock.at(at(12.1 + minute)):
            await desk.rounds("mail")
    desk.relay.start()
    with desk.clock.at(at(18.2)):
        await desk.rounds("mail")
    assert len(desk.relay.of(address)) == 1
