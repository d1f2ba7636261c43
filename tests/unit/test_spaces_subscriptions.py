"""Months, proration, refunds and the double entry, as pure functions."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.spaces.subscriptions import domain, ledger
from services.spaces.subscriptions.domain import Lot, Plan, Refunds, Subscription
from services.spaces.subscriptions.ledger import Filled, Line
from shared.clock import SEOUL
from shared.rules import Conflict, Refused

ID = UUID(int=5)


def at(month: int, day: int, hour: int = 10, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, tzinfo=SEOUL)


def plan(**changed: Any) -> Plan:
    fields: dict[str, Any] = {
        "id": ID, "institution": "수완동", "name": "20시간", "kind": "hours", "minutes": 1_200, "price_krw": 30_000,
        "carry_months": 0, "space_kinds": (), "space_ids": (), "status": "open", "version": 1,
        "created_at": at(1, 1), "changed_at": at(1, 1),
    }  # fmt: skip
    return Plan(**{**fields, **changed})


def subscribed(since: datetime) -> Subscription:
    return domain.subscribe(ID, plan(), "citizen:하늘", since)


@pytest.mark.parametrize(
    ("since", "minutes", "fee_krw"),
    [
        (at(11, 1, 0), 1_200, 30_000),
        (at(11, 16), 600, 15_000),
        (at(11, 30, 23), 40, 1_000),
        (at(2, 15), 600, 15_000),
        (at(1, 2), 1_162, 29_030),
    ],
)
def test_the_first_month_is_prorated_by_its_days(since: datetime, minutes: int, fee_krw: int) -> None:
    lot = domain.lot_for(ID, plan(), subscribed(since), domain.month_of(since))
    assert (lot.minutes, lot.fee_krw, lot.valid_from) == (minutes, fee_krw, since)


def test_later_months_are_whole_and_expire_at_their_end_in_seoul_or_as_many_months_later() -> None:
    lot = domain.lot_for(ID, plan(), subscribed(at(11, 16)), "2026-12")
    assert (lot.minutes, lot.valid_from, lot.expires_at) == (1_200, at(12, 1, 0), at(1, 1, 0, 2027))
    carried = domain.lot_for(ID, plan(carry_months=2), subscribed(at(11, 16)), "2026-12")
    assert carried.expires_at == at(3, 1, 0, 2027)


def test_a_month_begins_at_midnight_in_seoul() -> None:
    assert domain.month_of(datetime.fromisoformat("2026-10-31T15:00:00+00:00")) == "2026-11"
    assert domain.month_of(datetime.fromisoformat("2026-10-31T14:59:59+00:00")) == "2026-10"


@given(st.integers(2000, 2100), st.integers(1, 12), st.integers(0, 60))
def test_months_follow_one_another(year: int, month: int, months: int) -> None:
    moved = domain.month_after(f"{year}-{month:02}", months)
    assert int(moved[:4]) * 12 + int(moved[5:]) == year * 12 + month + months
    assert domain.month_of(domain.month_starts(moved)) == moved


@pytest.mark.parametrize(("hours_before", "back"), [(24, 90), (23.99, 45), (1, 45), (0.99, 0), (-1, 0)])
def test_a_cancelled_booking_gives_back_by_how_long_before(hours_before: float, back: int) -> None:
    start = at(11, 20)
    assert domain.minutes_back(90, start, start - timedelta(hours=hours_before), Refunds()) == back


def test_an_ending_gives_back_the_smaller_of_days_and_minutes_and_all_where_nothing_was_used() -> None:
    one = subscribed(at(10, 1))
    lot = Lot(ID, ID, "2026-11", 1_200, 30_000, at(11, 1, 0), at(12, 1, 0))
    assert domain.fee_back(lot, 1_200, one, at(11, 15), 7) == 15_000
    assert domain.fee_back(lot, 300, one, at(11, 15), 7) == 7_500
    assert domain.fee_back(lot, 0, one, at(11, 2), 7) == 0
    new = subscribed(at(11, 10))
    assert domain.fee_back(lot, 1_200, new, at(11, 17), 7) == 30_000
    assert domain.fee_back(lot, 1_199, new, at(11, 17), 7) < 30_000
    later = Lot(ID, ID, "2026-12", 1_200, 30_000, at(12, 1, 0), at(1, 1, 0, 2027))
    assert domain.fee_back(later, 900, one, at(11, 15), 7) == 30_000


def test_a_pause_counts_days_begun_up_to_the_most() -> None:
    paused = domain.pause(subscribed(at(1, 1)), at(2, 1))
    after, later = domain.resume(paused, at(2, 11, 11), 90)
    assert (after.state, after.paused_days, later) == ("active", 11, timedelta(days=11))
    again, later = domain.resume(domain.pause(after, at(3, 1)), at(9, 1), 90)
    assert (again.paused_days, later) == (90, timedelta(days=79))
    with pytest.raises(Conflict):
        domain.resume(again, at(9, 2), 90)


def test_a_plan_gives_minutes_or_a_seat() -> None:
    for wrong in (plan(minutes=0), plan(kind="seat")):
        with pytest.raises(Refused):
            domain.check_plan(wrong)
    assert domain.check_plan(plan(kind="seat", minutes=0)).kind == "seat"


def lots(*left: int) -> list[Filled]:
    return [
        Filled(Lot(UUID(int=n), ID, f"2026-{n:02}", 1_200, 0, at(n, 1, 0), at(n + 1, 1, 0)), minutes)
        for n, minutes in enumerate(left, 1)
    ]


def test_the_first_to_expire_is_spent_first_and_only_what_is_good_for_the_start() -> None:
    both = [
        Filled(Lot(UUID(int=1), ID, "2026-10", 1_200, 0, at(10, 1, 0), at(12, 1, 0)), 50),
        Filled(Lot(UUID(int=2), ID, "2026-11", 1_200, 0, at(11, 1, 0), at(1, 1, 0, 2027)), 100),
    ]
    lines = ledger.spend(both, 120, subscribed(at(1, 1)), ID, at(11, 20), at(11, 10), uuid4)
    assert [(line.lot_id, line.amount) for line in lines if line.amount < 0] == [(UUID(int=1), -50), (UUID(int=2), -70)]
    with pytest.raises(Conflict) as refused:
        ledger.spend(both, 120, subscribed(at(1, 1)), ID, at(12, 2), at(11, 10), uuid4)
    assert refused.value.rule == "quota"


def sums(lines: list[Line]) -> dict[tuple[UUID, str], int]:
    found: dict[tuple[UUID, str], int] = defaultdict(int)
    for line in lines:
        found[line.entry_id, line.unit] += line.amount
    return found


@given(st.lists(st.integers(0, 500), min_size=1, max_size=5), st.integers(1, 2_000), st.integers(0, 2_500))
def test_what_is_spent_and_given_back_always_sums_to_nothing(left: list[int], wanted: int, back: int) -> None:
    one, start = subscribed(at(1, 1)), at(len(left), 10)
    filled = [
        Filled(Lot(UUID(int=n), ID, f"2026-{n:02}", 500, 0, at(1, 1, 0), at(12, 1, 0)), m)
        for n, m in enumerate(left, 1)
    ]
    try:
        spent = ledger.spend(filled, wanted, one, ID, start, start, uuid4)
    except Conflict:
        assert sum(left) < wanted
        return
    assert sum(line.amount for line in spent if line.account.startswith("lot:")) == -wanted
    given_back = ledger.give_back(spent, filled, back, one, start, uuid4, None)
    assert sum(line.amount for line in given_back if line.amount > 0) == min(back, wanted)
    assert set(sums([*spent, *given_back]).values()) <= {0}
    by_lot: dict[str, int] = defaultdict(int)
    for line in [*spent, *given_back]:
        by_lot[line.account] += line.amount
    assert all(by_lot[f.lot.account] + f.minutes >= 0 for f in filled)
