"""Digests at delivery: at the citizen's hour or day, the newest alone, what came late, what matching left over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, time, timedelta
from uuid import uuid4

import pytest
import pytest_asyncio

from services.delivery.settings import Settings
from shared.clock import SEOUL, utc_now
from shared.contracts.alert import Why
from shared.contracts.digest import Digest, DigestItem, digest_id
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.delivery import DeliveryDesk, body_of, mail_relay, open_delivery, push_service
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


async def test_a_digest_by_mail_at_its_hour_with_the_newest_alone(desk: DeliveryDesk, citizen: str) -> None:
    with desk.clock.at(at(9)):
        await desk.watches(citizen)
        address = await desk.mailbox(citizen)
        await desk.prefers(citizen, mail="daily", push="off", hour=12)
        first, second, over = (desk.open_posting(headline=f"소식 {n} <b>&") for n in range(3))
        for about in (first, second, over):
            await desk.alerted(citizen, about)
        await desk.alerted(citizen, second.model_copy(update={"urgency_epoch": 1, "headline": "다시 알림"}))
        await desk.hears(over.model_copy(update={"version": 2, "status": "closed"}))
        await desk.rounds()
        assert desk.relay.of(address) == []
    with desk.clock.at(at(12.05)):
        await desk.rounds()
        await desk.rounds()
    (letter,) = desk.relay.of(address)
    plain, html = body_of(letter), body_of(letter, "html")
    assert letter["subject"] == "[당근 광산] 소식 0 <b>& 외 1건"
    assert "소식 0 <b>&" in plain
    assert "다시 알림" in plain
    assert "소식 2" not in plain
    assert "소식 0 &lt;b&gt;&amp;" in html
    assert "수완동" not in plain.replace("수완동 행정복지센터", ""), "no mailbox keeps where somebody was"
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    stop = letter["List-Unsubscribe"].strip("<>")
    done = await desk.http.post(f"/unsubscribe?{stop.partition('?')[2]}", content="List-Unsubscribe=One-Click")
    assert done.status_code == 200
    assert (await desk.good("GET", "/subscriptions", as_=citizen))["preferences"]["mail"] == "off"


async def test_a_weekly_digest_waits_for_its_day(desk: DeliveryDesk, citizen: str) -> None:
    with desk.clock.at(at(9)):
        await desk.watches(citizen)
        address = await desk.mailbox(citizen)
        day = (TODAY + timedelta(days=2)).weekday()
        await desk.prefers(citizen, mail="weekly", push="off", hour=7, weekday=day)
        await desk.alerted(citizen, desk.open_posting(expires_at=desk.clock() + timedelta(days=9)))
    counts = []
    for days in (1, 2, 3):
        with desk.clock.at(at(7.1, days=days)):
            await desk.rounds()
            counts.append(len(desk.relay.of(address)))
    assert counts == [0, 1, 1]


async def test_a_digest_that_comes_late_is_mailed_at_once_and_not_a_day_later(desk: DeliveryDesk, citizen: str) -> None:
    with desk.clock.at(at(9)):
        await desk.watches(citizen, digest_hour=9)
        address = await desk.mailbox(citizen)
        await desk.prefers(citizen, mail="daily", push="off")
    with desk.clock.at(at(9.5)):
        about = desk.open_posting()
        item = DigestItem(
            alert_id=uuid4(), posting_id=about.id, posting_version=1, kind="notice", headline="늦게 온 모음", institution="수완동",
            expires_at=about.expires_at, link="/notices/2", located=False,
        )  # fmt: skip
        await desk.hears(
            Digest(id=digest_id(citizen, TODAY), citizen_id=citizen, day=TODAY, items=(item,), made_at=desk.clock())
        )
        await desk.rounds()
    assert len(desk.relay.of(address)) == 1


async def test_of_a_digest_what_a_position_made_goes_with_the_consent_and_the_rest_stays(
    desk: DeliveryDesk, citizen: str
) -> None:
    with desk.clock.at(at(18.001)):
        await desk.watches(citizen, located=False)
        phone = await desk.device(citizen)
        about = {name: desk.open_posting(headline=name) for name in ("위치로", "동네로")}
        items = tuple(
            DigestItem(
                alert_id=uuid4(), posting_id=told.id, posting_version=1, kind="notice", headline=name, institution="수완동",
                expires_at=told.expires_at, link="/notices/2", located=name == "위치로",
            )
            for name, told in about.items()
        )  # fmt: skip
        await desk.hears(
            Digest(id=digest_id(citizen, TODAY), citizen_id=citizen, day=TODAY, items=items, made_at=desk.clock())
        )
        await desk.rounds()
        (pushed,) = desk.push.of(phone)
    assert phone.read(pushed)["body"] == "동네로"


async def test_what_matching_left_over_joins_and_repeats_nothing(desk: DeliveryDesk, citizen: str) -> None:
    with desk.clock.at(at(18.001)):
        await desk.watches(citizen)
        phone = await desk.device(citizen)
        known = await desk.alerted(citizen)
        await desk.rounds()
        other = desk.open_posting(headline="예산을 넘긴 알림")
        items = tuple(
            DigestItem(
                alert_id=alert_id, posting_id=about.id, posting_version=1, kind="job", headline=about.headline,
                institution="수완동", expires_at=about.expires_at, link="/jobs/2",
            )
            for alert_id, about in ((known.id, other), (uuid4(), other))
        )  # fmt: skip
        await desk.hears(
            Digest(id=digest_id(citizen, TODAY), citizen_id=citizen, day=TODAY, items=items, made_at=desk.clock())
        )
        await desk.rounds()
    told = [phone.read(pushed) for pushed in desk.push.of(phone)]
    assert [(one["type"], one.get("count")) for one in told] == [("alert", None), ("digest", 1)]
