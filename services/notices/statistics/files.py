"""Series from files: CSV in either encoding, each row for itself, and KOSIS's answers with their traps. Pure."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from services.notices.statistics.domain import MOST_POINTS, TOTAL, Every, Point, period_of
from shared.rules import Refused

COLUMNS = {"기간": "period", "구분": "group", "값": "value", "period": "period", "group": "group", "value": "value"}
ALL_TOGETHER = {"", "전체", "합계", "계", "총계", "소계", "total"}
MOST_GROUP = 60
_UNQUOTED = re.compile(r'([{,]\s*)([A-Za-z_][A-Za-z0-9_]*)(\s*:\s*["\d\-])')
_NOT_A_FIGURE = {"", "-", "x", "X", "…", "...", "*"}


@dataclass(frozen=True)
class RowError:
    """What is wrong, where. In a CSV the header is line 1; KOSIS's rows count from 1."""

    line: int
    column: str
    rule: str
    detail: str


def value_of(written: str) -> Decimal:
    """Thousands may be parted by commas. Raises Refused."""
    text = written.strip().replace(",", "")
    if text in _NOT_A_FIGURE:
        raise Refused("value", "no-figure", "no figure here")
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise Refused("value", "number", f"not a number: {written[:30]}") from None
    if not value.is_finite() or len(value.as_tuple().digits) > 20:
        raise Refused("value", "number", "not a number that is meant")
    return value


def group_of(written: str) -> str:
    """The group, "" where it says all together. Raises Refused."""
    text = " ".join(written.split())
    if len(text) > MOST_GROUP or not text.isprintable():
        raise Refused("group", "name", f"a group has a name of at most {MOST_GROUP} characters")
    return TOTAL if text.lower() in ALL_TOGETHER else text


def of_csv(raw: bytes, every: Every) -> tuple[list[Point], list[RowError]]:
    """The good rows and what is wrong with the others. Raises Refused for a file that is none."""
    text = _decoded(raw)
    if "\0" in text:
        raise Refused("file", "nul-character", "text may not hold the character U+0000")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [COLUMNS.get(name.strip(), "") for name in next(reader, [])]
        if sorted(set(header)) not in (["period", "value"], ["group", "period", "value"]) or len(set(header)) != len(
            header
        ):
            raise Refused("file", "header", "columns are 기간, 값 and perhaps 구분")
        rows = [(reader.line_num, dict(zip(header, cells, strict=False))) for cells in reader if any(cells)]
    except csv.Error as error:
        raise Refused("file", "csv", f"line {reader.line_num}: {error}"[:200]) from None
    return _points(rows, every)


def _decoded(raw: bytes) -> str:
    for encoding in ("utf-8-sig", "cp949"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError as error:
            failed = error
    raise Refused("file", "encoding", "neither UTF-8 nor cp949") from failed


def _points(rows: Sequence[tuple[int, dict[str, str]]], every: Every) -> tuple[list[Point], list[RowError]]:
    if len(rows) > MOST_POINTS:
        raise Refused("file", "how-many", f"at most {MOST_POINTS:,} rows")
    points: dict[tuple[str, str], Point] = {}
    errors: list[RowError] = []
    for line, cells in rows:
        try:
            point = Point(
                period_of(cells.get("period", ""), every),
                group_of(cells.get("group", "")),
                value_of(cells.get("value", "")),
            )
            if (point.period, point.group) in points:
                raise Refused("period", "twice", "this period and group came before")
            points[point.period, point.group] = point
        except Refused as refused:
            errors.append(RowError(line, refused.field, refused.rule, refused.detail))
    return list(points.values()), errors


def of_kosis(raw: bytes, every: Every) -> tuple[list[Point], list[RowError]]:
    """statisticsParameterData: failures come with status 200 as {err, errMsg}; without jsonVD=Y keys lack their quotes.

    A table of several items is refused: a card shows one.
    """
    whole = _loaded(_decoded(raw))
    if isinstance(whole, dict):
        code, said = str(whole.get("err", "")), str(whole.get("errMsg", ""))[:100]
        rule = "source-empty" if code == "30" else "source-error"
        raise Refused("file", rule, f"KOSIS가 오류로 답했습니다 / KOSIS answered with error {code}: {said}")
    if not isinstance(whole, list) or not all(isinstance(row, dict) for row in whole):
        raise Refused("file", "source-shape", "a list of rows was expected")
    if not whole:
        raise Refused("file", "source-empty", "no rows came")
    if len({str(row.get("ITM_ID", "")) for row in whole}) > 1:
        raise Refused("file", "several-items", "a card shows one item: ask with one itmId")
    rows = [(n, _cells(row)) for n, row in enumerate(whole, start=1)]
    return _points(rows, every)


def _cells(row: dict[str, Any]) -> dict[str, str]:
    return {"period": str(row.get("PRD_DE", "")), "group": str(row.get("C1_NM", "")), "value": str(row.get("DT", ""))}


def _loaded(text: str) -> Any:
    for attempt in (text, _UNQUOTED.sub(r'\1"\2"\3', text)):
        try:
            return json.loads(attempt)
        except (ValueError, RecursionError) as error:
            failed = error
    raise Refused("file", "json", "not JSON") from failed
