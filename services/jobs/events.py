"""How jobs tells the platform: an event is kept in the service's own log and goes out by the outbox, in one transaction."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.jobs.postings.domain import JobPosting
from services.jobs.trust.projection import project
from shared.contracts import EVENT_BY_TYPE, Event
from shared.contracts.job import PostingNews, PostingNoticed
from shared.messaging.envelope import body_of, headers_of
from shared.messaging.outbox import CHANNEL

SOURCE = "/services/jobs"

_TELL = text(f"""
    WITH kept AS (INSERT INTO job_event (id, type, about, payload, at) VALUES (:id, :type, :about, :payload, :at))
    INSERT INTO outbox (aggregate_id, topic, key, payload, headers)
    VALUES (:about, :topic, :about, :payload, CAST(:headers AS jsonb)) RETURNING pg_notify('{CHANNEL}', '')
""")  # noqa: S608 - the channel is a constant of ours
_ALL = text("SELECT type, payload FROM job_event ORDER BY seq")


async def tell(tx: AsyncConnection, event: Event, now: datetime) -> UUID:
    """Keep and send one event; one round trip. Lock what it is about first, so that events go out in their order."""
    (event_id,) = await tell_many(tx, [event], now)
    return event_id


async def tell_many(tx: AsyncConnection, events: Sequence[Event], now: datetime) -> list[UUID]:
    """The same for many, in their order."""
    rows = [_row(event, now) for event in events]
    if rows:
        await tx.execute(_TELL, rows)
    for event in events:
        await project(tx, event)
    return [row["id"] for row in rows]


def _row(event: Event, now: datetime) -> dict[str, Any]:
    event_id = uuid4()
    headers = headers_of(event, event_id=event_id, source=SOURCE, time=now)
    return {
        "id": event_id, "type": event.TYPE, "about": event.topic_key(), "payload": body_of(event), "at": now,
        "topic": event.TOPIC, "headers": json.dumps(headers),
    }  # fmt: skip


async def tell_poster(
    tx: AsyncConnection, posting: JobPosting, news: PostingNews, now: datetime, *, because: str | None = None
) -> None:
    """Something that the institution is to know of its posting."""
    event = PostingNoticed(
        id=uuid4(), posting_id=posting.id, institution=posting.institution, posted_by=posting.posted_by, news=news,
        headline=posting.terms.headline, because=because, noticed_at=now,
    )  # fmt: skip
    await tell(tx, event, now)


async def told_so_far(tx: AsyncConnection) -> AsyncIterator[Event]:
    """Everything ever told, in order: what projections are rebuilt from."""
    for row in await tx.execute(_ALL):
        yield EVENT_BY_TYPE[row.type].model_validate_json(row.payload)
