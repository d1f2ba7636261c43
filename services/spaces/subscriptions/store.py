"""Every SQL statement about plans, subscriptions, lots and the ledger. A subscription's row is locked before its credits move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.subscriptions.domain import Lot, Plan, Subscription
from services.spaces.subscriptions.ledger import Filled, Line

_PLAN, _SUBSCRIPTION, _LOT, _LINE = (
    tuple(field.name for field in fields(of)) for of in (Plan, Subscription, Lot, Line)
)


def _upsert(table: str, names: tuple[str, ...]) -> str:
    values, changed = ", ".join(f":{n}" for n in names), ", ".join(f"{n} = :{n}" for n in names if n != "id")
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values}) ON CONFLICT (id) DO UPDATE SET {changed}"  # noqa: S608


_AFTER = "(CAST(:at AS timestamptz) IS NULL OR (created_at, id) < (:at, :id))"
_PUT_PLAN = text(_upsert("plan", _PLAN))
_GET_PLAN = text("SELECT * FROM plan WHERE id = :id")
_LOCK_PLAN = text("SELECT * FROM plan WHERE id = :id FOR UPDATE")
_PLANS = text(f"""
    SELECT * FROM plan WHERE status = 'open' AND (CAST(:institution AS text) IS NULL OR institution = :institution)
    AND {_AFTER} ORDER BY created_at DESC, id DESC LIMIT :limit
""")  # noqa: S608
_PUT = text(_upsert("subscription", _SUBSCRIPTION))
_GET = text("SELECT * FROM subscription WHERE id = :id")
_LOCK = text("SELECT * FROM subscription WHERE id = :id FOR UPDATE")
_MINE = text(f"""
    SELECT * FROM subscription WHERE citizen_id = :citizen AND {_AFTER} ORDER BY created_at DESC, id DESC LIMIT :limit
""")  # noqa: S608
_RUNNING = text("SELECT 1 FROM subscription WHERE plan_id = :plan AND citizen_id = :citizen AND state <> 'ended'")
_UNRENEWED = text("""
    SELECT s.id FROM subscription s WHERE s.state = 'active' AND s.changed_at <= :now
    AND NOT EXISTS (SELECT 1 FROM credit_lot l WHERE l.subscription_id = s.id AND l.month = :month) LIMIT 1
""")
_ADD_LOT = text(
    f"INSERT INTO credit_lot ({', '.join(_LOT)}) VALUES ({', '.join(':' + n for n in _LOT)}) "  # noqa: S608
    "ON CONFLICT (subscription_id, month) DO NOTHING RETURNING id"
)
_LOTS = text("""
    SELECT l.*, coalesce(b.amount, 0) AS left_minutes FROM credit_lot l
    LEFT JOIN credit_balance b ON b.account = 'lot:' || l.id AND b.unit = 'minutes'
    WHERE l.subscription_id = :subscription AND NOT l.closed ORDER BY l.expires_at, l.month
""")
_CLOSE_LOTS = text("UPDATE credit_lot SET closed = true WHERE id = ANY(:ids)")
_PUT_OFF = text("""
    UPDATE credit_lot SET expires_at = expires_at + :later WHERE subscription_id = :subscription AND NOT closed
    AND expires_at > :paused_at
""")
_EXPIRED = text("""
    SELECT l.subscription_id FROM credit_lot l JOIN subscription s ON s.id = l.subscription_id
    WHERE NOT l.closed AND l.expires_at <= :now AND s.state <> 'paused' ORDER BY l.expires_at LIMIT 1
""")
_ENTER = text(f"INSERT INTO credit_line ({', '.join(_LINE)}) VALUES ({', '.join(':' + n for n in _LINE)})")  # noqa: S608
_OF_BOOKING = text("SELECT * FROM credit_line WHERE booking_id = :booking ORDER BY seq")
_LEDGER = text("""
    SELECT * FROM credit_line WHERE subscription_id = :subscription AND (account LIKE 'lot:%' OR account LIKE 'owed:%')
    AND (CAST(:before AS bigint) IS NULL OR seq < :before) ORDER BY seq DESC LIMIT :limit
""")
_OWED = text("SELECT amount FROM credit_balance WHERE account = :account AND unit = 'krw'")
_SEAT_TAKEN = text("""
    SELECT 1 FROM booking WHERE subscription_id = :subscription AND id <> :but AND starts_at < :until AND ends_at > :since
    AND (state IN ('pending', 'confirmed', 'in_use')) LIMIT 1
