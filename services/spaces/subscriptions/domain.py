"""Plans, subscriptions and their months: what a month gives and costs, what ending one gives back. Pure; months are Korea's.

Rules: a first (or resumed) month is prorated by its days from that day on, minutes rounded up, won down to ten. Whoever ends
within seven days† having used nothing gets the month's fee back; else the smaller of what is left of the days and of the
minutes, down to ten won.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from math import ceil, floor
from typing import Any, Literal
from uuid import UUID

from services.spaces.facilities.domain import Space
from shared.clock import SEOUL
from shared.contracts.space import SubscriptionChanged, SubscriptionState
from shared.rules import Conflict, Refused

PlanKind = Literal["seat", "hours"]
TEN_WON = 10


@dataclass(frozen=True)
class Plan:
    """What an institution offers by the month. `hours`: so many minutes; `seat`: one booking at a time, as often as liked.

    Minutes that are left at the end of a month are good for `carry_months` more. No kinds and no spaces: all of both.
    """

    id: UUID
    institution: str
    name: str
    kind: PlanKind
    minutes: int
    price_krw: int
    carry_months: int
    space_kinds: tuple[str, ...]
    space_ids: tuple[UUID, ...]
    status: Literal["open", "closed"]
    version: int
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True)
class Subscription:
    """One citizen's subscription. `changed_at` is when its state last changed: from then on it is active, paused, ended."""

    id: UUID
    plan_id: UUID
    institution: str
    citizen_id: str
    version: int
    state: SubscriptionState
    paused_at: datetime | None
    paused_days: int
    ended_at: datetime | None
    because: str | None
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True)
class Lot:
    """What one month gave: good for bookings that begin from `valid_from` up to, not including, `expires_at`."""

    id: UUID
    subscription_id: UUID
    month: str
    minutes: int
    fee_krw: int
    valid_from: datetime
    expires_at: datetime
    closed: bool = False

    @property
    def account(self) -> str:
        return f"lot:{self.id}"


@dataclass(frozen=True)
class Refunds:
    """How long before the start a cancelled booking gives back everything, and half; both rims inside; settings."""

    full_h: float = 24.0
    half_h: float = 1.0


def month_of(moment: datetime) -> str:
    return f"{moment.astimezone(SEOUL):%Y-%m}"


def month_starts(month: str) -> datetime:
    return datetime.combine(date.fromisoformat(f"{month}-01"), time(), SEOUL)


def month_after(month: str, months: int = 1) -> str:
    year, of_year = divmod(int(month[:4]) * 12 + int(month[5:]) - 1 + months, 12)
    return f"{year:04}-{of_year + 1:02}"


def days_of(month: str) -> int:
    return monthrange(int(month[:4]), int(month[5:]))[1]


def check_plan(plan: Plan) -> Plan:
    """Raises Refused for a plan that gives nothing, or both."""
    if (plan.kind == "hours") != (plan.minutes > 0):
        raise Refused("minutes", "kind", "시간제는 분을, 좌석제는 0을 정합니다 / hours give minutes, seats none")
    return plan


def subscribe(id_: UUID, plan: Plan, citizen_id: str, now: datetime) -> Subscription:
    """Raises Conflict for a plan that is closed."""
    if plan.status == "closed":
        raise Conflict("plan_id", "closed", "더는 받지 않는 요금제입니다 / this plan is closed")
    return Subscription(id_, plan.id, plan.institution, citizen_id, 1, "active", None, 0, None, None, now, now)


def lot_for(id_: UUID, plan: Plan, subscription: Subscription, month: str) -> Lot:
    """What the month gives, prorated where the subscription became active within it."""
    starts = max(month_starts(month), subscription.changed_at)
    days, all_days = days_of(month), days_of(month)
    if month_of(subscription.changed_at) == month:
        days = all_days - subscription.changed_at.astimezone(SEOUL).day + 1
    minutes = ceil(plan.minutes * days / all_days)
    fee_krw = floor(plan.price_krw * days / all_days / TEN_WON) * TEN_WON
    expires_at = month_starts(month_after(month, 1 + plan.carry_months))
    return Lot(id_, subscription.id, month, minutes, fee_krw, starts, expires_at)


def covers(plan: Plan, space: Space) -> bool:
    """A plan is good at its own institution's spaces, of its kinds, among those it names."""
    named = not plan.space_ids or space.id in plan.space_ids
    return (
        plan.institution == space.institution
        and named
        and (not plan.space_kinds or space.terms.space_kind in plan.space_kinds)
    )


def pause(subscription: Subscription, now: datetime) -> Subscription:
    expect(subscription, "active")
    return moved(subscription, "paused", now, paused_at=now)


def resume(subscription: Subscription, now: datetime, most_days: int) -> tuple[Subscription, timedelta]:
    """Active again, and by how much what was left expires later: whole days begun, `most_days` in all at most."""
    expect(subscription, "paused")
    days = ceil((now - (subscription.paused_at or now)) / timedelta(days=1))
    counted = max(0, min(days, most_days - subscription.paused_days))
    after = moved(subscription, "active", now, paused_at=None, paused_days=subscription.paused_days + counted)
    return after, timedelta(days=counted)


def end(subscription: Subscription, reason: str, now: datetime) -> Subscription:
    expect(subscription, "active", "paused")
    return moved(subscription, "ended", now, ended_at=now, because=reason)


def moved(subscription: Subscription, state: SubscriptionState, now: datetime, **changed: Any) -> Subscription:
    return replace(subscription, state=state, version=subscription.version + 1, changed_at=now, **changed)


def expect(subscription: Subscription, *states: SubscriptionState) -> None:
    """Raises Conflict unless it is in one of the states."""
    if subscription.state not in states:
        raise Conflict("subscription_id", "not-now", f"구독 상태: {subscription.state} / not {' or '.join(states)}")


def fee_back(lot: Lot, left_minutes: int, subscription: Subscription, now: datetime, withdraw_days: float) -> int:
    """What of a lot's fee an ending gives back, in won."""
    untouched = left_minutes == lot.minutes
    if now < lot.valid_from or (untouched and now - subscription.created_at <= timedelta(days=withdraw_days)):
        return lot.fee_krw
    if month_of(now) != lot.month:
        return 0
    days = days_of(lot.month)
    parts = [(days - now.astimezone(SEOUL).day) / days]
    if lot.minutes:
        parts.append(left_minutes / lot.minutes)
    return floor(lot.fee_krw * min(parts) / TEN_WON) * TEN_WON


def minutes_back(minutes: int, starts_at: datetime, now: datetime, rule: Refunds) -> int:
    """What a cancelled booking gives back of its minutes: all, half rounded down, or nothing."""
    before = starts_at - now
    if before >= timedelta(hours=rule.full_h):
        return minutes
    return minutes // 2 if before >= timedelta(hours=rule.half_h) else 0


def as_event(subscription: Subscription) -> SubscriptionChanged:
    return SubscriptionChanged(
        id=subscription.id, plan_id=subscription.plan_id, institution=subscription.institution,
        citizen_id=subscription.citizen_id, version=subscription.version, state=subscription.state,
        changed_at=subscription.changed_at,
    )  # fmt: skip
