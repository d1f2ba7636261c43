"""The transactional outbox: a row and its event commit together; the relay carries events to Kafka in order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts import Event
from shared.messaging.envelope import body_of, headers_of

CHANNEL = "outbox"

_INSERT = text(
    "INSERT INTO outbox (aggregate_id, topic, key, payload, headers) "
    "VALUES (:aggregate_id, :topic, :key, :payload, CAST(:headers AS jsonb))"
)
_INSERT_MANY = text("""
    INSERT INTO outbox (aggregate_id, topic, key, payload, headers)
    SELECT key, topic, key, payload, headers FROM unnest(CAST(:keys AS text[]), CAST(:topics AS text[]), CAST(:payloads AS bytea[]),
        CAST(:headers AS jsonb[])) WITH ORDINALITY AS event(key, topic, payload, headers, nth) ORDER BY nth
""")
_WAKE = text(f"SELECT pg_notify('{CHANNEL}', '')")


async def emit(tx: AsyncConnection, event: Event, *, source: str, now: datetime, event_id: UUID | None = None) -> UUID:
    """Write the event in the caller's transaction. Returns the event's id. The aggregate is the event's topic key.

    Change (and so lock) the aggregate's row first: of two writers the one that commits first must also emit first.
    """
    event_id = event_id or uuid4()
    headers = headers_of(event, event_id=event_id, source=source, time=now)
    await tx.execute(
        _INSERT,
        {
            "aggregate_id": event.topic_key(),
            "topic": event.TOPIC,
            "key": event.topic_key(),
            "payload": body_of(event),
            "headers": json.dumps(headers),
        },
    )
    await tx.execute(_WAKE)
    return event_id


async def emit_many(
    tx: AsyncConnection, events: Sequence[Event], *, source: str, now: datetime, ids: Sequence[UUID] | None = None
) -> None:
    """As `emit`, of as many aggregates, in their order, in one statement; `ids` are the events' ids, if they are to be known."""
    if not events:
        return
    named = ids if ids is not None else [uuid4() for _ in events]
    headers = [
        headers_of(event, event_id=id_, source=source, time=now) for id_, event in zip(named, events, strict=True)
    ]
    values = {
        "keys": [event.topic_key() for event in events], "topics": [event.TOPIC for event in events],
        "payloads": [body_of(event) for event in events], "headers": [json.dumps(told) for told in headers],
    }  # fmt: skip
    await tx.execute(_INSERT_MANY, values)
    await tx.execute(_WAKE)


@dataclass(frozen=True)
class Row:
    """One event waiting in the outbox."""

    id: int
    aggregate_id: str
    topic: str
    key: str
    payload: bytes
    headers: dict[str, str]


async def waiting(connection: asyncpg.Connection, blocked: list[str], limit: int) -> list[Row]:
    """The oldest events, in id order, leaving out aggregates that are blocked by a failure."""
    rows = await connection.fetch(
        "SELECT id, aggregate_id, topic, key, payload, headers FROM outbox "
        "WHERE aggregate_id <> ALL($1::text[]) ORDER BY id LIMIT $2",
        blocked,
        limit,
    )
    return [Row(r["id"], r["aggregate_id"], r["topic"], r["key"], r["payload"], json.loads(r["headers"])) for r in rows]


async def delete(connection: asyncpg.Connection, ids: list[int]) -> None:
    await connection.execute("DELETE FROM outbox WHERE id = ANY($1::bigint[])", ids)


async def depth(connection: asyncpg.Connection) -> tuple[int, float]:
    """How many events wait, and the age of the oldest in seconds (0 when none waits)."""
    row = await connection.fetchrow(
        "SELECT count(*) AS n, coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0) AS age_s FROM outbox"
    )
    return int(row["n"]), float(row["age_s"])
