"""No small count can be worked out: not from the sum of its period, nor from any version before or after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.notices.statistics.disclosure import entries_of
from services.notices.statistics.domain import TOTAL, Entry, Figure, state_of
from tests.onlookers import Onlooker

LEAST = 5
PERIOD = "2026-03"
GROUPS = ("가", "나", "다", "라")
Version = Mapping[str, int]

values = st.one_of(st.integers(0, 6), st.integers(0, 14))


@st.composite
def histories(draw: Any, versions: int = 5) -> list[dict[str, int]]:
    """Versions of one period, each a correction of the one before: some groups change, come or go; a sum may be given."""
    current = draw(st.dictionaries(st.sampled_from(GROUPS), values, min_size=1, max_size=4))
    history = [with_sum(draw, current, None)]
    for _ in range(draw(st.integers(0, versions - 1))):
        current = {group: value for group, value in current.items() if group}
        for group in draw(st.sets(st.sampled_from(GROUPS), min_size=1, max_size=3)):
            change = draw(st.one_of(values, st.sampled_from(["gone", "back", "moved"])))
            current = changed(draw, current, history, group, change)
        history.append(with_sum(draw, current or {"가": 9}, history[-1].get(TOTAL)))
    return history


def changed(
    draw: Any, current: dict[str, int], history: list[dict[str, int]], group: str, change: Any
) -> dict[str, int]:
    if change == "gone":
        return {name: value for name, value in current.items() if name != group}
    if change == "back":
        return {**current, group: draw(st.sampled_from([v[group] for v in history if group in v] or [5]))}
    if change == "moved":  # from one group to another: the sum stays
        other = draw(st.sampled_from(GROUPS))
        some = draw(st.integers(0, current.get(group, 0)))
        if group in current and other in current:
            return {**current, group: current[group] - some, other: current[other] + some}
        return current
    return {**current, group: change}


def with_sum(draw: Any, groups: dict[str, int], before: int | None) -> dict[str, int]:
    """The sum is left to be made, or given: that of the groups, more than that, or what it was."""
    least = sum(groups.values())
    how = draw(st.sampled_from(["made", "given", "more", "stays"]))
    if how == "stays" and before is not None and before >= least:
        return {**groups, TOTAL: before}
    if how == "more":
        return {**groups, TOTAL: least + draw(st.integers(0, 7))}
    return {**groups, **({TOTAL: least} if how == "given" else {})}


def published(versions: Sequence[Version], least: int = LEAST) -> list[tuple[dict[str, Entry], int]]:
    """(what stands, its number) after each version."""
    history: list[Entry] = []
    told = []
    for number, version in enumerate(versions, start=1):
        figures = {(PERIOD, group): Figure(PERIOD, group, Decimal(value)) for group, value in version.items()}
        history += entries_of(history, figures, "count", least, number)
        told.append(({group: entry for (_, group), entry in state_of(history).items()}, number))
    return told


def watched(versions: Sequence[Version], least: int = LEAST) -> Onlooker:
    onlooker = Onlooker()
    for state, _ in published(versions, least):
        truth = {group: int(entry.value or 0) for group, entry in state.items()}
        shown = {group: int(entry.value or 0) if entry.shown else None for group, entry in state.items()}
        total, shown_total = truth.pop(TOTAL), shown.pop(TOTAL)
        onlooker.sees(truth, total, shown, shown_total)
    return onlooker


def small_ones(onlooker: Onlooker, least: int = LEAST) -> list[tuple[str, int]]:
    return [variable for variable, value in onlooker.true.items() if value < least and variable not in onlooker.known]


def given_away(versions: Sequence[Version], least: int = LEAST) -> list[tuple[str, int]]:
    """Small figures that everything published together tells."""
    onlooker = watched(versions, least)
    return [variable for variable in small_ones(onlooker, least) if onlooker.knows(variable)]


@settings(max_examples=1_500, deadline=None)
@given(histories())
def test_nothing_that_was_ever_published_tells_a_small_count(versions: list[dict[str, int]]) -> None:
    assert given_away(versions) == []


@settings(max_examples=700, deadline=None)
@given(histories(), st.integers(1, 8))
def test_each_small_count_may_be_anything_below_the_limit(versions: list[dict[str, int]], least: int) -> None:
    """More than that none is told: nor is any narrowed down by how sums moved."""
    onlooker = watched(versions, least)
    narrowed = [
        (variable, value)
        for variable in small_ones(onlooker, least)
        for value in range(least)
        if not onlooker.could_be(variable, value)
    ]
    assert narrowed == []


@settings(max_examples=500, deadline=None)
@given(histories(), st.integers(1, 8))
def test_nor_with_another_limit(versions: list[dict[str, int]], least: int) -> None:
    assert given_away(versions, least) == []


@settings(max_examples=500, deadline=None)
@given(histories())
def test_no_count_under_the_limit_is_ever_shown(versions: list[dict[str, int]]) -> None:
    shown = [entry for state, _ in published(versions) for entry in state.values() if entry.shown]
    assert [entry for entry in shown if entry.value is not None and entry.value < LEAST] == []


@settings(max_examples=500, deadline=None)
@given(st.dictionaries(st.sampled_from(GROUPS), st.integers(0, 30), min_size=1, max_size=4), st.integers(1, 8))
def test_where_the_sum_is_shown_a_small_count_may_be_anything_below_the_limit_even_for_who_knows_the_rules(
    groups: dict[str, int], least: int
) -> None:
    ((state, _),) = published([groups], least)
    total = state.pop(TOTAL)
    hidden = [int(entry.value or 0) for entry in state.values() if not entry.shown]
    if not hidden or not total.shown:
        return
    others = len(hidden) - 1
    for small in range(least):  # one of the others is at the limit or above; they share what is left
        assert others >= 1
        assert sum(hidden) - small >= least
    assert max(hidden) >= least


def test_the_rim_of_how_much_is_hidden_together_is_inside() -> None:
    (below,), (at,) = shown_of({"가": 20, "나": 5, "다": 3, "라": 0}), shown_of({"가": 5, "나": 4})
    assert below == {"가": None, "나": 5, "다": None, "라": None, TOTAL: 28}
    assert at == {"가": None, "나": None, TOTAL: 9}
    assert shown_of({"가": 5, "나": 3}) == [{"가": 5, "나": None, TOTAL: None}]


def naive(versions: Sequence[Version]) -> Onlooker:
    """As many do it: small counts hidden, the next larger one with them, each version for itself."""
    onlooker = Onlooker()
    for version in versions:
        hidden = {group for group, value in version.items() if value < LEAST}
        if len(hidden) == 1:
            hidden |= {min(version.keys() - hidden, key=lambda group: version[group])}
        shown = {group: None if group in hidden else value for group, value in version.items()}
        onlooker.sees(version, sum(version.values()), shown, sum(version.values()))
    return onlooker


@pytest.mark.parametrize(
    ("versions", "first"),
    [
        ([{"가": 10, "나": 7, "다": 6}, {"가": 10, "나": 7, "다": 3}], "what it was before tells what it is"),
        ([{"가": 10, "나": 7, "다": 3}, {"가": 10, "나": 7, "다": 8}], "what it is tells what it was"),
        ([{"가": 20, "나": 0, "다": 0}], "two that are nothing"),
    ],
)
def test_the_onlooker_does_find_out_where_each_version_is_hidden_for_itself(
    versions: list[Version], first: str
) -> None:
    onlooker = naive(versions)
    assert any(onlooker.knows(variable) for variable in small_ones(onlooker)), first
    assert given_away(versions) == []


def shown_of(*versions: Version) -> list[dict[str, int | None]]:
    return [
        {group: int(entry.value or 0) if entry.shown else None for group, entry in state.items()}
        for state, _ in published(versions)
    ]


def test_a_correction_of_what_is_shown_moves_the_sum_and_one_of_what_is_hidden_hides_it() -> None:
    first, second, third, fourth = shown_of(
        {"가": 30, "나": 9, "다": 3},
        {"가": 31, "나": 9, "다": 3},
        {"가": 31, "나": 9, "다": 4},
        {"가": 31, "나": 8, "다": 2},
    )
    assert first == {"가": None, "나": 9, "다": None, TOTAL: 42}
    assert second == {"가": 31, "나": 9, "다": None, TOTAL: None}, "what was hidden beside it changed"
    assert third == {"가": 31, "나": 9, "다": None, TOTAL: None}
    assert fourth == {"가": 31, "나": None, "다": None, TOTAL: 41} or fourth[TOTAL] is None


def test_a_sum_that_was_hidden_stays_so_until_all_that_is_hidden_has_changed() -> None:
    """11 and then 12 beside the same unknown would tell by how much the other moved."""
    told = shown_of(
        {"가": 8, "나": 9, "다": 3},
        {"가": 8, "나": 9, "다": 4},
        {"가": 8, "나": 10, "다": 4},
        {"가": 6, "나": 10, "다": 4},
    )
    assert [version[TOTAL] for version in told] == [20, None, None, None]
    assert [version["나"] for version in told] == [9, 9, 10, 10]


def test_the_same_group_is_hidden_in_every_period_where_that_is_enough() -> None:
    figures = {}
    for month, (a, b, c) in enumerate([(50, 12, 3), (60, 14, 30), (70, 2, 40), (80, 22, 4)], start=1):
        for group, value in (("가", a), ("나", b), ("다", c)):
            figures[f"2026-0{month}", group] = Figure(f"2026-0{month}", group, Decimal(value))
    state = state_of(entries_of([], figures, "count", LEAST, 1))
    hidden = {key for key, entry in state.items() if not entry.shown}
    assert hidden == {("2026-01", "나"), ("2026-01", "다"), ("2026-03", "나"), ("2026-03", "다"), ("2026-04", "나"),
                      ("2026-04", "다")}  # fmt: skip


def test_what_is_not_a_count_is_shown() -> None:
    figures = {(PERIOD, "가"): Figure(PERIOD, "가", Decimal("1.5"))}
    (entry,) = entries_of([], figures, "number", LEAST, 1)
    assert entry.shown
    assert entry.group == "가"