""")


def _of(row: Row[Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _plan(row: Row[Any]) -> Plan:
    known = _of(row, _PLAN)
    return Plan(**{**known, "space_kinds": tuple(row.space_kinds), "space_ids": tuple(row.space_ids)})


async def put_plan(tx: AsyncConnection, plan: Plan) -> None:
    lists = {"space_kinds": list(plan.space_kinds), "space_ids": list(plan.space_ids)}
    await tx.execute(_PUT_PLAN, asdict(plan) | lists)


async def get_plan(tx: AsyncConnection, id_: UUID, *, for_update: bool = False) -> Plan | None:
    row = (await tx.execute(_LOCK_PLAN if for_update else _GET_PLAN, {"id": id_})).first()
    return None if row is None else _plan(row)


async def plans(
    tx: AsyncConnection, institution: str | None, after: tuple[datetime, UUID] | None, limit: int
) -> list[Plan]:
    at, id_ = after or (None, None)
    rows = await tx.execute(_PLANS, {"institution": institution, "at": at, "id": id_, "limit": limit + 1})
    return [_plan(row) for row in rows]


async def put(tx: AsyncConnection, subscription: Subscription) -> None:
    await tx.execute(_PUT, asdict(subscription))


async def get(tx: AsyncConnection, id_: UUID, *, for_update: bool = False) -> Subscription | None:
    row = (await tx.execute(_LOCK if for_update else _GET, {"id": id_})).first()
    return None if row is None else Subscription(**_of(row, _SUBSCRIPTION))


async def mine(
    tx: AsyncConnection, citizen_id: str, after: tuple[datetime, UUID] | None, limit: int
) -> list[Subscription]:
    at, id_ = after or (None, None)
    rows = await tx.execute(_MINE, {"citizen": citizen_id, "at": at, "id": id_, "limit": limit + 1})
    return [Subscription(**_of(row, _SUBSCRIPTION)) for row in rows]


async def is_subscribed(tx: AsyncConnection, plan_id: UUID, citizen_id: str) -> bool:
    return (await tx.execute(_RUNNING, {"plan": plan_id, "citizen": citizen_id})).first() is not None


async def unrenewed(tx: AsyncConnection, month: str, now: datetime) -> UUID | None:
    """A subscription that is active by now and has not been given anything for the month."""
    return (await tx.execute(_UNRENEWED, {"month": month, "now": now})).scalar()


async def add_lot(tx: AsyncConnection, lot: Lot) -> bool:
    """False where the month has given already."""
    return (await tx.execute(_ADD_LOT, asdict(lot))).first() is not None


async def lots_of(tx: AsyncConnection, subscription_id: UUID) -> list[Filled]:
    """Lots that are not closed, with what is left in each."""
    rows = await tx.execute(_LOTS, {"subscription": subscription_id})
    return [Filled(Lot(**_of(row, _LOT)), int(row.left_minutes)) for row in rows]


async def close_lots(tx: AsyncConnection, ids: Sequence[UUID]) -> None:
    await tx.execute(_CLOSE_LOTS, {"ids": list(ids)})


async def put_off(tx: AsyncConnection, subscription_id: UUID, paused_at: datetime, later: timedelta) -> None:
    """What was good when the pause began is good for so much longer."""
    await tx.execute(_PUT_OFF, {"subscription": subscription_id, "paused_at": paused_at, "later": later})


async def expired(tx: AsyncConnection, now: datetime) -> UUID | None:
    """A subscription with a lot that has expired and is not closed."""
    return (await tx.execute(_EXPIRED, {"now": now})).scalar()


async def enter(tx: AsyncConnection, lines: Sequence[Line]) -> None:
    """Lines are only ever added; the balances follow by themselves."""
    if lines:
        await tx.execute(_ENTER, [asdict(line) for line in lines])


async def lines_of_booking(tx: AsyncConnection, booking_id: UUID) -> list[Line]:
    return [Line(**_of(row, _LINE)) for row in await tx.execute(_OF_BOOKING, {"booking": booking_id})]


async def ledger(tx: AsyncConnection, subscription_id: UUID, before: int | None, limit: int) -> list[Row[Any]]:
    """The citizen's side of the ledger, the newest first."""
    values = {"subscription": subscription_id, "before": before, "limit": limit + 1}
    return list(await tx.execute(_LEDGER, values))


async def owed(tx: AsyncConnection, subscription_id: UUID) -> int:
    """Fees less what was given back, in won."""
    return int((await tx.execute(_OWED, {"account": f"owed:{subscription_id}"})).scalar() or 0)


async def seat_taken(
    tx: AsyncConnection, subscription_id: UUID, booking_id: UUID, since: datetime, until: datetime
) -> bool:
    """Whether another booking of the subscription is at the same time."""
    values = {"subscription": subscription_id, "but": booking_id, "since": since, "until": until}
    return (await tx.execute(_SEAT_TAKEN, values)).first() is not None
