"""Recordings in all three formats, and files that cannot be one."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from demo import traces
from deploy.local.errors import LocalError

ROWS = "citizen,second,lat,lon\nb,30,35.2,126.8\na,0,35.1,126.7\na,15,35.11,126.71\nb,45.5,35.21,126.81\n"


def csv(folder: Path, text: str) -> Path:
    path = folder / "made.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_three_formats_say_the_same(tmp_path: Path) -> None:
    plain = csv(tmp_path, ROWS)
    zipped, parquet = tmp_path / "made.csv.gz", tmp_path / "made.parquet"
    zipped.write_bytes(gzip.compress(ROWS.encode()))
    pl.read_csv(plain).with_columns(pl.col("second").cast(pl.Float32)).write_parquet(parquet)
    read = traces.read(plain)
    assert read.rows() == [
        ("a", 0.0, 35.1, 126.7), ("a", 15.0, 35.11, 126.71), ("b", 30.0, 35.2, 126.8), ("b", 45.5, 35.21, 126.81),
    ]  # fmt: skip
    assert traces.read(zipped).equals(read)
    assert traces.read(parquet).equals(read)


def test_citizens_may_be_numbers_and_other_columns_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "made.parquet"
    pl.DataFrame({"note": ["x"], "citizen": [7], "lat": [35.1], "lon": [126.7], "second": [3]}).write_parquet(path)
    assert traces.read(path).rows() == [("7", 3.0, 35.1, 126.7)]


def test_the_first_minutes_are_counted_from_the_first_fix(tmp_path: Path) -> None:
    path = csv(tmp_path, "citizen,second,lat,lon\na,1000,35,126\na,1059,35,126\na,1060,35,126\n")
    assert traces.read(path, minutes=1)["second"].to_list() == [1000, 1059]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("citizen,second,lat,lon\n", "not a single row"),
        ("citizen,second,lat\na,0,35\n", "column lon is missing"),
        ("citizen,second,lat,lon\na,0,35.1,126.7\na,15,north,126.7\n", "row 3, column lat: 'north' is not a number"),
        ("citizen,second,lat,lon\na,0,35.1,200\n", "row 2, column lon: '200' is not a number from -180 to 180"),
        ("citizen,second,lat,lon\na,,35.1,126.7\n", "row 2, column second: ''"),
        ("citizen,second,lat,lon\na,nan,35.1,126.7\n", "row 2, column second: 'nan'"),
        ("citizen,second,lat,lon\n,0,35.1,126.7\n", "row 2, column citizen: '' is not a name"),
        ("citizen,second,lat,lon\na,0,35.1,126.7,9,9\n", "cannot be read"),
    ],
)
def test_a_bad_file_names_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(LocalError) as refused:
        traces.read(csv(tmp_path, text))
    assert said in str(refused.value)
    assert "made.csv" in refused.value.korean


def test_what_is_no_recording_at_all_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "made.csv.gz"
    broken.write_bytes(gzip.compress(ROWS.encode())[:20])
    lists = tmp_path / "made.parquet"
    pl.DataFrame({"citizen": ["a"], "second": [[1]], "lat": [35.0], "lon": [126.0]}).write_parquet(lists)
    other = tmp_path / "made.xlsx"
    other.write_bytes(b"PK")
    absent = tmp_path / "no.csv"
    wrong = ((broken, ""), (lists, "row 1, column second"), (other, "must be .csv"), (absent, "no such file"))
    for path, said in wrong:
        with pytest.raises(LocalError) as refused:
            traces.read(path)
        assert said in str(refused.value)


def test_slices_hold_every_fix_once_and_last_at_most_five_minutes() -> None:
    table = traces.read(traces.BUILT_IN, minutes=60)
    cut = traces.slices(table)
    assert sum(len(piece.second) for piece in cut) == table.height
    assert all(piece.second[0] == 0 and piece.second[-1] < traces.SLICE_S for piece in cut)
    assert {piece.vehicle for piece in cut} == set(table["citizen"])
