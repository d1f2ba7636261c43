"""What the API of plans and subscriptions takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import Row

from services.spaces.bookings.models import People
from services.spaces.facilities.domain import SpaceKind
from services.spaces.subscriptions.domain import Plan, PlanKind, Subscription
from services.spaces.subscriptions.ledger import Filled
from shared.contracts.space import CreditAct, SubscriptionState
from shared.offers.models import Krw
from shared.web.bodies import Body, Edit, Moment, Number

Name = Annotated[str, StringConstraints(min_length=2, max_length=100, strip_whitespace=True)]
Minutes = Annotated[int, Field(ge=0, le=60_000, description="minutes a month; 0 for a seat"), Number]
Carry = Annotated[int, Field(ge=0, le=12, description="months that what is left is good for beyond its own"), Number]
Kinds = Annotated[tuple[SpaceKind, ...], Field(max_length=3, description="none: every kind")]
Ids = Annotated[tuple[UUID, ...], Field(max_length=200, description="none: every space of the institution")]


class PlanBody(Body):
    """A new plan of the officer's institution."""

    name: Name
    kind: PlanKind
    minutes: Minutes = 0
    price_krw: Krw = 0
    carry_months: Carry = 0
    space_kinds: Kinds = ()
    space_ids: Ids = ()


class PlanEdit(Edit):
    """Only what is to change; from the next month on."""

    name: Name | None = None
    minutes: Minutes | None = None
    price_krw: Krw | None = None
    carry_months: Carry | None = None
    space_kinds: Kinds | None = None
    space_ids: Ids | None = None


class PlanView(BaseModel):
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

    @classmethod
    def of(cls, plan: Plan) -> PlanView:
        return cls(**{name: getattr(plan, name) for name in cls.model_fields})


class LotView(BaseModel):
    """What is left of a month's minutes, and until when it is good."""

    month: str
    minutes: int
    left_minutes: int
    valid_from: datetime
    expires_at: datetime

    @classmethod
    def of(cls, filled: Filled) -> LotView:
        same = {name: getattr(filled.lot, name) for name in cls.model_fields if name != "left_minutes"}
        return cls(**same, left_minutes=filled.minutes)


class SubscriptionView(BaseModel):
    """A subscription of one's own; `left_minutes` is what all its lots hold now."""

    id: UUID
    plan_id: UUID
    institution: str
    version: int
    state: SubscriptionState
    paused_at: datetime | None
    paused_days: int
    ended_at: datetime | None
    because: str | None
    created_at: datetime
    changed_at: datetime
    lots: list[LotView]
    left_minutes: int
    owed_krw: int

    @classmethod
    def of(cls, subscription: Subscription, lots: list[Filled], owed_krw: int, now: datetime) -> SubscriptionView:
        own = {name: getattr(subscription, name) for name in cls.model_fields if hasattr(subscription, name)}
        good = [filled for filled in lots if filled.lot.expires_at > now]
        left = sum(filled.minutes for filled in good)
        return cls(**own, lots=[LotView.of(filled) for filled in good], left_minutes=left, owed_krw=owed_krw)


class LineView(BaseModel):
    """One entry of the ledger, from the citizen's side: minutes gained or spent, won owed or given back."""

    act: CreditAct
    month: str
    minutes: int
    krw: int
    booking_id: UUID | None
    because: str | None
    entered_at: datetime

    @classmethod
    def of(cls, row: Row[Any]) -> LineView:
        minutes, krw = (row.amount, 0) if row.unit == "minutes" else (0, row.amount)
        return cls(
            act=row.act, month=row.month, minutes=minutes, krw=krw, booking_id=row.booking_id, because=row.because,
            entered_at=row.entered_at,
        )  # fmt: skip


class QuoteQuery(Body):
    """A time that is thought of."""

    starts_at: Moment
    ends_at: Moment
    people: People = 1


class Broken(BaseModel):
    field: str
    rule: str
    detail: str


class QuoteOption(BaseModel):
    """A subscription that could pay: what it has for that time, what would be left; or why it may not."""

    subscription_id: UUID
    plan: str
    kind: PlanKind
    needs_minutes: int
    has_minutes: int
    left_minutes: int
    refused: Broken | None


class QuoteView(BaseModel):
    """What a booking would cost, before anything is booked. `refused` is what stands against it, if anything."""

    free: bool
    refused: Broken | None
    price_krw: int
    options: list[QuoteOption]
