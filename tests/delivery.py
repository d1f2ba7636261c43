"""Delivery as tests speak to it, and its peers: a push service and a mail relay on loopback, devices that can read."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Literal
from uuid import uuid4

import http_ece
import httpx
from aiosmtpd.controller import Controller
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI
from sqlalchemy import text

from deploy.local import ports
from services.delivery.app import build
from services.delivery.deliveries.courier import Courier
from services.delivery.deliveries.handlers import handlers
from services.delivery.mail.confirmations import ask_owners
from services.delivery.mail.sender import Mailer
from services.delivery.parts import DeliveryParts
from services.delivery.push.sender import Pusher
from services.delivery.settings import Settings
from services.delivery.subscriptions.domain import Channel
from shared.contracts import Alert, Event, Posting, Watch
from shared.database import Database
from shared.messaging.consumer import Unit
from shared.outside import Outside
from tests.databases import Databases
from tests.issuer import Issuer, token
from tests.publishers import SetClock
from tests.samples import alert, posting
from tests.waiting import until

# What went into a digest fares as its letter does, unless the letter goes without it.
FATES = """
    SELECT d.citizen_id, d.alert_id, d.wanted_at, d.letter_id, coalesce(l.because, d.because) AS because,
        CASE WHEN d.state <> 'gathered' THEN d.state WHEN l.state = 'gathering' THEN 'waiting' ELSE l.state END AS state
    FROM delivery d LEFT JOIN letter l ON l.id = d.letter_id
"""


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@dataclass(frozen=True)
class Pushed:
    """One request that the push service took."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def topic(self) -> str:
        return self.headers["topic"]


class Device:
    """A browser: its keys, and what it makes of a message."""

    def __init__(self, service: PushService) -> None:
        self.path = f"/push/{uuid4().hex}"
        self.endpoint = f"{service.url}{self.path}"
        self._key, self._auth = ec.generate_private_key(ec.SECP256R1()), os.urandom(16)

    def subscription(self) -> dict[str, Any]:
        public = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {
            "endpoint": self.endpoint,
            "keys": {"p256dh": _b64(public), "auth": _b64(self._auth)},
            "expirationTime": None,
        }

    def read(self, pushed: Pushed) -> dict[str, Any]:
        opened = http_ece.decrypt(pushed.body, private_key=self._key, auth_secret=self._auth, version="aes128gcm")
        told: dict[str, Any] = json.loads(opened)
        return told


class PushService:
    """Answers as told to, 201 unless told otherwise; with `held` it takes a message and does not answer yet."""

    def __init__(self) -> None:
        self.took: list[Pushed] = []
        self._open = 0
        self.answers: dict[str, tuple[int, dict[str, str]]] = {}
        self.held = False
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def of(self, device: Device) -> list[Pushed]:
        return [pushed for pushed in self.took if pushed.path == device.path]

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def has_all_of_the_dead(self) -> None:
        """Whoever connected is gone: waits until all that they had sent is taken."""
        assert self._server is not None
        reader, writer = await asyncio.open_connection(*self._server.sockets[0].getsockname()[:2])
        writer.write_eof()
        await reader.read()  # connections are accepted in their order: every earlier one is known by now
        writer.close()
        await until(lambda: self._open == 0, 30)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            while line := await reader.readline():
                path, headers = line.decode().split(" ")[1], {}
                while header := (await reader.readline()).decode().strip():
                    name, _, value = header.partition(":")
                    headers[name.lower()] = value.strip()
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.took.append(Pushed(path, headers, body))
                if self.held:
                    continue
                status, more = self.answers.get(path, (201, {}))
                extra = "".join(f"{name}: {value}\r\n" for name, value in more.items())
                writer.write(f"HTTP/1.1 {status} Said\r\n{extra}Content-Length: 0\r\n\r\n".encode())
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            self._open -= 1
            writer.close()


