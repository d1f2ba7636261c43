"""Entries of the credit ledger. Double entry: what one account gains another loses, so each entry sums to nothing. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.spaces.subscriptions.domain import Lot, Subscription
from shared.contracts.space import CreditAct, CreditsEntered
from shared.rules import Conflict


@dataclass(frozen=True)
class Line:
    """One account's part of an entry. Accounts: `lot:`, `used:`, `issued:`, `expired:`, `withdrawn:`, `owed:`, `income:`."""

    entry_id: UUID
    act: CreditAct
    account: str
    unit: str
    amount: int
    subscription_id: UUID
    lot_id: UUID | None
    month: str
    booking_id: UUID | None
    because: str | None
    entered_at: datetime


@dataclass(frozen=True)
class Filled:
    """A lot and what is left in it."""

    lot: Lot
    minutes: int


# From which account to which each act moves; {lot}, {sub} and {plan} are names.
_MOVES: dict[CreditAct, tuple[str, str, str]] = {
    "grant": ("minutes", "issued:{plan}", "lot:{lot}"),
    "spend": ("minutes", "lot:{lot}", "used:{sub}"),
    "refund": ("minutes", "used:{sub}", "lot:{lot}"),
    "expire": ("minutes", "lot:{lot}", "expired:{plan}"),
    "withdraw": ("minutes", "lot:{lot}", "withdrawn:{plan}"),
    "fee": ("krw", "income:{plan}", "owed:{sub}"),
    "fee_refund": ("krw", "owed:{sub}", "income:{plan}"),
}


def entry(
    id_: UUID, act: CreditAct, subscription: Subscription, lot: Lot, amount: int, now: datetime, *,
    booking_id: UUID | None = None, because: str | None = None,
) -> list[Line]:  # fmt: skip
    """The two lines of an act on one lot; none where nothing moves."""
    if amount == 0:
        return []
    unit, source, target = _MOVES[act]
    names = {"lot": lot.id, "sub": subscription.id, "plan": subscription.plan_id}
    line = Line(id_, act, "", unit, 0, subscription.id, lot.id, lot.month, booking_id, because, now)
    return [
        replace(line, account=source.format(**names), amount=-amount),
        replace(line, account=target.format(**names), amount=amount),
    ]


def usable(lots: Sequence[Filled], starts_at: datetime, now: datetime) -> list[Filled]:
    """Lots that can pay for a booking that begins then: the first to expire comes first."""
    good = [
        f for f in lots if f.minutes > 0 and f.lot.valid_from <= starts_at < f.lot.expires_at and f.lot.expires_at > now
    ]
    return sorted(good, key=lambda f: (f.lot.expires_at, f.lot.valid_from, f.lot.id))


def spend(
    lots: Sequence[Filled], minutes: int, subscription: Subscription, booking_id: UUID, starts_at: datetime,
    now: datetime, new_id: Callable[[], UUID],
) -> list[Line]:  # fmt: skip
    """The lines that pay for a booking. Raises Conflict where the minutes are not there."""
    lines: list[Line] = []
    left = minutes
    for filled in usable(lots, starts_at, now):
        part = min(left, filled.minutes)
        lines += entry(new_id(), "spend", subscription, filled.lot, part, now, booking_id=booking_id)
        left -= part
        if left == 0:
            return lines
    have = minutes - left
    raise Conflict("subscription_id", "quota", f"{minutes}분이 필요한데 {have}분 남았습니다 / not enough minutes left")


def give_back(
    spent: Sequence[Line], lots: Sequence[Filled], minutes: int, subscription: Subscription, now: datetime,
    new_id: Callable[[], UUID], because: str | None,
) -> list[Line]:  # fmt: skip
    """Minutes of a booking back into the lots that paid, the last paid first; what has expired since stays so."""
    by_id = {filled.lot.id: filled.lot for filled in lots}
    lines: list[Line] = []
    for line in reversed([line for line in spent if line.act == "spend" and line.amount < 0]):
        part = min(minutes, -line.amount)
        minutes -= part
        lot = by_id.get(line.lot_id) if line.lot_id is not None else None
        if lot is not None and not lot.closed and lot.expires_at > now:
            lines += entry(
                new_id(), "refund", subscription, lot, part, now, booking_id=line.booking_id, because=because
            )
    return lines


def as_events(lines: Sequence[Line], subscription: Subscription) -> list[CreditsEntered]:
    """One event per entry: what it did to the citizen's lots and to what they owe."""
    theirs = [line for line in lines if line.account.startswith(("lot:", "owed:"))]
    return [
        CreditsEntered(
            id=line.entry_id, subscription_id=line.subscription_id, institution=subscription.institution,
            citizen_id=subscription.citizen_id, act=line.act, month=line.month,
            minutes=line.amount if line.unit == "minutes" else 0, krw=line.amount if line.unit == "krw" else 0,
            booking_id=line.booking_id, because=line.because, entered_at=line.entered_at,
        )
        for line in theirs
    ]  # fmt: skip
