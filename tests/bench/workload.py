"""Seeded workloads and their brute-force truth, as pure functions of a Spec: people who walk among open postings.

Places cluster as towns do: 70 % of postings and 80 % of citizens around twelve centres, the rest anywhere. Distances of
the truth are computed pair by pair in numpy, with no cell, no index and none of the engine's code.
"""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RADIUS_M = 700.0
TOLERANCE_M = 1.0
EARTH_M = 6_371_008.8
M_PER_DEGREE = np.pi / 180 * EARTH_M
SOUTH, NORTH, WEST, EAST = 35.08, 35.26, 126.64, 126.92
CLUSTERS = 12
FIX_EVERY_MS = 15_000
MAX_SPEED_M_S = 70.0  # the gate of the engine

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Spec:
    """`area` multiplies the district (and its clusters), so that density is kept when postings are multiplied too."""

    postings: int = 2_000
    citizens: int = 50_000
    fixes: int = 500_000
    area: int = 1
    seed: int = 7
    once: bool = False  # everybody's one fix, in order


@dataclass(frozen=True)
class Workload:
    """`posting` (P, 2) and `place` (N, 2) are lat, lon; fix i is by `citizen[i]`, `observed_ms[i]` after the start."""

    spec: Spec
    posting: Floats
    citizen: Ints
    place: Floats
    observed_ms: Ints


def generate(spec: Spec) -> Workload:
    """Citizens walk at up to some 2 m/s; each one's fixes are a quarter of a minute apart; citizens take turns at random."""
    rng = np.random.default_rng(spec.seed)
    k = spec.area**0.5
    middle, half = np.array([(SOUTH + NORTH) / 2, (WEST + EAST) / 2]), np.array([NORTH - SOUTH, EAST - WEST]) / 2 * k
    centres = middle + rng.uniform(-0.9, 0.9, (CLUSTERS * spec.area, 2)) * half
    posting = _mixed(rng, centres, middle, half, 0.7, 900.0, spec.postings)
    home = _mixed(rng, centres, middle, half, 0.8, 1_500.0, spec.citizens)
    citizen = np.arange(spec.citizens) if spec.once else rng.integers(0, spec.citizens, spec.fixes)
    order = np.argsort(citizen, kind="stable")
    turn = np.empty(spec.fixes, np.int64)
    firsts = np.searchsorted(citizen[order], np.arange(spec.citizens))
    turn[order] = np.arange(spec.fixes) - firsts[citizen[order]]
    walked = np.cumsum(rng.normal(0, 42.0, (spec.fixes, 2)) / M_PER_DEGREE, axis=0)
    before = np.vstack([np.zeros((1, 2)), walked])[np.minimum(firsts, spec.fixes)]
    place = np.empty((spec.fixes, 2))
    moved = walked - before[citizen[order]]
    place[order] = home[citizen[order]] + moved / np.column_stack(
        [np.ones(spec.fixes), np.cos(np.radians(home[citizen[order], 0]))]
    )
    return Workload(spec, posting, citizen, np.round(place, 6), turn * FIX_EVERY_MS)


def tiled(spec: Spec, across: int) -> Workload:
    """A workload's own district `across` times side by side both ways, citizens spread over all of them: density, clusters and
    what one fix meets stay as they are, where a larger district drawn anew would have others.
    """
    work, rng = generate(spec), np.random.default_rng(spec.seed)
    along = np.arange(across) - (across - 1) / 2
    tiles: Floats = np.stack(np.meshgrid(along, along, indexing="ij"), -1).reshape(-1, 2)
    posting = _moved(np.tile(work.posting, (len(tiles), 1)), np.repeat(tiles, spec.postings, axis=0))
    here = tiles[rng.integers(0, len(tiles), spec.citizens)]
    whole = replace(spec, postings=len(posting), area=spec.area * len(tiles))
    place = _moved(work.place, here[work.citizen])
    return Workload(whole, posting[rng.permutation(len(posting))], work.citizen, place, work.observed_ms)


def _moved(at: Floats, tiles: Floats) -> Floats:
    """So many districts to the north and to the east, as many metres from the middle of theirs as before."""
    north = at[:, 0] + tiles[:, 0] * (NORTH - SOUTH)
    middle = (WEST + EAST) / 2
    shrunk = np.cos(np.radians(at[:, 0])) / np.cos(np.radians(north))
    east = middle + (at[:, 1] - middle + tiles[:, 1] * (EAST - WEST)) * shrunk
    found: Floats = np.asarray(np.round(np.column_stack([north, east]), 6), np.float64)
    return found


def _mixed(
    rng: np.random.Generator, centres: Floats, middle: Floats, half: Floats, share: float, sigma_m: float, n: int
) -> Floats:
    clustered = round(n * share)
    origin = centres[rng.integers(0, len(centres), clustered)]
    offset = rng.normal(0, sigma_m, (clustered, 2)) / M_PER_DEGREE
    offset[:, 1] /= np.cos(np.radians(origin[:, 0]))
    anywhere = middle + rng.uniform(-1, 1, (n - clustered, 2)) * half
    return np.round(np.vstack([origin + offset, anywhere])[rng.permutation(n)], 6)


