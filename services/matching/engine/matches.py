"""Who is to be told of what, as a table: the engine's output and the alerts' input."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from services.matching.engine.tables import Rows
from shared.contracts.alert import Cause, Rule

MATCH = np.dtype(
    [
        ("citizen", np.int64),
        ("posting", np.int64),
        ("metres", np.float64),  # -1 where no radius was the reason
        ("fix", np.int64),  # index in the batch of fixes, or -1
        ("rule", np.int8),
        ("cause", np.int8),
    ],
    align=True,
)
CAUSES: tuple[Cause, ...] = ("citizen_moved", "posting_changed", "watch_changed", "window_began", "caught_up")
WITHIN_RADIUS, IN_DONG, HOME_DONG, FOLLOWING = 0, 1, 2, 3
RULES: tuple[Rule, ...] = ("within_radius", "in_dong", "home_dong", "following")
NOBODY: Rows = np.zeros(0, MATCH)


class Match(NamedTuple):
    """A citizen to be told of a posting. `distance_m` is None unless within a radius; `fix` is the index in the batch, or -1."""

    citizen: int
    posting: int
    distance_m: float | None
    cause: Cause
    fix: int
    rule: Rule


def joined(parts: Iterable[Rows]) -> Rows:
    """In order, as one table."""
    found = [part for part in parts if len(part)]
    return found[0] if len(found) == 1 else np.concatenate(found) if found else NOBODY


def named(matches: Rows) -> list[Match]:
    """As objects, where they are few."""
    return [
        Match(citizen, posting, None if metres < 0 else metres, CAUSES[cause], fix, RULES[rule])
        for citizen, posting, metres, fix, rule, cause in matches.tolist()
    ]
