"""`space-bookings.v1`: what becomes of a space after it was opened – booked, waited for, subscribed to, not come to."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from shared.contracts.base import DAY_MS, CitizenId, Event, Line, Topic
from shared.contracts.job import Because, Month

SPACE_BOOKINGS = Topic(
    name="space-bookings.v1",
    partitions=8,
    key="space id; of subscriptions, credits and penalties: citizen id",
    owners=("spaces",),
    consumers=(),
    retention_ms=30 * DAY_MS,
    external=True,
    description="Every state change of bookings, waiting lines, subscriptions, credits and penalties. At least once: "
    "dedupe by event id.",
)

BookingState = Literal[
    "held", "pending", "confirmed", "in_use", "done", "expired", "rejected", "cancelled", "no_show"
]  # fmt: skip
WaitingState = Literal["waiting", "offered", "taken", "lapsed", "left", "over"]
SubscriptionState = Literal["active", "paused", "ended"]
CreditAct = Literal["grant", "spend", "refund", "expire", "withdraw", "fee", "fee_refund"]


class BookingChanged(Event):
    """A citizen's booking in its whole present state. `unit` is the number of the desk or seat within its space."""

    TYPE: ClassVar[str] = "kr.gwangsan.space-booking.v1"
    TOPIC: ClassVar[str] = SPACE_BOOKINGS.name

    id: UUID
    space_id: UUID
    institution: Line
    citizen_id: CitizenId
    version: int = Field(ge=1)
    state: BookingState
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    hold_until: AwareDatetime | None = None
    people: int = Field(default=1, ge=1)
    series_id: UUID | None = None
    because: Because | None = None
    changed_at: AwareDatetime

    def topic_key(self) -> str:
        return str(self.space_id)


class WaitingChanged(Event):
    """Somebody waits for a time that is taken; an offer names the booking that is held for them until `offered_until`."""

    TYPE: ClassVar[str] = "kr.gwangsan.space-waiting.v1"
    TOPIC: ClassVar[str] = SPACE_BOOKINGS.name

    id: UUID
    space_id: UUID
    institution: Line
    citizen_id: CitizenId
    version: int = Field(ge=1)
    state: WaitingState
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    booking_id: UUID | None = None
    offered_until: AwareDatetime | None = None
    changed_at: AwareDatetime

    def topic_key(self) -> str:
        return str(self.space_id)


class PenaltyChanged(Event):
    """A penalty point, given or waived; `suspended_until` is set while it and those before keep the citizen from booking."""

    TYPE: ClassVar[str] = "kr.gwangsan.space-penalty.v1"
    TOPIC: ClassVar[str] = SPACE_BOOKINGS.name

    id: UUID
    citizen_id: CitizenId
    booking_id: UUID
    institution: Line
    state: Literal["given", "waived"]
    live_points: int = Field(ge=0)
    suspended_until: AwareDatetime | None = None
    lapses_at: AwareDatetime
    because: Because | None = None
    changed_at: AwareDatetime

    def topic_key(self) -> str:
        return self.citizen_id


class SubscriptionChanged(Event):
    """A citizen's subscription to a plan, in its whole present state."""

    TYPE: ClassVar[str] = "kr.gwangsan.space-subscription.v1"
    TOPIC: ClassVar[str] = SPACE_BOOKINGS.name

    id: UUID
    plan_id: UUID
    institution: Line
    citizen_id: CitizenId
    version: int = Field(ge=1)
    state: SubscriptionState
    changed_at: AwareDatetime

    def topic_key(self) -> str:
        return self.citizen_id


class CreditsEntered(Event):
    """One entry of the credit ledger, never changed again: what it did to the citizen's minutes and to what they owe."""

    TYPE: ClassVar[str] = "kr.gwangsan.space-credits.v1"
    TOPIC: ClassVar[str] = SPACE_BOOKINGS.name

    id: UUID
    subscription_id: UUID
    institution: Line
    citizen_id: CitizenId
    act: CreditAct
    month: Month
    minutes: int = 0
    krw: int = 0
    booking_id: UUID | None = None
    because: Because | None = None
    entered_at: AwareDatetime

    def topic_key(self) -> str:
        return self.citizen_id


SPACE_EVENTS: tuple[type[Event], ...] = (
    BookingChanged, WaitingChanged, PenaltyChanged, SubscriptionChanged, CreditsEntered,
)  # fmt: skip
