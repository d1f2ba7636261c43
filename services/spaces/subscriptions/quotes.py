"""The quota, shown before it is used: what a time would cost, by money or by each subscription. Nothing is changed."""

from __future__ import annotations

from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.bookings import domain as rules
from services.spaces.bookings.domain import Booking, Wish
from services.spaces.bookings.engine import locked_space
from services.spaces.bookings.handlers import hold_on
from services.spaces.checkin.handlers import refuse_suspended
from services.spaces.facilities.domain import Space
from services.spaces.parts import SpacesParts
from services.spaces.subscriptions import store
from services.spaces.subscriptions.domain import Subscription
from services.spaces.subscriptions.handlers import check_pays, filled_for, plan_of
from services.spaces.subscriptions.ledger import usable
from services.spaces.subscriptions.models import Broken, QuoteOption, QuoteView
from shared.rules import Refused

MOST_OPTIONS = 20


def _broken(refused: Refused) -> Broken:
    return Broken(field=refused.field, rule=refused.rule, detail=refused.detail)


async def quote(tx: AsyncConnection, space_id: UUID, citizen_id: str, wish: Wish, parts: SpacesParts) -> QuoteView:
    """In a transaction that is rolled back: the engine itself is asked, and whatever it did for that is undone."""
    rules.check_years(wish.window)
    space, refused, booking = await locked_space(tx, space_id), None, None
    try:
        await refuse_suspended(tx, citizen_id, parts)
        booking = await hold_on(tx, space, citizen_id, wish, parts)
    except Refused as why:
        refused = _broken(why)
    if wish.window.ends_at <= wish.window.starts_at:
        return QuoteView(free=False, refused=refused, price_krw=0, options=[])
    if booking is None:
        price_krw = rules.price_of(space.terms, wish.window)
        booking = rules.hold(uuid4(), space, 0, citizen_id, wish, parts.clock(), 0, price_krw=price_krw)
    found = await store.mine(tx, citizen_id, None, MOST_OPTIONS)
    options = [await _option(tx, one, booking, space, parts) for one in found if one.state != "ended"]
    return QuoteView(free=refused is None, refused=refused, price_krw=booking.price_krw, options=options)


async def _option(
    tx: AsyncConnection, subscription: Subscription, booking: Booking, space: Space, parts: SpacesParts
) -> QuoteOption:
    now, plan, refused = parts.clock(), await plan_of(tx, subscription), None
    lots = usable(await filled_for(tx, subscription, plan, booking.starts_at, now), booking.starts_at, now)
    has = sum(filled.minutes for filled in lots)
    needs = booking.minutes if plan.kind == "hours" else 0
    try:
        await check_pays(tx, rules.paid_by(booking, subscription.id), space, parts)
    except Refused as why:
        refused = _broken(why)
    return QuoteOption(
        subscription_id=subscription.id, plan=plan.name, kind=plan.kind, needs_minutes=needs, has_minutes=has,
        left_minutes=max(0, has - needs), refused=refused,
    )  # fmt: skip
