"""Series from files: CSV, each row for itself, and KOSIS's answers with their traps. Pure; a file is hostile until read."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from services.notices.statistics.domain import MOST_FIGURES, About, Figure, check_period, check_value
from services.notices.statistics.figures import NO_FIGURE, group_of, provisional_of, value_of
from services.notices.statistics.periods import OF_KOSIS, period_of
from shared.rules import Refused
from shared.uploads import decoded

COLUMNS = {
    "기간": "period", "구분": "group", "값": "value", "상태": "state", "비고": "note", "period": "period", "group": "group",
    "value": "value", "state": "state", "note": "note",
}  # fmt: skip
NEEDED = {"period", "value"}
_UNQUOTED = re.compile(r'([{,]\s*)([A-Za-z_][A-Za-z0-9_]*)(\s*:\s*["\d\-])')
NOTHING_FOUND = "30"


@dataclass(frozen=True)
class RowError:
    """What is wrong, where. In a CSV the header is line 1; KOSIS's rows count from 1."""

    line: int
    column: str
    rule: str
    detail: str


@dataclass(frozen=True)
class Series:
    """The good rows, what is wrong with the others, and how many said that there is no figure."""

    figures: list[Figure]
    errors: list[RowError] = field(default_factory=list)
    missing: int = 0


Reader = Callable[[bytes, About, date], Series]


def of_csv(raw: bytes, about: About, as_of: date) -> Series:
    """기간, 값 and perhaps 구분, 상태, 비고. Raises Refused for a file that is none."""
    text = decoded(raw)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [COLUMNS.get(name.strip().lower(), name.strip()) for name in next(reader, [])]
        unknown = [name for name in header if name not in COLUMNS.values()]
        if not set(header) >= NEEDED or len(set(header)) != len(header) or unknown:
            raise Refused("file", "header", "columns are 기간, 값 and perhaps 구분, 상태, 비고, each once")
        rows = list(_rows(reader, header))
    except csv.Error as error:
        raise Refused("file", "csv", f"line {reader.line_num}: {error}"[:200]) from None
    if not rows:
        raise Refused("file", "empty", "no rows below the header")
    return _series(rows, about, as_of)


def _rows(reader: Any, header: Sequence[str]) -> Iterator[tuple[int, dict[str, str] | None]]:
    """(line, cells by column), None where there are more or fewer cells than columns. Empty lines are left out."""
    for n, cells in enumerate(cells for cells in reader if any(cell.strip() for cell in cells)):
        if n >= MOST_FIGURES:
            raise Refused("file", "how-many", f"at most {MOST_FIGURES:,} rows")
        yield reader.line_num, dict(zip(header, cells, strict=True)) if len(cells) == len(header) else None


def _series(rows: Sequence[tuple[int, Mapping[str, str] | None]], about: About, as_of: date) -> Series:
    figures: dict[tuple[str, str], Figure] = {}
    errors: list[RowError] = []
    for line, cells in rows:
        try:
            if cells is None:
                raise Refused("line", "columns", "another number of cells than of columns")
            figure = _figure(cells, about, as_of)
            if figure.key in figures:
                raise Refused("period", "twice", "this period and group came before")
            figures[figure.key] = figure
        except Refused as refused:
            errors.append(RowError(line, refused.field, refused.rule, refused.detail))
    return Series(list(figures.values()), errors)


def _figure(cells: Mapping[str, str], about: About, as_of: date) -> Figure:
    period, group = period_of(cells["period"], about.every), group_of(cells.get("group", ""))
    figure = Figure(period, group, value_of(cells["value"]), provisional_of(cells.get("state", "")))
    check_period(period, as_of)
    check_value(figure.value, about.measure)
    return figure


def of_kosis(raw: bytes, about: About, as_of: date) -> Series:
    """statisticsParameterData: failures come with status 200 as {err, errMsg}; without jsonVD=Y keys lack their quotes.

    A card shows one item, in one unit, of one classification, at one pace. Rows without a figure are counted, not refused.
    Raises Refused.
    """
    rows = rows_of_kosis(raw)
    _check_one(rows, "ITM_ID", "several-items", "a card shows one item: ask with one itmId")
    _check_one(rows, "UNIT_NM", "several-units", "figures in different units are not one series")
    _check_one(
        rows, "PRD_SE", "several-paces", "years and months together would tell what is hidden: ask with one prdSe"
    )
    for n in range(2, 9):
        detail = f"a card has one classification: ask with one code in objL{n}"
        _check_one(rows, f"C{n}", "several-classifications", detail)
    _check_pace(rows[0], about)
    unit = str(rows[0].get("UNIT_NM") or about.unit).strip()
    if unit != about.unit:
        raise Refused("file", "unit", f"KOSIS tells {unit[:20]!r}, the card says {about.unit!r}")
    there = [
        (n, cells)
        for n, row in enumerate(rows, start=1)
        if (cells := _cells(row))["value"].strip().lower() not in NO_FIGURE
    ]
    if not there:
        raise Refused("file", "source-empty", "rows came, none with a figure")
    read = _series(there, about, as_of)
    return Series(read.figures, read.errors, len(rows) - len(there))


def rows_of_kosis(raw: bytes) -> list[dict[str, Any]]:
    """Raises Refused for an error, for nothing, and for what is no list of rows."""
    whole = _loaded(decoded(raw))
    if isinstance(whole, dict):
        code, said = str(whole.get("err", "?"))[:20], str(whole.get("errMsg", ""))[:100]
        rule = "source-empty" if code == NOTHING_FOUND else "source-error"
        raise Refused("file", rule, f"KOSIS가 오류로 답했습니다 / KOSIS answered with error {code}: {said}")
    if not isinstance(whole, list) or not all(isinstance(row, dict) for row in whole):
        raise Refused("file", "source-shape", "a list of rows was expected")
    if not whole:
        raise Refused("file", "source-empty", "no rows came")
    if len(whole) > MOST_FIGURES:
        raise Refused("file", "how-many", f"at most {MOST_FIGURES:,} rows")
    return whole


def _check_one(rows: Sequence[Mapping[str, Any]], name: str, rule: str, detail: str) -> None:
    if len({str(row.get(name) or "").strip() for row in rows}) > 1:
        raise Refused("file", rule, detail)


def _check_pace(row: Mapping[str, Any], about: About) -> None:
    code = str(row.get("PRD_SE") or "").strip().upper()
    if code and OF_KOSIS.get(code) != about.every:
        raise Refused("file", "pace", f"KOSIS tells PRD_SE {code[:5]}, the card has one figure per {about.every}")


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    """What KOSIS does not tell is nothing; a figure it wrote as a number is taken as it is written."""
    told = {"period": row.get("PRD_DE"), "group": row.get("C1_NM"), "value": row.get("DT")}
    return {name: "" if value is None else str(value) for name, value in told.items()}


def _loaded(text: str) -> Any:
    for attempt in (text, _UNQUOTED.sub(r'\1"\2"\3', text)):
        try:
            return json.loads(attempt)
        except (ValueError, RecursionError) as error:
            failed = error
    raise Refused("file", "json", "not JSON") from failed
