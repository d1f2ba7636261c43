"""고용24 채용 L01: its XML as rows. Its failures come as <error> or as a page of HTML, both with status 200. Pure."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from xml.etree import ElementTree as ET

from services.jobs.imports.domain import Row, RowError
from shared.clock import SEOUL
from shared.geo import District
from shared.rules import Refused

PAY_UNITS = {"시급": "시급", "H": "시급", "일급": "일급", "D": "일급"}
BEGINS, ENDS = time(9), time(18)


def rows_of(raw: bytes, district: District) -> tuple[list[Row], list[RowError]]:
    """One row for each <wanted>; lines count the postings, from 1. Raises Refused for an answer that is none."""
    root = _root(raw)
    rows: list[Row] = []
    errors: list[RowError] = []
    for number, wanted in enumerate(root.iter("wanted"), start=1):
        told = {child.tag: (child.text or "").strip() for child in wanted}
        if told.get("salTpNm") not in PAY_UNITS:
            detail = f"'{told.get('salTpNm', '')}': only pay by the hour or day"
            errors.append(RowError(number, "salTpNm", "pay-unit", detail))
            continue
        closes = _closing_day(told.get("closeDt", ""))
        if closes is None:
            errors.append(RowError(number, "closeDt", "date", "not a day, as 26-12-31 or 20261231"))
            continue
        rows.append(Row(number, _cells(told, closes, district)))
    return rows, errors


def _root(raw: bytes) -> ET.Element:
    head = raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:500].lower()
    if head.startswith((b"<!doctype html", b"<html")):
        said = "고용24가 XML이 아니라 HTML을 보냈습니다 / HTML came instead of XML: an outage or a wrong address"
        raise Refused("file", "source-html", said)
    if b"<!doctype" in raw.lower() or b"<!entity" in raw.lower() or b"\0" in raw:
        raise Refused("file", "xml-doctype", "XML with a document type, or in UTF-16, is not read")
    try:
        root = ET.fromstring(raw)  # noqa: S314 - a document type, and with it every entity, is refused above
    except (ET.ParseError, LookupError, ValueError) as error:
        raise Refused("file", "xml", f"not XML: {error}"[:200]) from None
    if root.tag == "error" or root.find("error") is not None:
        said = " ".join(" ".join(root.itertext()).split())
        raise Refused(
            "file", "source-error", f"고용24가 오류로 답했습니다 / the source answered with an error: {said}"[:300]
        )
    if root.tag != "wantedRoot":
        raise Refused("file", "source-shape", f"<wantedRoot> was expected, not <{root.tag}>"[:200])
    return root


def _closing_day(written: str) -> date | None:
    """closeDt comes as 26-12-31, 2026-12-31 or 20261231, sometimes with words before it."""
    digits = "".join(c for c in written if c in "0123456789")[-8:]
    digits = f"20{digits}" if len(digits) == 6 else digits
    try:
        return datetime.strptime(digits, "%Y%m%d").replace(tzinfo=SEOUL).date()
    except ValueError:
        return None


def _cells(told: dict[str, str], closes: date, district: District) -> dict[str, str]:
    """Hours are not in the list, so a usual day after the closing stands for them, and the text says so."""
    address = " ".join(part for part in (told.get("basicAddr"), told.get("detailAddr")) if part) or told.get(
        "region", ""
    )
    dong = next((d.name for d in district.dongs if d.name in address or d.name in told.get("region", "")), "")
    begins = datetime.combine(closes + timedelta(days=1), BEGINS, SEOUL)
    return {
        "external_id": f"work24:{told['wantedAuthNo']}" if told.get("wantedAuthNo") else "",
        "headline": f"[고용24] {told.get('title', '')}"[:200],
        "description": f"{told.get('company', '')} · 근무 시간은 원문에서 확인하세요 {told.get('wantedInfoUrl', '')}".strip()[:5_000],
        "place": (told.get("company") or address)[:200], "address": address[:300], "dong": dong,
        "starts_at": begins.isoformat(), "ends_at": datetime.combine(begins.date(), ENDS, SEOUL).isoformat(),
        "pay": told.get("minSal") or told.get("sal", ""), "pay_per": PAY_UNITS[told["salTpNm"]],
    }  # fmt: skip