class Relay:
    """A mail relay that keeps what it takes; `refuses` maps an address to what it says to it, `spurns` to its letter.

    `holds` names the command that is not answered for now: RCPT, or DATA, of which it has the letter by then.
    """

    def __init__(self) -> None:
        self.took: list[tuple[str, EmailMessage]] = []
        self.refuses: dict[str, str] = {}
        self.spurns: dict[str, str] = {}
        self.holds: Literal["RCPT", "DATA"] | None = None
        self.held, self.answered = 0, 0
        self.port = ports.pick(None, ())
        self._controller: Controller | None = None

    async def handle_RCPT(self, _: Any, __: Any, envelope: Any, address: str, ___: Any) -> str:  # noqa: N802
        if said := self.refuses.get(address):
            return said
        await self._hold("RCPT")
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _: Any, __: Any, envelope: Any) -> str:  # noqa: N802
        letter = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        if said := self.spurns.get(envelope.rcpt_tos[0]):
            return said
        self.took.append((envelope.rcpt_tos[0], letter))
        await self._hold("DATA")
        self.answered += 1
        return "250 OK"

    async def _hold(self, what: Literal["RCPT", "DATA"]) -> None:
        if self.holds == what:
            self.held += 1
        while self.holds == what:
            await asyncio.sleep(0.02)

    def of(self, address: str) -> list[EmailMessage]:
        return [letter for to, letter in self.took if to == address]

    def start(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None


@contextmanager
def mail_relay() -> Iterator[Relay]:
    relay = Relay()
    relay.start()
    try:
        yield relay
    finally:
        relay.stop()


@asynccontextmanager
async def push_service() -> AsyncIterator[PushService]:
    service = PushService()
    await service.start()
    try:
        yield service
    finally:
        await service.stop()


def body_of(letter: EmailMessage, kind: str = "plain") -> str:
    part = letter.get_body((kind,))
    assert part is not None
    told: str = part.get_content()
    return told


@dataclass
class DeliveryDesk:
    """One running delivery service whose rounds a test makes itself, at a time that it chooses."""

    app: FastAPI
    http: httpx.AsyncClient
    database: Database
    settings: Settings
    issuer: Issuer
    clock: SetClock
    push: PushService
    relay: Relay
    open: bool = True
    couriers: dict[Channel, Courier] = field(default_factory=dict)

    @property
    def parts(self) -> DeliveryParts:
        made: DeliveryParts = self.app.state.parts
        return made

    async def ask(
        self, method: str, path: str, body: object = None, *, as_: str | None = None, **more: Any
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token(self.issuer, as_)}"} if as_ else {}
        if method == "POST":
            headers["Idempotency-Key"] = more.pop("key", uuid4().hex)
        return await self.http.request(method, path, json=body, headers=headers, **more)

    async def good(self, method: str, path: str, body: object = None, **more: Any) -> Any:
        answer = await self.ask(method, path, body, **more)
        assert answer.is_success, f"{answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def device(self, citizen: str) -> Device:
        made = Device(self.push)
        await self.good("POST", "/subscriptions/push", made.subscription(), as_=citizen)
        return made

    async def mailbox(self, citizen: str) -> str:
        """An address that its owner has confirmed."""
        address = f"{uuid4().hex[:10]}@example.com"
        await self.good("PUT", "/subscriptions/mail", {"address": address}, as_=citizen)
        await self.confirmations()
        (letter,) = self.relay.of(address)
        link = next(word for word in body_of(letter).split() if "/mail-confirmation?t=" in word)
        done = await self.http.post("/mail-confirmation", params={"t": link.partition("?t=")[2]})
        assert done.status_code == 200, done.text
        self.relay.took.clear()
        return address

    async def confirmations(self) -> None:
        mailer = Mailer(self.settings, self.clock)
        await ask_owners(self.settings, self.database, mailer, self.clock)
        await mailer.close()

    async def prefers(self, citizen: str, **wanted: Any) -> None:
        await self.good("PUT", "/subscriptions/preferences", wanted, as_=citizen)

    async def hears(self, *events: Event) -> None:
        """Events reach delivery."""
        for event in events:
            async with self.database.transaction() as tx:
                await handlers(self.parts.hours)[type(event)]([event], Unit(tx, self.clock()))

    async def watches(self, citizen: str, version: int = 1, **changed: Any) -> Watch:
        whole = {"consent_epoch": 1, "located": True, "changed_at": self.clock(), **changed}
        watch = Watch.model_validate({"citizen_id": citizen, "version": version, **whole})
        await self.hears(watch)
        return watch

    async def alerted(self, citizen: str, about: Posting | None = None, **changed: Any) -> Alert:
        """An alert made now about a posting that is open for a day."""
        now = self.clock()
        told = about or self.open_posting()
        made = alert(citizen, told, urgent=told.urgent, made_at=now, caused_at=now, **changed)
        await self.hears(made)
        return made

    def open_posting(self, **changed: Any) -> Posting:
        now = self.clock()
        return posting(**{"expires_at": now + timedelta(days=1), "changed_at": now, **changed})

    async def rounds(self, *channels: Channel) -> None:
        """Until nothing is due."""
        for channel in channels or ("push", "mail"):
            while await self.couriers[channel].round():
                assert self.open

    async def rows(self, query: str, **values: Any) -> Sequence[Any]:
        async with self.database.transaction() as tx:
            return (await tx.execute(text(query), values)).all()

    async def fates(self, citizen: str) -> list[tuple[str, str | None]]:
        """(state, because) of each of a citizen's deliveries."""
        rows = await self.rows(
            f"SELECT state, because FROM ({FATES}) f WHERE citizen_id = :id ORDER BY wanted_at, alert_id", id=citizen
        )
        return [(row.state, row.because) for row in rows]


@asynccontextmanager
async def open_delivery(
    databases: Databases, issuer: Issuer, settings: Settings, push: PushService, relay: Relay
) -> AsyncIterator[DeliveryDesk]:
    """The service in this process with its real database; its own couriers have looked once and sleep."""
    url, clock = await databases.migrated("delivery"), SetClock()
    app, database = build(settings, clock), Database(url, pool_size=4)
    transport, outside = httpx.ASGITransport(app), Outside(private=True, total_s=5)
    mailer = Mailer(settings, clock)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://delivery") as http,
    ):
        desk = DeliveryDesk(app, http, database, settings, issuer, clock, push, relay)
        given = (settings, database, desk.parts.hours)
        pusher = Pusher(settings, desk.parts.vapid, outside, clock)
        desk.couriers = {
            "push": Courier(*given, "push", [pusher] * 50, lambda: desk.open, clock),
            "mail": Courier(*given, "mail", [mailer], lambda: desk.open, clock),
        }
        yield desk
    await mailer.close()
    await outside.close()
    await database.close()
