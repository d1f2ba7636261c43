"""Where a citizen is reached: devices, one confirmed mailbox, how often; nobody else's, and nothing that leads inside."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from services.delivery.settings import Settings
from shared.unsubscribe import Unsubscription, sign
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.delivery import DeliveryDesk, Device, body_of, mail_relay, open_delivery, push_service
from tests.issuer import Issuer
from tests.publishers import NOBODY_LISTENS, assert_problem, broken_rules

pytestmark = pytest.mark.component


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[DeliveryDesk]:
    with mail_relay() as relay:
        async with push_service() as push:
            settings = settings_for(
                Settings, kafka_url=NOBODY_LISTENS, smtp_host="127.0.0.1", smtp_port=relay.port, smtp_tls="none",
                delivery_tick_s=3_600, push_endpoints_per_citizen=2, mail_confirmations_per_hour=2,
                quiet_from=0, quiet_to=0,
            )  # fmt: skip
            async with open_delivery(databases, issuer, settings, push, relay) as made:
                yield made


@pytest.fixture
def citizen() -> str:
    return f"citizen:{uuid4().hex[:8]}"


def subscription(desk: DeliveryDesk, endpoint: str = "") -> dict[str, Any]:
    return {**Device(desk.push).subscription(), "endpoint": endpoint or f"https://push.example.com/{uuid4().hex}"}


async def test_a_device_comes_and_goes_and_only_its_service_is_told(desk: DeliveryDesk, citizen: str) -> None:
    body = subscription(desk)
    made = await desk.good("POST", "/subscriptions/push", body, as_=citizen)
    again = await desk.good("POST", "/subscriptions/push", body, as_=citizen)
    assert made["id"] == again["id"], "the same endpoint is the same device"
    assert made["service"] == "push.example.com"
    assert body["endpoint"].rpartition("/")[2] not in str(await desk.good("GET", "/subscriptions", as_=citizen))
    other = f"citizen:{uuid4().hex[:8]}"
    assert_problem(await desk.ask("DELETE", f"/subscriptions/push/{made['id']}", as_=other), 404, "not-found")
    await desk.good("DELETE", f"/subscriptions/push/{made['id']}", as_=citizen)
    assert (await desk.good("GET", "/subscriptions", as_=citizen))["push"] == []


async def test_a_device_that_changes_hands_is_no_longer_the_former_owner_s(desk: DeliveryDesk, citizen: str) -> None:
    body, other = subscription(desk), f"citizen:{uuid4().hex[:8]}"
    await desk.good("POST", "/subscriptions/push", body, as_=citizen)
    await desk.good("POST", "/subscriptions/push", body, as_=other)
    assert (await desk.good("GET", "/subscriptions", as_=citizen))["push"] == []
    assert len((await desk.good("GET", "/subscriptions", as_=other))["push"]) == 1


@pytest.mark.parametrize(
    "endpoint",
    ["http://push.example.com/x", "https://127.0.0.1/x", "https://[::1]/x", "https://10.0.0.5/x", "https://169.254.169.254/latest",
     "https://localhost/x", "https://redis/x", "https://user@push.example.com/x", "https://push.example.com:22/x", "javascript:alert(1)",
     "https://[::ffff:127.0.0.1]/x"],
)  # fmt: skip
async def test_an_endpoint_that_leads_inside_is_refused(desk: DeliveryDesk, citizen: str, endpoint: str) -> None:
    answer = await desk.ask("POST", "/subscriptions/push", subscription(desk, endpoint), as_=citizen)
    assert broken_rules(answer) == {("body.endpoint", "public-https")}


async def test_more_devices_than_allowed_and_bad_keys_are_refused(desk: DeliveryDesk, citizen: str) -> None:
    for _ in range(2):
        await desk.good("POST", "/subscriptions/push", subscription(desk), as_=citizen)
    answer = await desk.ask("POST", "/subscriptions/push", subscription(desk), as_=citizen)
    assert assert_problem(answer, 409, "conflict")[0]["rule"] == "too-many-devices"
    bad = subscription(desk) | {"keys": {"p256dh": "B" + "A" * 86, "auth": "A" * 22}}
    assert broken_rules(await desk.ask("POST", "/subscriptions/push", bad, as_=citizen)) == {
        ("body.keys.p256dh", "p256-point")
    }


async def test_nothing_goes_to_an_address_before_its_owner_says_so(desk: DeliveryDesk, citizen: str) -> None:
    address = f"{uuid4().hex[:10]}@Example.COM"
    made = await desk.good("PUT", "/subscriptions/mail", {"address": address}, as_=citizen)
    assert (made["state"], made["address"]) == ("pending", address.replace("Example.COM", "example.com"))
    await desk.watches(citizen)
    await desk.prefers(citizen, push="off", mail="instant")
    await desk.alerted(citizen)
    await desk.confirmations()
    await desk.confirmations()
    await desk.rounds()
    (letter,) = desk.relay.of(made["address"])
    token = next(word for word in body_of(letter).split() if "?t=" in word).partition("?t=")[2]
    shown = await desk.http.get("/mail-confirmation", params={"t": token})
    assert (shown.status_code, "<button" in shown.text, shown.headers["cache-control"]) == (200, True, "no-store")
    assert (await desk.good("GET", "/subscriptions", as_=citizen))["mail"]["state"] == "pending", "looking does nothing"
    assert (await desk.http.post("/mail-confirmation", params={"t": token[:-1]})).status_code == 404
    assert (await desk.http.post("/mail-confirmation", params={"t": token})).status_code == 200
    assert (await desk.good("GET", "/subscriptions", as_=citizen))["mail"]["state"] == "active"
    assert (await desk.http.post("/mail-confirmation", params={"t": token})).status_code == 404, "a token is good once"
    await desk.rounds()
    assert len(desk.relay.of(made["address"])) == 1, "what came before is not sent"


async def test_a_confirmation_that_is_too_old_is_none(desk: DeliveryDesk, citizen: str) -> None:
    address = f"{uuid4().hex[:10]}@example.com"
    await desk.good("PUT", "/subscriptions/mail", {"address": address}, as_=citizen)
    await desk.confirmations()
    token = next(w for w in body_of(desk.relay.of(address)[0]).split() if "?t=" in w).partition("?t=")[2]
    await desk.rows(
        "UPDATE target SET token_until = now() - interval '1 second' WHERE address = :a RETURNING 1", a=address
    )
    assert (await desk.http.post("/mail-confirmation", params={"t": token})).status_code == 404


async def test_nobody_s_mailbox_is_filled_with_confirmations(desk: DeliveryDesk, citizen: str) -> None:
    victim = f"{uuid4().hex[:10]}@example.com"
    for _ in range(2):
        await desk.good("PUT", "/subscriptions/mail", {"address": victim}, as_=f"citizen:{uuid4().hex[:8]}")
    answer = await desk.ask("PUT", "/subscriptions/mail", {"address": victim}, as_=citizen)
    assert assert_problem(answer, 429, "too-many-requests") == []
    for n in range(3):
        answer = await desk.ask(
            "PUT", "/subscriptions/mail", {"address": f"{uuid4().hex[:8]}{n}@example.com"}, as_=citizen
        )
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "3600"


async def test_links_stop_the_mail_and_nothing_else_and_only_when_pressed(desk: DeliveryDesk, citizen: str) -> None:
    key = desk.settings.unsubscribe_key
    token = sign(key, Unsubscription(citizen, "mail", "all"))
    await desk.prefers(citizen, push="weekly", mail="instant", hour=7, weekday=3)
    assert "<button" in (await desk.http.get("/unsubscribe", params={"t": token})).text
    assert (await desk.good("GET", "/subscriptions", as_=citizen))["preferences"]["mail"] == "instant"
    for _ in range(2):
        assert (await desk.http.post("/unsubscribe", params={"t": token})).status_code == 200
    kept = (await desk.good("GET", "/subscriptions", as_=citizen))["preferences"]
    assert kept == {"push": "weekly", "mail": "off", "hour": 7, "weekday": 3}
    for bad in (
        sign(key, Unsubscription(citizen, "kind", "job")),
        sign("another key", Unsubscription(citizen, "mail", "all")),
        "x",
    ):
        assert (await desk.http.post("/unsubscribe", params={"t": bad})).status_code == 404
        assert (await desk.http.get("/unsubscribe", params={"t": bad})).status_code == 404


async def test_all_of_it_is_forgotten_when_asked(desk: DeliveryDesk, citizen: str) -> None:
    await desk.watches(citizen)
    await desk.good("POST", "/subscriptions/push", subscription(desk), as_=citizen)
    await desk.prefers(citizen, push="daily")
    await desk.alerted(citizen)
    await desk.good("DELETE", "/subscriptions", as_=citizen)
    for table in ("target", "delivery", "preference"):
        assert not await desk.rows(f"SELECT 1 FROM {table} WHERE citizen_id = :id", id=citizen)


async def test_what_is_turned_off_is_not_sent_any_more(desk: DeliveryDesk, citizen: str) -> None:
    await desk.watches(citizen)
    await desk.good("POST", "/subscriptions/push", subscription(desk), as_=citizen)
    await desk.prefers(citizen, push="daily")
    await desk.alerted(citizen)
    assert await desk.fates(citizen) == [("waiting", None)]
    await desk.prefers(citizen, push="off")
    assert await desk.fates(citizen) == []


async def test_the_public_key_is_for_everybody_and_stays_the_same(desk: DeliveryDesk) -> None:
    first, second = [await desk.good("GET", "/push-key") for _ in range(2)]
    assert first == second
    assert len(first["public_key"]) == 87


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/subscriptions"),
        ("DELETE", "/subscriptions"),
        ("PUT", "/subscriptions/mail"),
        ("POST", "/subscriptions/push"),
    ],
)
async def test_what_is_a_citizen_s_needs_the_citizen(desk: DeliveryDesk, method: str, path: str) -> None:
    assert (await desk.ask(method, path, {})).status_code == 401
    assert (await desk.ask(method, path, {}, as_="officer:수완동")).status_code == 403


async def test_without_a_relay_there_is_no_mail(
    databases: Databases, issuer: Issuer, settings_for: SettingsFor, desk: DeliveryDesk, citizen: str
) -> None:
    settings = settings_for(Settings, kafka_url=NOBODY_LISTENS, delivery_tick_s=3_600)
    async with open_delivery(databases, issuer, settings, desk.push, desk.relay) as bare:
        answer = await bare.ask("PUT", "/subscriptions/mail", {"address": "a@example.com"}, as_=citizen)
        assert assert_problem(answer, 409, "conflict")[0]["rule"] == "no-mail"


async def test_nothing_personal_is_logged(desk: DeliveryDesk, citizen: str) -> None:
    body, address = subscription(desk), f"{uuid4().hex[:10]}@example.com"
    await desk.good("POST", "/subscriptions/push", body, as_=citizen)
    await desk.good("PUT", "/subscriptions/mail", {"address": address}, as_=citizen)
    desk.relay.refuses[address] = "550 no"
    with capture_logs() as logged:
        await desk.confirmations()
        await desk.watches(citizen)
        await desk.alerted(citizen)
        await desk.rounds()
    told = str(logged)
    assert "undelivered" in told or "unconfirmed" in told
    for secret in (citizen.partition(":")[2], body["endpoint"].rpartition("/")[2], address.partition("@")[0]):
        assert secret not in told
