"""Periods as people, spreadsheets and KOSIS write them, in one form: 2026, 2026-H1, 2026-Q1, 2026-03, 2026-03-05. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import Literal

from shared.rules import Refused

Every = Literal["year", "half", "quarter", "month", "day"]
Language = Literal["ko", "en"]

FIRST_YEAR, LAST_YEAR = 1900, 2100
_YEAR = r"(\d{4})"
_BETWEEN = r"[-./ 년]{0,3}"
_FORMS: Mapping[Every, re.Pattern[str]] = {
    "year": re.compile(rf"{_YEAR} ?년?", re.ASCII),
    "half": re.compile(rf"{_YEAR}{_BETWEEN}(?:(?:H|0)?([12])(?:/2)? ?(?:반기)?|([상하])반기)", re.ASCII | re.IGNORECASE),
    "quarter": re.compile(rf"{_YEAR}{_BETWEEN}(?:Q|0)?([1-4])(?:/4)? ?(?:Q|분기)?", re.ASCII | re.IGNORECASE),
    "month": re.compile(rf"{_YEAR}{_BETWEEN}(0?[1-9]|1[0-2]) ?월?", re.ASCII),
    "day": re.compile(
        rf"{_YEAR}{_BETWEEN}(0?[1-9]|1[0-2])[-./ 월]{{0,3}}(0?[1-9]|[12]\d|3[01]) ?일?\.?", re.ASCII
    ),
}  # fmt: skip
# PRD_SE as KOSIS has it; A and Y are years, S and H halves.
OF_KOSIS: Mapping[str, Every] = {
    "A": "year",
    "Y": "year",
    "S": "half",
    "H": "half",
    "Q": "quarter",
    "M": "month",
    "D": "day",
}
PARTS_OF_A_YEAR: Mapping[Every, int] = {"half": 2, "quarter": 4, "month": 12}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def period_of(written: str, every: Every) -> str:
    """The one form of what was written. Raises Refused."""
    text = unicodedata.normalize("NFKC", written).strip()
    found = _FORMS[every].fullmatch(text)
    if found is None:
        raise Refused("period", "period", f"not a {every}: {written[:30]!r}")
    year = found[1]
    if not FIRST_YEAR <= int(year) <= LAST_YEAR:
        raise Refused("period", "period", f"a year lies between {FIRST_YEAR} and {LAST_YEAR}")
    if every == "year":
        return year
    if every == "half":
        return f"{year}-H{found[2] or ('1' if found[3] == '상' else '2')}"
    if every == "quarter":
        return f"{year}-Q{found[2]}"
    parts = [f"{int(part):02d}" for part in found.groups()[1:]]
    period = "-".join([year, *parts])
    try:
        starts(period)
    except ValueError:
        raise Refused("period", "period", f"no such day: {written[:30]!r}") from None
    return period


def starts(period: str) -> date:
    """The first day of a period in its one form."""
    year, _, rest = period.partition("-")
    if rest[:1] in ("H", "Q"):
        return date(int(year), (int(rest[1]) - 1) * (6 if rest[0] == "H" else 3) + 1, 1)
    month, _, day = rest.partition("-")
    return date(int(year), int(month or 1), int(day or 1))


def label(period: str, language: Language) -> str:
    """As people read it: 2026년 3월, Mar 2026."""
    year, _, rest = period.partition("-")
    if not rest:
        return f"{year}년" if language == "ko" else year
    short = short_label(period, language)
    if language == "ko":
        return f"{year}년 {starts(period).month}월 {short}" if rest.count("-") else f"{year}년 {short}"
    return f"{short} {year}"


def short_label(period: str, language: Language) -> str:
    """Without its year, for an axis that tells the year once."""
    year, _, rest = period.partition("-")
    if not rest:
        return year
    at, korean = starts(period), language == "ko"
    if rest[0] == "H":
        return ("상반기" if rest[1] == "1" else "하반기") if korean else rest
    if rest[0] == "Q":
        return f"{rest[1]}분기" if korean else rest
    if "-" in rest:
        return f"{at.day}일" if korean else f"{at.day} {_MONTHS[at.month - 1]}"
    return f"{at.month}월" if korean else _MONTHS[at.month - 1]
