"""What the budget leaves over becomes a digest: an event in the outbox, in the transaction that marks its items."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from services.matching.alerts import store as inbox
from services.matching.consent import store as consents
from services.matching.digests import store
from services.matching.digests.domain import Budget, Fresh, day_began, overflow
from shared.contracts import Digest
from shared.contracts.digest import MOST_ITEMS, DigestItem, digest_id
from shared.database import Database
from shared.messaging.outbox import emit_many
from shared.messaging.partitions import partition_of

SOURCE = "/services/matching"
PAGE = 8_000
AT_ONCE = 1_000
SIDE_BY_SIDE = 2  # while the database works on one lot, the next is put into words


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


async def send_due(database: Database, hour: int, now: datetime, stopping: asyncio.Event | None = None) -> int:
    """Every digest whose hour has struck, some citizens of one shard at a time; returns of how many citizens.

    Each lot is one transaction: nothing is half done if this is killed, and whoever else writes waits for one lot at most.
    """
    done, after = 0, ""
    while stopping is None or not stopping.is_set():
        async with database.statement() as connection:
            page = await store.waiting(connection, now, hour, after, PAGE)
        if not page:
            break
        due, after = [row for row in page if row.due], page[-1].citizen_id
        lots = deque(_lots(due))
        await asyncio.gather(*(_send_lots(database, lots, now) for _ in range(SIDE_BY_SIDE)))
        done += len(due)
    return done


async def _send_lots(database: Database, lots: deque[list[Row[Any]]], now: datetime) -> None:
    while lots:
        async with database.transaction() as tx:
            await send_lot(tx, lots.popleft(), now)


def _lots(due: Iterable[Row[Any]]) -> list[list[Row[Any]]]:
    """Citizens of one shard together, some at a time: a lot locks no other shard, and two that follow are of two shards."""
    shards: dict[int, list[Row[Any]]] = {}
    for row in due:
        shards.setdefault(partition_of(row.citizen_id, inbox.SHARDS), []).append(row)
    longest = max(map(len, shards.values()), default=0)
    lots = (rows[start : start + AT_ONCE] for start in range(0, longest, AT_ONCE) for rows in shards.values())
    return [lot for lot in lots if lot]


async def send_lot(tx: AsyncConnection, due: Sequence[Row[Any]], now: datetime) -> None:
    """The digests of these citizens, their marks on the items, and the records of what a position had made of them."""
    await inbox.in_order(tx, [row.citizen_id for row in due])
    ids = [digest_id(row.citizen_id, row.day) for row in due]
    rows: dict[UUID, list[Row[Any]]] = {}
    for row in await store.take(tx, due, ids, now):
        rows.setdefault(row.digest_id, []).append(row)
    made = [_digest(id_, asked, rows[id_], now) for id_, asked in zip(ids, due, strict=True) if id_ in rows]
    await emit_many(tx, made, source=SOURCE, now=now, ids=[digest.id for digest in made])
    located = [digest.citizen_id for digest in made for item in digest.items if item.located]
    await consents.record_uses(tx, located, "provided", "digest", now)


def _digest(id_: UUID, asked: Row[Any], rows: Sequence[Row[Any]], now: datetime) -> Digest:
    items = newest_of_each(rows)
    listed, more = tuple(items[:MOST_ITEMS]), max(0, len(items) - MOST_ITEMS)
    return Digest(id=id_, citizen_id=asked.citizen_id, day=asked.day, items=listed, more=more, made_at=now)


def newest_of_each(rows: Sequence[Row[Any]]) -> list[DigestItem]:
    """One item per posting, of its last urgency epoch; urgent ones first, then the newest."""
    newest: dict[Any, Row[Any]] = {}
    for row in sorted(rows, key=lambda row: row.urgency_epoch):
        newest[row.posting_id] = row
    order = sorted(newest.values(), key=lambda row: (not row.urgent, -row.made_at.timestamp(), str(row.alert_id)))
    return [DigestItem.model_validate(row._asdict()) for row in order]
