"""What `./dev bench matching` measures with: workloads and their truth, rows as they are kept, tables in the docs."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from tests.bench import chart
from tests.bench.backends import missing
from tests.bench.contestants import SYSTEMS
from tests.bench.matching import FIELDS, TRACES, benches, row
from tests.bench.workload import (
    MAX_SPEED_M_S,
    RADIUS_M,
    Spec,
    Workload,
    distance_m,
    generate,
    of_traces,
    part,
    tiled,
    truth,
)

SMALL = Spec(postings=40, citizens=60, fixes=900)


def told_one_by_one(work: Workload) -> set[int]:
    """Every fix against every posting."""
    found = set()
    for citizen, place in zip(work.citizen.tolist(), work.place, strict=True):
        near = np.flatnonzero(distance_m(work.posting, place) <= RADIUS_M)
        found |= {citizen << 32 | int(posting) for posting in near}
    return found


WORKS = [generate(SMALL), generate(Spec(120, 60, 600, area=4)), part(generate(SMALL), 0.5), tiled(SMALL, 3)]


@pytest.mark.parametrize("work", WORKS)
def test_the_truth_is_that_of_every_fix_held_against_every_posting(work: Workload) -> None:
    known, told = truth(work), told_one_by_one(work)
    assert set(known.must.tolist()) <= told <= set(known.may.tolist())
    judged = known.judge(np.array([*known.must[1:], *known.must[1:3], 99 << 40]))
    assert (judged["missing"], judged["duplicate"], judged["extra"]) == (1, 2, 1)


def test_a_part_keeps_all_fixes_of_its_citizens() -> None:
    work = generate(SMALL)
    some = part(work, 0.1)
    assert some.spec.citizens == 6
    assert some.spec.fixes == len(some.citizen) == int((work.citizen < 6).sum())
    assert set(truth(some).must.tolist()) == {pair for pair in truth(work).must.tolist() if pair >> 32 < 6}


@pytest.mark.parametrize("name", ["w200k", "w200k-drawn"])
def test_density_is_kept_where_postings_are_multiplied(name: str) -> None:
    known = benches(2_000, TRACES)
    dense, wide = known["w2000"].made(), known[name].made()
    assert len(wide.posting) == 100 * len(dense.posting)
    spans = [np.ptp(work.posting, axis=0) for work in (dense, wide)]
    assert np.prod(spans[1]) / np.prod(spans[0]) == pytest.approx(100, rel=0.2)


def test_in_districts_side_by_side_a_fix_meets_what_it_meets_in_one_but_for_what_comes_over_the_border() -> None:
    spec = Spec(postings=400, citizens=300, fixes=3_000)
    one, many = generate(spec), tiled(spec, 4)
    alerts = [len(truth(work).must) for work in (one, many)]
    assert alerts[0] <= alerts[1] <= 1.3 * alerts[0]
    walked = [distance_m(work.place[work.citizen == 7][1:], work.place[work.citizen == 7][:-1]) for work in (one, many)]
    np.testing.assert_allclose(walked[0], walked[1], atol=0.3)


def test_recorded_movement_without_its_jumps_and_several_times_over(tmp_path: Path) -> None:
    steps = [(0, 35.15), (15, 35.151), (30, 36.5), (45, 35.152), (45, 35.153)]
    lines = ["citizen,second,lat,lon", *(f"c7,{second},{lat},126.8" for second, lat in steps)]
    recorded = tmp_path / "traces.csv.gz"
    recorded.write_bytes(gzip.compress("\n".join(lines).encode()))
    work = of_traces(recorded, 3, copies=2)
    assert work.place[:, 0].tolist() == [35.15, 35.15, 35.151, 35.151, 35.152, 35.152]
    assert work.citizen.tolist() == [0, 1, 0, 1, 0, 1]
    assert work.observed_ms.tolist() == [0, 0, 15_000, 15_000, 45_000, 45_000]
    assert (work.spec.citizens, work.spec.fixes) == (2, 6)


def test_the_recording_in_the_repository_is_the_default() -> None:
    work = benches(1, TRACES)["traces"].made()
    assert work.spec.citizens == 672
    first = work.citizen == 0
    walked_m, passed_ms = distance_m(work.place[first][1:], work.place[first][:-1]), np.diff(work.observed_ms[first])
    assert (walked_m <= MAX_SPEED_M_S * passed_ms / 1000).all()


def test_every_workload_names_systems_that_there_are() -> None:
    known = benches(1_000, TRACES)
    assert set(known) == {
        "w500",
        "w2000",
        "w200k",
        "w200k-drawn",
        "traces",
        "latency",
        "latency-small",
        "fanout",
        "scale",
    }
    assert {name for bench in known.values() for name in bench.names} == set(SYSTEMS)
    assert all("engine" in bench.names for bench in known.values())


def test_a_row_has_the_agreed_fields_and_medians_of_its_rounds() -> None:
    of = {"postings": 40, "citizens": 60, "fixes": 900, "area": 1}
    rounds = [
        {
            "workload": "w2000",
            "of": of,
            "fixes_per_s": n,
            "cpu_us_per_fix": n / 2,
            "missing": n % 2,
            "cpu_s": {"kafka": 1},
        }
        for n in (10, 30, 21)
    ]
    kept = row(SYSTEMS["engine"], rounds)
    assert tuple(kept) == ("system", "workload", "params", *FIELDS)
    assert (kept["fixes_per_s"], kept["cpu_us_per_fix"], kept["missing"], kept["p99_ms"]) == (21, 10.5, 1, None)
    assert kept["params"] == {"postings": 40, "citizens": 60, "fixes": 900, "area": 1, "rounds": 3, "workers": 1}


@pytest.mark.parametrize(
    ("backend", "variable"), [("tile38", "GWANGSAN_BENCH_TILE38"), ("postgis", "GWANGSAN_BENCH_POSTGRES")]
)
def test_what_is_not_on_this_machine_is_told_in_a_line(
    backend: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "no-such-program")
    why = missing(backend)
    assert why is not None
    assert variable in why
    assert "\n" not in why


def test_the_docs_show_what_was_measured() -> None:
    rows, page = chart.kept(), chart.PAGE.read_text(encoding="utf-8")
    assert all(tuple(one) == ("system", "workload", "params", *FIELDS) for one in rows)
    assert chart.table(rows) in page
    assert chart.written_into(page, rows) == page
    assert chart.PICTURE.read_text(encoding="utf-8") == chart.chart(rows)
