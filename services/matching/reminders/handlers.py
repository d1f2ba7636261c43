"""Before a deadline those are told once more who were told of it and have not opened it: alerts like any other, each once.

An alert's id is made of the one it reminds of and the deadline, so a worker that died half way may begin again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from services.matching.reminders import store
from shared.contracts import Alert
from shared.contracts.alert import Why, reminder_id
from shared.contracts.watch import QuietHours
from shared.database import Database
from shared.messaging.outbox import emit_many

SOURCE = "/services/matching"
AT_ONCE = 1_000
SAME = (
    "citizen_id", "posting_id", "posting_version", "urgency_epoch", "urgent", "emergency", "kind", "headline", "institution",
    "distance_m", "dong", "starts_at", "ends_at", "shows", "link",
)  # fmt: skip


async def remind_due(database: Database, ahead: timedelta, now: datetime, stopping: asyncio.Event | None = None) -> int:
    """Everybody who is to be reminded now, some at a time; returns how many that were."""
    async with database.statement() as connection:
        postings = await store.due(connection, now, ahead) if ahead else []
    reminded = 0
    for posting in postings:
        reminded += await _remind_of(database, posting.id, posting.deadline, ahead, now, stopping)
    return reminded


async def _remind_of(
    database: Database,
    posting: UUID,
    deadline: datetime,
    ahead: timedelta,
    now: datetime,
    stopping: asyncio.Event | None,
) -> int:
    """Who was told less than that long before the deadline needs no reminder."""
    reminded, after = 0, ""
    while stopping is None or not stopping.is_set():
        async with database.transaction() as tx:
            rows = await store.page(tx, posting, after, deadline - ahead, now, AT_ONCE)
            made = reminders([row for row in rows if row.wanted], deadline, now)
            await emit_many(tx, made, source=SOURCE, now=now, ids=[alert.id for alert in made])
            if len(rows) < AT_ONCE:
                await store.done(tx, posting, deadline)
        reminded += len(made)
        if len(rows) < AT_ONCE:
            break
        after = rows[-1].citizen_id
    return reminded


def reminders(rows: Sequence[Row[Any]], deadline: datetime, now: datetime) -> list[Alert]:
    """In the words that the inbox has by now; not to be told after the deadline, nor in quiet hours."""
    return [
        Alert.model_validate({
            **{name: getattr(row, name) for name in SAME}, "id": reminder_id(row.id, deadline), "reminder": True,
            "expires_at": min(deadline, row.expires_at), "caused_at": now, "made_at": now,
            "why": Why.model_validate({**row.why, "watch_version": row.watch_version}),
            "deferred_until": QuietHours.model_validate(row.quiet).until(now) if row.quiet else None,
        })
        for row in rows
    ]  # fmt: skip
