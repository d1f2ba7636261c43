"""The places of the fan-out: 100,000 citizens with one fix each, a posting in the middle of the densest crowd, and 200 others.

Drawn as in workload.py, but in an order of the random numbers of its own, which gives the one posting 1,076 citizens and the others
116,097.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.bench.workload import (
    CLUSTERS,
    EAST,
    M_PER_DEGREE,
    NORTH,
    RADIUS_M,
    SOUTH,
    WEST,
    Floats,
    Spec,
    Workload,
    distance_m,
)

SPEC = Spec(0, 100_000, 100_000, once=True)
BURST = 200
EDGE = 0.01


@dataclass(frozen=True)
class Late:
    """Postings that open once everybody is located: one by itself, then the others."""

    one: Floats
    burst: Floats


def generate(spec: Spec = SPEC, burst: int = BURST) -> tuple[Workload, Late]:
    rng = np.random.default_rng(spec.seed)
    low, high = np.array([SOUTH, WEST]), np.array([NORTH, EAST])
    centres = _anywhere(rng, low + EDGE, high - EDGE, CLUSTERS)
    _mixed(rng, (low, high), centres, 900.0, 0.7, spec.postings)
    home = _mixed(rng, (low, high), centres, 1_500.0, 0.8, spec.citizens)
    near = [int((distance_m(centre, home) <= RADIUS_M).sum()) for centre in centres]
    late = Late(np.round(centres[[int(np.argmax(near))]], 6), _mixed(rng, (low, high), centres, 900.0, 0.7, burst))
    citizens = np.arange(spec.citizens)
    return Workload(spec, np.empty((0, 2)), citizens, home, np.zeros(spec.citizens, np.int64)), late


def _anywhere(rng: np.random.Generator, low: Floats, high: Floats, n: int) -> Floats:
    return np.column_stack([rng.uniform(low[0], high[0], n), rng.uniform(low[1], high[1], n)])


def _mixed(
    rng: np.random.Generator, box: tuple[Floats, Floats], centres: Floats, sigma_m: float, share: float, n: int
) -> Floats:
    clustered = round(n * share)
    origin = centres[rng.integers(0, len(centres), clustered)]
    moved = rng.normal(0, sigma_m, (clustered, 2)) / M_PER_DEGREE
    moved[:, 1] /= np.cos(np.radians(origin[:, 0]))
    whole = np.vstack([origin + moved, _anywhere(rng, *box, n - clustered)])
    return np.round(whole[rng.permutation(n)], 6)
