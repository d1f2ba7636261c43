"""The daily budget (M6): never more than it says, never less than it could, and urgent ones keep their reserve."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.matching.digests.domain import Budget, Fresh, Told, affords, day_began, overflow
from tests.samples import NOW

BUDGETS = st.builds(Budget, st.integers(0, 6), st.integers(0, 3))
DAYS = st.lists(st.tuples(st.sampled_from(["하늘", "바다"]), st.booleans()), max_size=30)


def day_of(alerts: list[tuple[str, bool]]) -> list[Fresh]:
    return [Fresh(UUID(int=n), who, urgent, NOW + timedelta(seconds=n)) for n, (who, urgent) in enumerate(alerts)]


def told_of(fresh: list[Fresh], over: set[UUID]) -> dict[str, Told]:
    told: dict[str, Told] = {}
    for alert in fresh:
        if alert.id not in over:
            told[alert.citizen_id] = told.get(alert.citizen_id, Told()).and_one(alert.urgent)
    return told


@given(BUDGETS, DAYS)
def test_a_day_keeps_within_the_budget_and_wastes_none_of_it(budget: Budget, alerts: list[tuple[str, bool]]) -> None:
    fresh = day_of(alerts)
    over = overflow(budget, {}, fresh)
    for who in {alert.citizen_id for alert in fresh}:
        mine = [alert for alert in fresh if alert.citizen_id == who]
        told = told_of(mine, over).get(who, Told())
        ordinary, urgent = (sum(alert.urgent == kind for alert in mine) for kind in (False, True))
        assert told.ordinary <= budget.per_day
        assert told.ordinary + told.urgent <= budget.per_day + budget.urgent_reserve
        assert told.urgent >= min(urgent, budget.urgent_reserve), "the reserve is theirs"
        if not urgent:
            assert told.ordinary == min(ordinary, budget.per_day)
        if not ordinary:
            assert told.urgent == min(urgent, budget.per_day + budget.urgent_reserve)
        full = told.ordinary + max(0, told.urgent - budget.urgent_reserve) == budget.per_day
        assert full or not [alert for alert in mine if alert.id in over], "nothing is left over while there is room"


@given(BUDGETS, DAYS, st.integers(0, 30), st.randoms())
def test_batches_and_their_order_change_nothing(budget: Budget, alerts: list[tuple[str, bool]], cut: int, rng) -> None:  # type: ignore[no-untyped-def]
    fresh = day_of(alerts)
    whole = overflow(budget, {}, fresh)
    first, second = fresh[:cut], fresh[cut:]
    over = overflow(budget, {}, first)
    rng.shuffle(second)
    assert over | overflow(budget, told_of(first, over), second) == whole


def test_urgent_ones_use_their_reserve_first_and_the_budget_after() -> None:
    budget = Budget(2, 1)
    assert affords(budget, Told(2, 0), urgent=True)
    assert not affords(budget, Told(2, 1), urgent=True)
    assert affords(budget, Told(1, 1), urgent=True)
    assert affords(budget, Told(1, 1), urgent=False)
    assert not affords(budget, Told(1, 2), urgent=False)
    assert not affords(budget, Told(2, 0), urgent=False)


def test_a_day_begins_at_midnight_in_seoul() -> None:
    midnight = datetime(2026, 11, 22, 15, tzinfo=UTC)
    assert day_began(midnight) == midnight
    assert day_began(midnight - timedelta(microseconds=1)) == midnight - timedelta(days=1)
