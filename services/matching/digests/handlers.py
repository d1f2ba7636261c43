"""What the budget leaves over becomes a digest: an event in the outbox, in the transaction that marks its items."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from services.matching.consent import store as consents
from services.matching.digests import store
from services.matching.digests.domain import Budget, Fresh, day_began, overflow
from shared.contracts import Digest
from shared.contracts.digest import MOST_ITEMS, DigestItem, digest_id
from shared.messaging.outbox import emit

SOURCE = "/services/matching"
AT_ONCE = 100


async def keep_budget(tx: AsyncConnection, rows: Sequence[Row[Any]], budget: Budget, now: datetime) -> set[str]:
    """Of alerts just told, those beyond the day's budget are left for the digest; whose others are told after all.

    An emergency is told whatever the budget, and uses none of it (N3).
    """
    fresh = [Fresh(row.id, row.citizen_id, row.urgent, row.made_at) for row in rows if not row.emergency]
    emergencies = {row.citizen_id for row in rows if row.emergency}
    if not fresh:
        return emergencies
    told = await store.told_since(
        tx, {alert.citizen_id for alert in fresh}, day_began(now), [alert.id for alert in fresh]
    )
    over = overflow(budget, told, fresh)
    if over:
        await store.leave_for_digest(tx, over, now)
    return emergencies | {alert.citizen_id for alert in fresh if alert.id not in over}


async def send_due(tx: AsyncConnection, hour: int, now: datetime) -> int:
    """Digests whose hour has struck, some at a time; returns how many. Nothing is half done if this is killed."""
    waiting = await store.due(tx, now, hour, AT_ONCE)
    for row in waiting:
        id_ = digest_id(row.citizen_id, row.day)
        items = newest_of_each(await store.take(tx, row.citizen_id, id_, row.day, row.hour, now))
        if not items:
            continue
        listed = tuple(items[:MOST_ITEMS])
        made = Digest(
            id=id_, citizen_id=row.citizen_id, day=row.day, items=listed, more=len(items) - len(listed), made_at=now
        )
        await emit(tx, made, source=SOURCE, now=now, event_id=id_)
        await consents.record_uses(tx, [row.citizen_id] * len(listed), "provided", "digest", now)
    return len(waiting)


def newest_of_each(rows: Sequence[Row[Any]]) -> list[DigestItem]:
    """One item per posting, of its last urgency epoch; urgent ones first, then the newest."""
    newest: dict[Any, Row[Any]] = {}
    for row in sorted(rows, key=lambda row: row.urgency_epoch):
        newest[row.posting_id] = row
    order = sorted(newest.values(), key=lambda row: (not row.urgent, -row.made_at.timestamp(), str(row.alert_id)))
    return [DigestItem.model_validate(row._asdict()) for row in order]
