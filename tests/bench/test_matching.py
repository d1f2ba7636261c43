"""The bench itself in miniature, on a stack of its own: it gates on counts, times are not looked at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench import matching
from tests.bench.matching import FIELDS

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]


def test_streams_of_fixes_are_told_without_a_gap(tmp_path: Path) -> None:
    out, details = tmp_path / "kept.json", tmp_path / "details.json"
    systems = ["engine", "engine-2", "floor-written", "floor-batches", "geosearch"]
    chosen = [part for system in systems for part in ("--system", system)]
    arguments = [
        "--workload",
        "w500",
        "--fixes",
        "4000",
        "--rounds",
        "1",
        *chosen,
        "--json",
        str(out),
        "--details",
        str(details),
    ]
    assert matching.main(arguments) == 0
    rows = {row["system"]: row for row in json.loads(out.read_text())}
    assert sorted(rows) == sorted(systems)
    assert all(tuple(row) == ("system", "workload", "params", *FIELDS) for row in rows.values())
    assert all(rows[name]["missing"] == 0 for name in ("engine", "engine-2", "geosearch"))
    assert rows["engine"]["duplicate"] == rows["engine-2"]["duplicate"] == 0
    assert rows["engine-2"]["params"]["workers"] == 2
    assert len(json.loads(details.read_text())) == len(systems)
