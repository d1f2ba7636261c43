"""What happens to subscriptions and their credits, in the caller's transaction: locked, entered in the ledger, told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.bookings.domain import Booking
from services.spaces.events import tell
from services.spaces.facilities.domain import Space
from services.spaces.parts import SpacesParts
from services.spaces.subscriptions import domain, ledger, store
from services.spaces.subscriptions.domain import Plan, Refunds, Subscription, month_after, month_of
from services.spaces.subscriptions.ledger import Filled, Line
from shared.contracts.space import CreditAct
from shared.rules import Conflict, Refused
from shared.web.problems import not_found


async def locked(tx: AsyncConnection, id_: UUID, citizen_id: str) -> tuple[Subscription, Plan]:
    """A citizen's own subscription and its plan, locked; another's is not known to be there."""
    subscription = await store.get(tx, id_, for_update=True)
    if subscription is None or subscription.citizen_id != citizen_id:
        raise not_found("subscription")
    return subscription, await plan_of(tx, subscription)


async def plan_of(tx: AsyncConnection, subscription: Subscription) -> Plan:
    plan = await store.get_plan(tx, subscription.plan_id)
    if plan is None:
        raise not_found("plan")
    return plan


async def keep(tx: AsyncConnection, subscription: Subscription) -> None:
    await store.put(tx, subscription)
    await tell(tx, domain.as_event(subscription), subscription.changed_at)


async def enter(tx: AsyncConnection, subscription: Subscription, lines: Sequence[Line]) -> None:
    await store.enter(tx, lines)
    for event in ledger.as_events(lines, subscription):
        await tell(tx, event, event.entered_at)


async def subscribe(tx: AsyncConnection, plan_id: UUID, citizen_id: str, parts: SpacesParts) -> Subscription:
    """From now on, this month in part. Raises Conflict for a second subscription to the same plan."""
    plan = await store.get_plan(tx, plan_id, for_update=True)
    if plan is None:
        raise not_found("plan")
    if await store.is_subscribed(tx, plan_id, citizen_id):
        raise Conflict("plan_id", "subscribed-already", "이미 구독하고 있습니다 / you have this plan already")
    subscription = domain.subscribe(uuid4(), plan, citizen_id, parts.clock())
    await keep(tx, subscription)
    await give_month(tx, subscription, plan, month_of(subscription.created_at), parts.clock())
    return subscription


async def give_month(tx: AsyncConnection, subscription: Subscription, plan: Plan, month: str, now: datetime) -> None:
    """What a month gives and costs, once, whoever comes first."""
    lot = domain.lot_for(uuid4(), plan, subscription, month)
    if not await store.add_lot(tx, lot):
        return
    grant = ledger.entry(uuid4(), "grant", subscription, lot, lot.minutes, now)
    fee = ledger.entry(uuid4(), "fee", subscription, lot, lot.fee_krw, now)
    await enter(tx, subscription, [*grant, *fee])


async def renew(tx: AsyncConnection, parts: SpacesParts) -> int:
    """A new month of an active subscription. One at a time, for the locks."""
    now = parts.clock()
    id_ = await store.unrenewed(tx, month_of(now), now)
    subscription = None if id_ is None else await store.get(tx, id_, for_update=True)
    if subscription is None:
        return 0
    if subscription.state == "active":
        await give_month(tx, subscription, await plan_of(tx, subscription), month_of(now), now)
    return 1


async def expire(tx: AsyncConnection, parts: SpacesParts) -> int:
    """Lots whose time is over: what was left in them goes. One subscription at a time."""
    now = parts.clock()
    id_ = await store.expired(tx, now)
    subscription = None if id_ is None else await store.get(tx, id_, for_update=True)
    if subscription is None:
        return 0
    over = [f for f in await store.lots_of(tx, subscription.id) if f.lot.expires_at <= now]
    await _empty(tx, subscription, over, "expire", now)
    return 1


async def _empty(
    tx: AsyncConnection, subscription: Subscription, lots: Sequence[Filled], act: CreditAct, now: datetime
) -> None:
    lines = [
        line for f in lots for line in ledger.entry(uuid4(), act, subscription, f.lot, f.minutes, now)
    ]  # fmt: skip
    await enter(tx, subscription, lines)
    await store.close_lots(tx, [f.lot.id for f in lots])


async def pause(tx: AsyncConnection, id_: UUID, citizen_id: str, parts: SpacesParts) -> Subscription:
    subscription, _ = await locked(tx, id_, citizen_id)
    after = domain.pause(subscription, parts.clock())
    await keep(tx, after)
    return after


async def resume(tx: AsyncConnection, id_: UUID, citizen_id: str, parts: SpacesParts) -> Subscription:
    """Active again; what was good when the pause began is good for as many days longer."""
    subscription, plan = await locked(tx, id_, citizen_id)
    now = parts.clock()
    after, later = domain.resume(subscription, now, parts.settings.spaces_pause_most_days)
    await store.put_off(tx, after.id, subscription.paused_at or now, later)
    await keep(tx, after)
    await give_month(tx, after, plan, month_of(now), now)
    return after


async def end(tx: AsyncConnection, id_: UUID, citizen_id: str, reason: str, parts: SpacesParts) -> Subscription:
    """What is left goes back by the rule; bookings made stay."""
    subscription, _ = await locked(tx, id_, citizen_id)
    now = parts.clock()
    after = domain.end(subscription, reason, now)
    lots = [f for f in await store.lots_of(tx, subscription.id) if f.lot.expires_at > now]
    for filled in lots:
        back = domain.fee_back(filled.lot, filled.minutes, subscription, now, parts.settings.spaces_withdraw_days)
        lines = ledger.entry(uuid4(), "fee_refund", subscription, filled.lot, back, now, because=reason)
        await enter(tx, subscription, lines)
    await _empty(tx, subscription, lots, "withdraw", now)
    await keep(tx, after)
    return after


async def filled_for(
    tx: AsyncConnection, subscription: Subscription, plan: Plan, starts_at: datetime, now: datetime
) -> list[Filled]:
    """The lots that may pay for a booking; this month's and, for a booking in it, the next month's are given if need be."""
    if subscription.state == "active":
        await give_month(tx, subscription, plan, month_of(now), now)
        if month_of(starts_at) == month_after(month_of(now)):
            await give_month(tx, subscription, plan, month_of(starts_at), now)
    return await store.lots_of(tx, subscription.id)


async def check_pays(tx: AsyncConnection, booking: Booking, space: Space, parts: SpacesParts) -> list[Line]:
    """The entries that would pay for the booking; none for a seat. Raises Conflict or Refused where it may not."""
    if booking.subscription_id is None:
        return []
    now, (subscription, plan) = parts.clock(), await locked(tx, booking.subscription_id, booking.citizen_id)
    domain.expect(subscription, "active")
    if not domain.covers(plan, space):
        raise Refused("subscription_id", "not-covered", "이 구독으로 쓸 수 없는 공간입니다 / not covered by this plan")
    if plan.kind == "seat":
        if await store.seat_taken(tx, subscription.id, booking.id, booking.starts_at, booking.ends_at):
            raise Conflict("subscription_id", "seat-in-use", "같은 시간에 이미 쓰고 있습니다 / one booking at a time")
        await filled_for(tx, subscription, plan, booking.starts_at, now)
        return []
    lots = await filled_for(tx, subscription, plan, booking.starts_at, now)
    return ledger.spend(lots, booking.minutes, subscription, booking.id, booking.starts_at, now, uuid4)


async def charge(tx: AsyncConnection, booking: Booking, space: Space, parts: SpacesParts) -> int:
    """Pay for a booking that is being confirmed. Returns the minutes spent."""
    lines = await check_pays(tx, booking, space, parts)
    if lines and booking.subscription_id is not None:
        subscription, _ = await locked(tx, booking.subscription_id, booking.citizen_id)
        await enter(tx, subscription, lines)
    return sum(line.amount for line in lines if line.amount > 0)


async def refund(
    tx: AsyncConnection, booking: Booking, parts: SpacesParts, because: str | None, *, whole: bool
) -> None:
    """Minutes of a booking that does not take place: all where it is not the citizen's doing, else by the rule."""
    if not booking.credit_minutes or booking.subscription_id is None:
        return
    now, settings = parts.clock(), parts.settings
    rule = Refunds(settings.spaces_refund_full_h, settings.spaces_refund_half_h)
    minutes = booking.credit_minutes
    if not whole:
        minutes = domain.minutes_back(minutes, booking.starts_at, now, rule)
    subscription, _ = await locked(tx, booking.subscription_id, booking.citizen_id)
    spent, lots = await store.lines_of_booking(tx, booking.id), await store.lots_of(tx, subscription.id)
    await enter(tx, subscription, ledger.give_back(spent, lots, minutes, subscription, now, uuid4, because))
