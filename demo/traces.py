"""Recordings of movement: a table of citizen, second, lat, lon as CSV, gzipped CSV or Parquet, cut into short slices."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deploy.local.errors import LocalError

F64 = NDArray[np.float64]

BUILT_IN = Path(__file__).parent.parent / "data" / "gwangsan_traces.csv.gz"
COLUMNS = ("citizen", "second", "lat", "lon")
RANGES = {"second": (-1e12, 1e12), "lat": (-90.0, 90.0), "lon": (-180.0, 180.0)}
SLICE_S = 300.0


@dataclass(frozen=True)
class Slice:
    """A stretch of one vehicle's way, at most five minutes: what one sample citizen will walk. Seconds from its start."""

    vehicle: str
    second: F64
    lat: F64
    lon: F64


def refused(path: Path, korean: str, english: str) -> LocalError:
    return LocalError(f"{path}: {korean}", f"{path}: {english}")


def read(path: Path, minutes: float | None = None) -> pl.DataFrame:
    """The recording (or its first minutes), sorted by citizen and second. Raises LocalError naming column and row."""
    table = _table(path)
    absent = [name for name in COLUMNS if name not in table.columns]
    if absent:
        raise refused(
            path,
            f"{', '.join(absent)} 열이 없습니다. 필요한 열: {', '.join(COLUMNS)}",
            f"column {', '.join(absent)} is missing; needed: {', '.join(COLUMNS)}; found: {', '.join(table.columns)}",
        )
    if table.height == 0:
        raise refused(path, "자료가 없습니다.", "there is not a single row.")
    table = _checked(path, table.select(COLUMNS))
    if minutes is not None:
        begin = float(table["second"].min())  # type: ignore[arg-type]
        table = table.filter(pl.col("second") < begin + minutes * 60)
    return table.sort("citizen", "second", maintain_order=True)


def _table(path: Path) -> pl.DataFrame:
    if not path.is_file():
        raise refused(path, "파일이 없습니다.", "there is no such file.")
    try:
        if path.suffix == ".parquet":
            return pl.read_parquet(path)
        if path.name.endswith((".csv", ".csv.gz")):
            return pl.read_csv(path, infer_schema=False)
    except pl.exceptions.NoDataError:
        raise refused(path, "빈 파일입니다.", "the file is empty.") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise refused(path, f"읽을 수 없습니다 ({reason})", f"cannot be read: {reason}") from error
    raise refused(path, ".csv, .csv.gz, .parquet 가운데 하나여야 합니다.", "must be .csv, .csv.gz or .parquet.")


def _checked(path: Path, table: pl.DataFrame) -> pl.DataFrame:
    """Numbers where numbers belong, inside their range; the first cell that is not is named."""
    for name in COLUMNS:
        kind = pl.String if name == "citizen" else pl.Float64
        column = table[name].str.strip_chars() if table[name].dtype == pl.String else table[name]
        try:
            values = column.cast(kind, strict=False)
        except pl.exceptions.InvalidOperationError:
            values = pl.Series(name, [None] * table.height, dtype=kind)
        good = values.is_not_null()
        if name == "citizen":
            good &= values.fill_null("") != ""
        else:
            low, high = RANGES[name]
            good &= values.fill_null(float("nan")).is_between(low, high).fill_null(False)
        if not good.all():
            _refuse_cell(path, name, table[name], int(good.arg_min() or 0))
        table = table.with_columns(values.alias(name))
    return table


def _refuse_cell(path: Path, name: str, column: pl.Series, row: int) -> None:
    line = row + (1 if path.suffix == ".parquet" else 2)  # a text file's first line holds the names
    what = "" if column[row] is None else str(column[row])
    wanted = "a name" if name == "citizen" else "a number from {:g} to {:g}".format(*RANGES[name])
    raise refused(
        path,
        f"{line}행 {name} 열의 값 {what!r}을(를) 쓸 수 없습니다.",
        f"row {line}, column {name}: {what!r} is not {wanted}.",
    )


def slices(table: pl.DataFrame, at_most_s: float = SLICE_S) -> list[Slice]:
    """Every vehicle's way cut wherever five minutes are full, ordered by when each slice begins in the recording."""
    cut: list[tuple[float, Slice]] = []
    for (vehicle,), way in table.group_by("citizen", maintain_order=True):
        second, lat, lon = (way[name].to_numpy() for name in ("second", "lat", "lon"))
        begin = 0
        while begin < len(second):
            end = int(np.searchsorted(second, second[begin] + at_most_s, side="left"))
            piece = slice(begin, end)
            cut.append(
                (float(second[begin]), Slice(str(vehicle), second[piece] - second[begin], lat[piece], lon[piece]))
            )
            begin = end
    return [piece for _, piece in sorted(cut, key=lambda each: each[0])]
