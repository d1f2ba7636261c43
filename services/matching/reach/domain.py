"""How many a posting reached, without telling of few (N5): small counts are hidden, and so that no sum gives them away. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Stage = Literal["alerted", "delivered", "opened", "acted"]
STAGES: tuple[Stage, ...] = ("alerted", "delivered", "opened", "acted")
Shown = dict[Stage, int | None]


@dataclass(frozen=True)
class Counted:
    """Citizens at each stage, each of them counted in one 동 only: the sum over the 동 is the total."""

    dong: str | None
    at: dict[Stage, int]


@dataclass(frozen=True)
class Reach:
    """What an officer may see; None is hidden."""

    total: Shown
    dongs: list[tuple[str | None, Shown]]


def shown(counted: Sequence[Counted], least: int) -> Reach:
    """Each stage by itself: the total, and the 동 as far as they tell of nobody singly."""
    total: Shown = {}
    dongs: list[tuple[str | None, Shown]] = [(row.dong, {}) for row in counted]
    for stage in STAGES:
        values = [row.at[stage] for row in counted]
        whole = sum(values)
        total[stage] = whole if whole >= least else None
        hide = hidden(values, least)
        for nth, (_, of_dong) in enumerate(dongs):
            of_dong[stage] = None if nth in hide else values[nth]
    return Reach(total, dongs)


def hidden(values: Sequence[int], least: int) -> set[int]:
    """What is under `least`; and the next smallest too, until what is hidden is at least two that sum up to `least`.

    Otherwise the total less what is shown would tell what is hidden, or that it is few.
    """
    hide = {nth for nth, value in enumerate(values) if value < least}
    rest = sorted(set(range(len(values))) - hide, key=lambda nth: values[nth])
    while hide and rest and (len(hide) == 1 or sum(values[nth] for nth in hide) < least):
        hide.add(rest.pop(0))
    return hide


@dataclass(frozen=True)
class Preview:
    """How many residents a target would reach; None is hidden. Shown counts are rounded down to a step."""

    total: int | None
    dongs: list[tuple[str | None, int | None]]


def previewed(counted: Sequence[tuple[str | None, int]], least: int) -> Preview:
    """Counts by 동, small ones hidden and none that a sum would tell, rounded down to multiples of `least`.

    Rounded, because a preview can be asked again for a slightly other circle: the difference of two exact counts would be
    one person, and where the circles differ is where that person stands (M10).
    """
    values = [count for _, count in counted]
    hide, whole = hidden(values, least), sum(values)
    dongs = [(dong, None if nth in hide else count - count % least) for nth, (dong, count) in enumerate(counted)]
    return Preview(whole - whole % least if whole >= least else None, dongs)
