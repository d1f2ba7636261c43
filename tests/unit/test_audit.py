"""The audit finds a place in whatever form it may be stored, and does not find what is not there."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matching.audit.domain import Point, parsed, trace_in
from services.matching.audit.places import of_logs
from services.matching.index.store import StoredFix
from tests.samples import fix

HANEUL = "citizen:하늘"
HERE = Point(35.190712, 126.822243)


@pytest.mark.parametrize(
    "blob",
    [
        fix(HANEUL, lat=HERE.lat, lon=HERE.lon).model_dump_json().encode(),
        b"lat=35.1907 lon=126.8222",
        b'{"coordinates":[126.82224,35.19071]}',
        b"POINT(126.822243 35.190712)",
        StoredFix(HERE.lat, HERE.lon, 5, 1, 1).pack(),
        b"xyz" + StoredFix(HERE.lat, HERE.lon, 5, 1, 1).pack(),
        struct.pack(">dd", HERE.lon, HERE.lat),
    ],
)
def test_a_position_is_found_in_text_and_in_binary(blob: bytes) -> None:
    assert trace_in(blob, [HERE], "somebody else") == "a position"


def test_half_a_position_counts_beside_the_citizen() -> None:
    assert trace_in(f'{{"citizen":"{HANEUL}","lat":35.1907}}'.encode(), [HERE], HANEUL) is not None
    assert trace_in(b'{"citizen":"other","lat":35.1907}', [HERE], HANEUL) is None


@pytest.mark.parametrize(
    "blob", [b"", b"short", b"35.1906 126.8222", b"135.1907 126.8222", b"1126.8222 35.1907", b"0.35.1907 9.126.8222"]
)
def test_what_is_another_number_is_not_found(blob: bytes) -> None:
    assert trace_in(blob, [HERE], HANEUL) is None


@given(lat=st.floats(-90, 90), lon=st.floats(-180, 180), digits=st.integers(3, 7), before=st.binary(max_size=20))
def test_any_point_is_found_packed_and_written_out(lat: float, lon: float, digits: int, before: bytes) -> None:
    point = Point(lat, lon, digits)
    assert trace_in(before + struct.pack("<dd", lat, lon), [point], HANEUL) == "a position"
    assert trace_in(f"at {lat:.12f} and {lon:.12f}".encode(), [point], HANEUL) == "a position"


@pytest.mark.parametrize("told", ["35.1", "91,0", "0,181", "a,b", "1,2,3", "nan,0"])
def test_what_is_no_point_is_refused(told: str) -> None:
    with pytest.raises(ValueError):
        parsed(told)
    with pytest.raises(ValueError):
        parsed("35.1907,126.8222", 2)


def test_every_line_of_every_log_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "engine.log").write_text("one\ntwo\n")
    (tmp_path / "inbox.log").write_text("three\n")
    assert [(at, line) for at, line in of_logs(tmp_path)] == [
        ("inbox.log:1", b"three\n"), ("old/engine.log:1", b"one\n"), ("old/engine.log:2", b"two\n"),
    ]  # fmt: skip
