"""Mail to the relay. What the relay answers decides: 5xx to the addressee is a bounce, 5xx to the letter refuses it, 4xx is
tried again with doubling waits.
"""

from __future__ import annotations

import asyncio
from uuid import uuid4

import aiosmtplib
import structlog

from services.delivery.deliveries.links import links_of
from services.delivery.deliveries.messages import Accepted, Gone, Later, Message, Outcome, Refused
from services.delivery.mail.domain import Letter, as_bytes, confirmation_letter, digest_letter
from services.delivery.mail.relay import PATIENCE_S, Hung, Relay, Reply
from services.delivery.settings import Settings
from shared.clock import Clock
from shared.unsubscribe import Unsubscription, link

log = structlog.get_logger()

RELAY_AWAY_S = 30.0


class Mailer:
    """One connection to the relay, opened when first needed and kept; one letter at a time."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._relay = Relay(settings)
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
                    return _meaning(await self._relay.post(letter.sender, letter.to, as_bytes(letter, self._clock())))
            except (aiosmtplib.SMTPException, Hung, OSError, TimeoutError) as error:
                self._relay.hang_up()
                return Later(type(error).__name__, RELAY_AWAY_S, counts=False)

    async def close(self) -> None:
        """Leaves politely; a relay that does not answer is left all the same."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._relay.close()
        except (Hung, OSError, TimeoutError) as error:
            log.info("relay_left_untold", error=type(error).__name__)
            self._relay.hang_up()


def _meaning(reply: Reply) -> Outcome:
    if reply.code < 400:
        return Accepted()
    if reply.code < 500:
        return Later(str(reply.code))
    return Gone(str(reply.code)) if reply.to_addressee else Refused(str(reply.code))
