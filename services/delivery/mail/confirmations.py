"""Asks the owners of newly registered addresses. From a table, so that a crash loses none."""

from __future__ import annotations

from datetime import timedelta

import structlog

from services.delivery.deliveries.messages import Gone, Later, Refused
from services.delivery.mail.sender import Mailer
from services.delivery.settings import Settings
from services.delivery.subscriptions import store
from services.delivery.subscriptions.domain import confirmation_token
from shared.clock import Clock
from shared.database import Database

log = structlog.get_logger()


async def ask_owners(settings: Settings, database: Database, mailer: Mailer, clock: Clock) -> int:
    """Sends the confirmations that are due; returns how many. What the relay does not take now is tried again."""
    lease = timedelta(seconds=settings.delivery_lease_s)
    async with database.transaction() as tx:
        rows = await store.take_unconfirmed(tx, clock(), lease)
    for row in rows:
        outcome = await mailer.confirm(row.address, confirmation_token(settings.unsubscribe_key, row.id))
        if isinstance(outcome, Later | Refused | Gone):
            log.info("unconfirmed", outcome=type(outcome).__name__, reason=outcome.reason)
        if not isinstance(outcome, Later):
            async with database.transaction() as tx:
                await store.asked_for(tx, row.id)
    return len(rows)
