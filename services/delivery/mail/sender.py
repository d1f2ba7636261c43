"""Mail to the relay (aiosmtplib). What the relay answers decides: 5xx to the addressee is a bounce, 4xx is tried again."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import aiosmtplib
import structlog

from services.delivery.deliveries.links import links_of
from services.delivery.deliveries.messages import Accepted, Gone, Later, Message, Outcome, Refused
from services.delivery.mail.domain import Letter, as_bytes, confirmation_letter, digest_letter
from services.delivery.settings import Settings
from shared.clock import Clock
from shared.unsubscribe import Unsubscription, link

log = structlog.get_logger()

PATIENCE_S = 20.0
RELAY_AWAY_S = 30.0


class Mailer:
    """One connection to the relay, opened when first needed and kept; one letter at a time."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._relay: aiosmtplib.SMTP | None = None
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self, message: Message) -> Outcome:
        base, mine = self._settings.public_url, Unsubscription(message.citizen_id, "mail", "all")
        items = [(item, links_of(self._settings, message.citizen_id, item)) for item in message.items]
        letter = digest_letter(
            message.id,
            self._settings.mail_from,
            message.address,
            items,
            message.more,
            base=base,
            stop=link(self._settings, mine),
        )
        return await self.post(letter)

    async def confirm(self, address: str, token: str) -> Outcome:
        """Asks the owner of an address."""
        where = f"{self._settings.public_url}/api/delivery/mail-confirmation?t={token}"
        return await self.post(confirmation_letter(uuid4(), self._settings.mail_from, address, where))

    async def post(self, letter: Letter) -> Outcome:
        """Hands one letter over. A connection that is gone is opened anew for the next."""
        async with self._one_at_a_time:
            try:
                async with asyncio.timeout(min(PATIENCE_S, self._settings.delivery_lease_s / 3)):
                    return await self._hand_over(await self._connected(), letter)
            except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
                await self._hang_up()
                return Later(type(error).__name__, RELAY_AWAY_S, counts=False)

    async def _hand_over(self, relay: aiosmtplib.SMTP, letter: Letter) -> Outcome:
        try:
            await relay.mail(letter.sender)
            await relay.rcpt(letter.to)
            await relay.data(as_bytes(letter, self._clock()))
        except aiosmtplib.SMTPRecipientRefused as error:
            await relay.rset()
            return Gone(str(error.code)) if error.code >= 500 else Later(str(error.code))
        except aiosmtplib.SMTPResponseException as error:
            if error.code == 421:
                raise
            await relay.rset()
            return Refused(str(error.code)) if error.code >= 500 else Later(str(error.code))
        return Accepted()

    async def _connected(self) -> aiosmtplib.SMTP:
        if self._relay is None or not self._relay.is_connected:
            settings = self._settings
            self._relay = aiosmtplib.SMTP(
                hostname=settings.smtp_host, port=settings.smtp_port, timeout=PATIENCE_S, use_tls=settings.smtp_tls == "tls",
                start_tls=settings.smtp_tls == "starttls", username=settings.smtp_username, password=settings.smtp_password,
            )  # fmt: skip
            await self._relay.connect()
        return self._relay

    async def _hang_up(self) -> None:
        if self._relay is not None:
            self._relay.close()
            self._relay = None

    async def close(self) -> None:
        """Leaves politely; a relay that does not answer is left all the same."""
        if self._relay is not None and self._relay.is_connected:
            try:
                await self._relay.quit()
            except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
                log.info("relay_left_untold", error=type(error).__name__)
        await self._hang_up()
