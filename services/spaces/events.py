"""How spaces tells the platform: an event goes out by the outbox, in the transaction of what it tells; one round trip."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.parts import SOURCE
from shared.contracts import Event
from shared.messaging.envelope import body_of, headers_of
from shared.messaging.outbox import CHANNEL

# Without waking the relay, which looks every second anyway: a notification makes every commit wait for the one before it.
OUTBOX = """
    INSERT INTO outbox (aggregate_id, topic, key, payload, headers)
    VALUES (:event_about, :event_topic, :event_about, :event_payload, CAST(:event_headers AS jsonb))
    RETURNING 1
"""
_TELL = text(OUTBOX.replace("RETURNING 1", f"RETURNING pg_notify('{CHANNEL}', '')"))


def outbox_row(event: Event, now: datetime, event_id: UUID | None = None) -> dict[str, Any]:
    """The values of OUTBOX, for statements that write a row and its event at once and are in no hurry to be told."""
    headers = headers_of(event, event_id=event_id or uuid4(), source=SOURCE, time=now)
    about = event.topic_key()
    return {
        "event_about": about, "event_topic": event.TOPIC, "event_payload": body_of(event),
        "event_headers": json.dumps(headers),
    }  # fmt: skip


async def tell(tx: AsyncConnection, event: Event, now: datetime) -> None:
    """Send one event at once. Lock what it is about first, so that events go out in their order."""
    await tx.execute(_TELL, outbox_row(event, now))
