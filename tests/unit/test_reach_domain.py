"""Small counts are hidden, and no sum gives them away."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.matching.reach.domain import STAGES, Counted, hidden, shown

LEAST = 5
COUNTS = st.lists(st.integers(0, 40), max_size=8)


def counted(values: list[int]) -> list[Counted]:
    return [Counted(f"{nth}동", dict.fromkeys(STAGES, value)) for nth, value in enumerate(values)]


@given(COUNTS)
def test_no_count_under_the_least_can_be_worked_out(values: list[int]) -> None:
    reach = shown(counted(values), LEAST)
    for stage in STAGES:
        told = [at[stage] for _, at in reach.dongs]
        assert all(value is None or value >= LEAST for value in [*told, reach.total[stage]])
        total = reach.total[stage]
        if total is not None and None in told:
            left = total - sum(value for value in told if value is not None)
            assert told.count(None) >= 2, "a single hidden count is the total less the others"
            assert left >= LEAST, "the sum of what is hidden is itself told"


@given(COUNTS)
def test_no_more_is_hidden_than_must_be(values: list[int]) -> None:
    hide = hidden(values, LEAST)
    small = [value for value in values if value < LEAST]
    assert not hide if not small else len(hide) <= len(small) + 1 or sum(small) < LEAST
    assert {nth for nth, value in enumerate(values) if value < LEAST} <= hide


def test_examples() -> None:
    assert hidden([], LEAST) == set()
    assert hidden([5, 9], LEAST) == set()
    assert hidden([4, 9, 7], LEAST) == {0, 2}
    assert hidden([1, 2, 30, 9], LEAST) == {0, 1, 3}
    assert hidden([3, 3, 30], LEAST) == {0, 1}
    assert hidden([0], LEAST) == {0}
    assert shown([], LEAST).total == dict.fromkeys(STAGES)
