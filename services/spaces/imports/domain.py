"""Files of public data: CSV in either encoding, JSON as the portal gives it and as its API answers. Each row for itself,
what is wrong told by line and column. Pure.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any

from shared.rules import Refused
from shared.uploads import decoded

MOST_ROWS = 20_000
MOST_CELL = 5_000
# Gwangju merged with 전남 on 2026-07-01. Only these names begin an address of ours: 전라남도 shares two syllables, no more.
PROVINCES = ("전남광주통합특별시", "광주광역시", "광주시", "광주")
DISTRICT = "광산구"
CODES = ("12330", "29200")  # of the district, since that day and before
TIME = re.compile(r"(\d{1,2}):?(\d{2})(?::?\d{2})?")


@dataclass(frozen=True)
class RowError:
    """What is wrong (or only noted), where. The header is line 1; `column` is named as in the file's own language."""

    line: int
    column: str
    rule: str
    detail: str


@dataclass(frozen=True)
class Source:
    """A standard of public data: its columns in order with the keys of its API, and those a row cannot do without."""

    name: str
    columns: Mapping[str, tuple[str, ...]]
    needed: tuple[str, ...]
    same: tuple[str, ...]
    dated: str = "데이터기준일자"


@dataclass(frozen=True)
class Row:
    """One row as text; `cells` by the Korean names of the standard."""

    line: int
    cells: Mapping[str, str]
    source: Source

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")

    @property
    def external_id(self) -> str:
        """The standard has no key: the same names at the same address are the same thing, by either name of the province."""
        named = [squeezed(self[column]) for column in self.source.same]
        where = squeezed(local_address(self["소재지도로명주소"] or self["소재지지번주소"]))
        return hashlib.sha256("\n".join([*named, where or self._spot()]).encode()).hexdigest()[:32]

    def _spot(self) -> str:
        return ",".join(cell[:8] for cell in (self["위도"], self["경도"]))

    def digest(self) -> str:
        """Of what the row says, whichever name the province goes by and whenever it was published."""
        said = {
            name: local_address(cell)
            for name, cell in self.cells.items()
            if name not in (self.source.dated, "제공기관코드")
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def squeezed(written: str) -> str:
    """Letters and digits alone, in one case: how names are compared."""
    return "".join(c for c in written.casefold() if c.isalnum())


def local_address(address: str) -> str:
    """An address from the district on, without the province, whichever of its names it has."""
    words = address.split()
    return " ".join(words[1:]) if words and words[0] in PROVINCES else " ".join(words)


def names_district(address: str) -> bool:
    """Whether an address says that it is in 광산구 of ours. A first word that is no name of our province is elsewhere."""
    words = address.split()
    if DISTRICT not in words[:2]:
        return False
    return words[0] == DISTRICT or words[0] in PROVINCES


def is_ours(row: Row) -> bool:
    """Whether a row says that it is of our district: by either address, by province and district, or, without any of
    these, by the code of who gives it."""
    road, lot = row["소재지도로명주소"], row["소재지지번주소"]
    if names_district(road) or names_district(lot) or names_district(f"{row['시도명']} {row['시군구명']}"):
        return True
    return not road and not lot and row["제공기관코드"][:5] in CODES


def rows_of(raw: bytes, source: Source) -> tuple[list[Row], list[RowError]]:
    """The rows of a file, whichever of the published forms it has, and what is wrong with their shape. Raises Refused."""
    text = decoded(raw)
    head = text.lstrip()[:100].lower()
    if head.startswith(("<!doctype", "<html", "<openapi", "<?xml", "<response")):
        said = " ".join(re.sub(r"<[^>]*>", " ", text[:2_000]).split())[:200]
        raise Refused("file", "source-error", f"자료 대신 오류가 왔습니다 / an error came instead of data: {said}")
    if head.startswith(("{", "[")):
        return _distinct(_of_json(text, source))
    return _distinct(_of_csv(text, source))


def _of_csv(text: str, source: Source) -> Iterable[Row | RowError]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(header, source)
        line = reader.line_num + 1
        for cells in reader:
            first, line = line, reader.line_num + 1
            if len(cells) != len(header) and any(cell.strip() for cell in cells):
                yield RowError(first, "-", "columns", f"{len(cells)} cells, the header has {len(header)}")
            elif any(cell.strip() for cell in cells):
                yield Row(first, {name: _cell(cell) for name, cell in zip(header, cells, strict=True)}, source)
    except csv.Error as error:
        raise Refused("file", "csv", f"line {reader.line_num}: {error}") from None


def _check_header(header: list[str], source: Source) -> None:
    missing = [name for name in source.columns if name not in header]
    unknown = sorted({name for name in header if name not in source.columns or header.count(name) > 1})
    if missing or unknown:
        told = f"missing: {', '.join(missing) or '-'}; unknown or twice: {', '.join(unknown) or '-'}"
        raise Refused("file", "header", told[:500])


def _of_json(text: str, source: Source) -> Iterable[Row | RowError]:
    """Records are counted from 1, as lines are."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused("file", "json", f"not JSON: {error}"[:200]) from None
    names = {key: column for column, keys in source.columns.items() for key in (column, *keys)}
    for number, record in enumerate(_records(told), start=1):
        if not isinstance(record, dict):
            yield RowError(number, "-", "record", "a record is an object")
            continue
        cells = {names[key]: _cell(value) for key, value in record.items() if key in names}
        missing = [name for name in source.needed if name not in cells]
        if missing:
            yield RowError(number, missing[0], "missing", f"missing: {', '.join(missing)}"[:200])
        else:
            yield Row(number, cells, source)


def _records(told: Any) -> list[Any]:
    """Of {fields, records}, of the API's response.body.items, or of a bare list. Raises Refused for anything else."""
    if isinstance(told, dict) and isinstance(told.get("records"), list):
        records: list[Any] = told["records"]
        return records
    answer = told.get("response") if isinstance(told, dict) else None
    if isinstance(answer, dict):
        header = answer.get("header")
        code = _cell(header.get("resultCode", "00"))[:20] if isinstance(header, dict) else "00"
        if code not in ("00", "0", "03"):
            said = _cell(header.get("resultMsg"))[:200] if isinstance(header, dict) else ""
            raise Refused("file", "source-error", f"자료 대신 오류가 왔습니다 / the source answered {code} {said}")
        body = answer.get("body")
        items = body.get("items", []) if isinstance(body, dict) else []
        items = items.get("item", []) if isinstance(items, dict) else items
        return items if isinstance(items, list) else [items] if items else []
    if isinstance(told, list):
        return told
    raise Refused("file", "shape", "neither {fields, records} nor an answer of the API")


def _cell(value: Any) -> str:
    written = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # JSON may escape half a character, which nothing can store.
    return written.encode("utf-8", "replace").decode().replace("\0", "").strip()[:MOST_CELL]


def _distinct(found: Iterable[Row | RowError]) -> tuple[list[Row], list[RowError]]:
    rows: list[Row] = []
    errors: list[RowError] = []
    seen: dict[str, int] = {}
    for one in found:
        if len(rows) + len(errors) >= MOST_ROWS:
            raise Refused("file", "too-many-rows", f"at most {MOST_ROWS:,} rows")
        if isinstance(one, RowError):
            errors.append(one)
            continue
        name = one.external_id
        if name in seen:
            errors.append(RowError(one.line, one.source.same[0], "repeated-row", f"the same as line {seen[name]}"))
            continue
        seen[name] = one.line
        rows.append(one)
    return rows, errors


class Reader:
    """Reads the cells of one row; what cannot be read is noted with its column, once."""

    def __init__(self, row: Row) -> None:
        self.row, self.errors, self.notes = row, list[RowError](), list[RowError]()

    def wrong(self, column: str, rule: str, detail: str) -> None:
        self.errors.append(RowError(self.row.line, column, rule, detail))

    def note(self, column: str, rule: str, detail: str) -> None:
        self.notes.append(RowError(self.row.line, column, rule, detail))

    def whole(self, column: str) -> int | None:
        """A whole number, with or without thousands' commas; None for an empty cell."""
        written = self.row[column].replace(",", "")
        if re.fullmatch(r"\d{1,9}(\.0+)?", written):
            return int(float(written))
        if written:
            self.wrong(column, "number", f"'{self.row[column][:40]}': 숫자가 아닙니다 / not a whole number")
        return None

    def degrees(self, column: str, least: float, most: float) -> float | None:
        written = self.row[column]
        if not written:
            return None
        number = float(written) if re.fullmatch(r"-?\d{1,3}(\.\d{1,20})?", written) else None
        if number is None or not least <= number <= most:
            self.wrong(column, "coordinate", f"'{written[:40]}': {least:g}–{most:g} in Korea")
            return None
        return number

    def time_of_day(self, column: str) -> tuple[time, bool] | None:
        """A time, and whether it was written as 24:00; None for an empty cell."""
        written = self.row[column]
        if not written:
            return None
        found = TIME.fullmatch(written)
        hours, minutes = (int(found[1]), int(found[2])) if found else (99, 0)
        if (hours, minutes) == (24, 0):
            return time(), True
        if hours > 23 or minutes > 59:
            self.wrong(column, "time-of-day", f"'{written[:40]}': 09:00처럼 적습니다 / written as 09:00")
            return None
        return time(hours, minutes), False
