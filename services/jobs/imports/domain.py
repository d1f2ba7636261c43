"""Files of postings: read in either encoding, each row for itself, what is wrong told by line and column. Pure."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import ValidationError

from services.jobs.postings.models import PostingDraft
from shared.clock import SEOUL
from shared.geo import District
from shared.rules import Refused
from shared.uploads import decoded

MOST_ROWS = 20_000
IMPORTED = uuid5(NAMESPACE_URL, "urn:gwangsan:imported-posting")
COLUMNS = {
    "외부번호": "external_id", "제목": "headline", "설명": "description", "장소": "place", "주소": "address", "위도": "lat",
    "경도": "lon", "동": "dong", "반경": "radius_m", "시작": "starts_at", "종료": "ends_at", "마감": "expires_at", "보수": "pay",
    "보수단위": "pay_per", "건당분": "minutes_per_piece", "인원": "slots", "최소나이": "min_age", "관심": "interests", "분류": "category",
}  # fmt: skip
NAMES = {english: korean for korean, english in COLUMNS.items()}
NEEDED = ("external_id", "headline", "place", "starts_at", "ends_at", "pay")
UNITS = {"": "hour", "시급": "hour", "시간": "hour", "일급": "day", "일": "day", "건": "piece", "건당": "piece"}
NUMBERS = {"radius_m", "slots", "min_age", "minutes_per_piece"}
TIMES = {"starts_at", "ends_at", "expires_at"}
LOCAL_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?")
WHERE = {"place.lat": "lat", "place.lon": "lon", "place.name": "place", "place.address": "address",
         "pay.amount_krw": "pay", "pay.per": "pay_per", "pay.minutes_per_piece": "minutes_per_piece"}  # fmt: skip


@dataclass(frozen=True)
class RowError:
    """What is wrong, where. The header is line 1; `column` is named as in the file's own language."""

    line: int
    column: str
    rule: str
    detail: str


@dataclass(frozen=True)
class Row:
    """One row as text; `cells` by the English names."""

    line: int
    cells: Mapping[str, str]

    @property
    def external_id(self) -> str:
        return self.cells.get("external_id", "")

    def digest(self) -> str:
        return hashlib.sha256(json.dumps(dict(self.cells), sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    def posting_id(self, institution: str) -> UUID:
        """The same row of the same institution is the same posting, however often it comes."""
        return uuid5(IMPORTED, f"{institution}\n{self.external_id}")


def rows_of(raw: bytes) -> tuple[list[Row], list[RowError]]:
    """The rows of a CSV and what is wrong with their shape. Raises Refused for a file that is none."""
    text = decoded(raw)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [COLUMNS.get(name.strip(), name.strip()) for name in next(reader, [])]
        _check_header(header)
        return _shaped(reader, header)
    except csv.Error as error:
        raise Refused("file", "csv", f"line {reader.line_num}: {error}") from None


def _check_header(header: list[str]) -> None:
    missing = [NAMES[name] for name in NEEDED if name not in header]
    unknown = [name for name in header if name not in NAMES]
    if missing or unknown or len(set(header)) != len(header):
        raise Refused(
            "file",
            "header",
            f"missing: {', '.join(missing) or '-'}; unknown or twice: {', '.join(unknown) or '-'}"[:300],
        )


def _shaped(reader: Any, header: list[str]) -> tuple[list[Row], list[RowError]]:
    rows: list[Row] = []
    errors: list[RowError] = []
    seen: dict[str, int] = {}
    line = reader.line_num + 1
    for cells in reader:
        first, line = line, reader.line_num + 1
        if not any(cell.strip() for cell in cells):
            continue
        if len(rows) + len(errors) >= MOST_ROWS:
            raise Refused("file", "too-many-rows", f"at most {MOST_ROWS:,} rows")
        if len(cells) != len(header):
            errors.append(RowError(first, "-", "columns", f"{len(cells)} cells, the header has {len(header)}"))
            continue
        row = Row(first, {name: cell.strip() for name, cell in zip(header, cells, strict=True)})
        if row.external_id in seen:
            detail = f"'{row.external_id}' is in line {seen[row.external_id]} already"
            errors.append(RowError(first, NAMES["external_id"], "repeated-id", detail))
            continue
        seen[row.external_id] = first
        rows.append(row)
    return rows, errors


def draft_of(row: Row, district: District) -> PostingDraft | list[RowError]:
    """The posting that a row asks for, or everything that is wrong with it."""
    body, errors = _body(row, district)
    if not 0 < len(row.external_id) <= 100:
        errors.append(RowError(row.line, NAMES["external_id"], "external-id", "1 to 100 characters"))
    try:
        draft = PostingDraft.model_validate(body)
    except ValidationError as error:
        told = {e.column for e in errors} | ({NAMES["lon"]} if any(e.rule == "no-place" for e in errors) else set())
        found = (
            _error(row.line, e) for e in error.errors(include_input=False, include_url=False, include_context=False)
        )
        return errors + [one for one in found if one.column not in told]
    return errors or draft


def _error(line: int, error: Any) -> RowError:
    field = ".".join(str(part) for part in error["loc"] if not isinstance(part, int))
    return RowError(line, column_of(field), error["type"], error["msg"])


def column_of(field: str) -> str:
    """The file's name of a field of a posting."""
    name = WHERE.get(field, field.split(".", maxsplit=1)[0])
    return NAMES.get(name, name)


def _body(row: Row, district: District) -> tuple[dict[str, Any], list[RowError]]:
    errors: list[RowError] = []

    def number(name: str, kind: type[int] | type[float] = int) -> Any:
        try:
            return kind(row.cells[name].replace(",", ""))
        except ValueError:
            errors.append(RowError(row.line, NAMES[name], "number", "not a number"))
            return None

    given = {name: cell for name, cell in row.cells.items() if cell}
    body: dict[str, Any] = {name: given[name] for name in ("headline", "description", "category") if name in given}
    body |= {name: number(name) for name in NUMBERS & set(given) - {"minutes_per_piece"}}
    body |= {name: _moment(given[name]) for name in TIMES & set(given)}
    body["interests"] = tuple(part.strip() for part in re.split(r"[;|]", given.get("interests", "")) if part.strip())
    unit = given.get("pay_per", "")
    pay: dict[str, Any] = {"per": UNITS.get(unit, unit)}
    pay |= {"amount_krw": number("pay")} if "pay" in given else {}
    pay |= {"minutes_per_piece": number("minutes_per_piece")} if "minutes_per_piece" in given else {}
    place: dict[str, Any] = {"name": given.get("place", ""), "address": given.get("address")}
    if "lat" in given or "lon" in given:
        place |= {name: number(name, float) for name in ("lat", "lon") if name in given}
    elif (point := _middle_of(given.get("dong", ""), district)) is not None:
        place |= point
    else:
        errors.append(RowError(row.line, NAMES["lat"], "no-place", "coordinates or a 동 of the district are needed"))
    return {**body, "pay": pay, "place": place}, errors


def _moment(written: str) -> str:
    """A time without a zone is Korea's."""
    if not LOCAL_TIME.fullmatch(written):
        return written
    try:
        return datetime.fromisoformat(written).replace(tzinfo=SEOUL).isoformat()
    except ValueError:
        return written


def _middle_of(name: str, district: District) -> dict[str, float] | None:
    """A point inside the 동, by its name or either code."""
    dong = next((d for d in district.dongs if name and name in (d.name, d.code, d.old_code)), None)
    if dong is None:
        return None
    point = dong.area.representative_point()
    return {"lat": point.y, "lon": point.x}