def distance_m(a: Floats, b: Floats) -> Floats:
    """Haversine metres between (…, 2) arrays of lat, lon."""
    a, b = np.radians(a), np.radians(b)
    h = np.sin((b[..., 0] - a[..., 0]) / 2) ** 2
    h = h + np.cos(a[..., 0]) * np.cos(b[..., 0]) * np.sin((b[..., 1] - a[..., 1]) / 2) ** 2
    return np.asarray(2 * EARTH_M * np.arcsin(np.sqrt(h)))


@dataclass(frozen=True)
class Truth:
    """Pairs as citizen << 32 | posting. Pairs whose closest approach is within a metre of the rim are only in `may`."""

    must: Ints
    may: Ints

    def judge(self, told: Ints) -> dict[str, int]:
        unique = np.unique(told)
        return {
            "truth": len(self.must),
            "alerts": len(told),
            "missing": len(self.must) - int(np.isin(self.must, unique).sum()),
            "extra": len(unique) - int(np.isin(unique, self.may).sum()),
            "duplicate": len(told) - len(unique),
        }


def truth(work: Workload) -> Truth:
    """For every posting, the citizens who ever were within its radius: one pass over all fixes near its latitude."""
    order = np.argsort(work.place[:, 0])
    place, citizen = work.place[order], work.citizen[order]
    reach = (RADIUS_M + 2) / M_PER_DEGREE
    must, may = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for number, at in enumerate(work.posting):
        low, high = np.searchsorted(place[:, 0], [at[0] - reach, at[0] + reach])
        near = np.flatnonzero(np.abs(place[low:high, 1] - at[1]) <= reach / np.cos(np.radians(at[0])) * 1.01) + low
        metres = distance_m(place[near], at)
        must.append(np.unique(citizen[near[metres <= RADIUS_M - TOLERANCE_M]]) << 32 | number)
        may.append(np.unique(citizen[near[metres <= RADIUS_M + TOLERANCE_M]]) << 32 | number)
    return Truth(np.concatenate(must), np.concatenate(may))


def firsts(work: Workload) -> dict[int, int]:
    """Of each pair the fix that must tell it; without pairs for which a metre more or less would make it another."""
    found: dict[int, int] = {}
    for number, at in enumerate(work.posting):
        near = np.flatnonzero(np.abs(work.place[:, 0] - at[0]) <= (RADIUS_M + 2) / M_PER_DEGREE)
        metres = distance_m(work.place[near], at)
        sure, maybe = near[metres <= RADIUS_M - TOLERANCE_M], near[metres <= RADIUS_M + TOLERANCE_M]
        citizens, first = np.unique(work.citizen[sure], return_index=True)
        others, other = np.unique(work.citizen[maybe], return_index=True)
        clear = dict(zip(others.tolist(), maybe[other].tolist(), strict=True))
        for citizen, fix in zip(citizens.tolist(), sure[first].tolist(), strict=True):
            if clear[citizen] == fix:
                found[citizen << 32 | number] = fix
    return found


def part(work: Workload, share: float) -> Workload:
    """The fixes of the first of the citizens: as many alerts a fix as in the whole."""
    if share >= 1.0:
        return work
    citizens = max(1, round(work.spec.citizens * share))
    kept = work.citizen < citizens
    spec = replace(work.spec, citizens=citizens, fixes=int(kept.sum()))
    return Workload(spec, work.posting, work.citizen[kept], work.place[kept], work.observed_ms[kept])


def of_traces(file: Path, postings: int, copies: int = 1) -> Workload:
    """Recorded movement (columns citizen, second, lat, lon) among postings at places that it passes, each mover as so many citizens.

    Jumps beyond MAX_SPEED_M_S are errors of the recording. The engine refuses them and peers do not (M1): nobody is given them.
    """
    with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as lines:
        rows = sorted(
            (int(row["second"]), row["citizen"], float(row["lat"]), float(row["lon"])) for row in csv.DictReader(lines)
        )
    names = {name: nth for nth, name in enumerate(sorted({row[1] for row in rows}))}
    second, citizen = np.array([row[0] for row in rows], np.int64), np.array([names[row[1]] for row in rows], np.int64)
    place = np.array([row[2:] for row in rows])
    kept = np.array(_plausible(second.tolist(), citizen.tolist(), place))
    second, citizen, place = second[kept], citizen[kept], place[kept]
    spec = Spec(postings, len(names) * copies, len(kept) * copies)
    posting = place[np.random.default_rng(spec.seed).choice(len(place), postings)]
    everyone = (citizen[:, None] * copies + np.arange(copies)).ravel()
    return Workload(spec, posting, everyone, np.repeat(place, copies, axis=0), np.repeat(second * 1000, copies))


def _plausible(second: list[int], citizen: list[int], place: Floats) -> list[int]:
    """The fixes that each mover can have reached from the last one that was kept, and that are later than it."""
    last: dict[int, int] = {}
    kept: list[int] = []
    for nth, who in enumerate(citizen):
        before = last.get(who)
        if before is not None:
            passed_s = second[nth] - second[before]
            if passed_s <= 0 or float(distance_m(place[before], place[nth])) > MAX_SPEED_M_S * passed_s:
                continue
        last[who] = nth
        kept.append(nth)
    return kept
