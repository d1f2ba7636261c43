"""The words of a card's pictures and pages, and how figures are written. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from html import escape

from services.notices.statistics.periods import Language, label
from services.notices.statistics.table import Card, Cell
from shared.clock import SEOUL

KO: Mapping[str, str] = {
    "total": "전체", "hidden": "비공개", "provisional": "잠정", "edited": "수정됨", "source": "출처", "as_of": "기준",
    "period": "기간", "table": "표로 보기", "none": "–", "year_sum": "합계", "final": "확정",
    "hides": "{least} 미만인 수와, 그것을 알 수 있게 하는 수는 보이지 않습니다.", "version": "제{n}판",
    "no_value": "보일 수 있는 값이 없습니다",
    "spans": "{first}부터 {last}까지 {n}개 기간", "newest": "최근", "hatched": "빗금: 잠정", "dashed": "점선: 비공개",
    "group": "구분", "value": "값", "state": "상태", "note": "비고",
}  # fmt: skip
EN: Mapping[str, str] = {
    "total": "Total", "hidden": "withheld", "provisional": "provisional", "edited": "Corrected", "source": "Source",
    "as_of": "as of", "period": "Period", "table": "As a table", "none": "–", "year_sum": "sum", "final": "final",
    "hides": "Counts under {least}, and those that would tell them, are withheld.", "version": "version {n}",
    "no_value": "no figure that may be shown", "spans": "{n} periods from {first} to {last}", "newest": "Newest",
    "hatched": "hatched: provisional", "dashed": "dashed: withheld", "group": "Group", "value": "Value", "state": "State", "note": "Note",
}  # fmt: skip
WORDS: Mapping[Language, Mapping[str, str]] = {"ko": KO, "en": EN}
_UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LARGE: Mapping[Language, tuple[tuple[int, str], ...]] = {
    "ko": ((10**12, "조"), (10**8, "억"), (10**4, "만")), "en": ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k")),
}  # fmt: skip


def text(value: str) -> str:
    """For HTML and XML, in content and in attributes."""
    return escape(_UNWRITABLE.sub("", value))


def number(value: Decimal) -> str:
    """With commas, and no more digits than were given."""
    plain = f"{value:,f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def rounded(value: float, language: Language) -> str:
    """For an axis: 120만, 1.2M."""
    for size, name in _LARGE[language]:
        if abs(value) >= size and (size > 10**4 or language == "en" or abs(value) >= 10**5):
            return f"{value / size:,.4g}{name}"
    return f"{value:,.10g}"


def said(cell: Cell | None, language: Language, *, unit: str = "") -> str:
    """A figure as people read it."""
    words = WORDS[language]
    if cell is None:
        return words["none"]
    if cell.value is None:
        return words["hidden"]
    told = number(cell.value) + (f" {unit}" if unit else "")
    return f"{told} ({words['provisional']})" if cell.provisional else told


def day(at: date | datetime) -> str:
    """The day in Seoul."""
    return (at.astimezone(SEOUL).date() if isinstance(at, datetime) else at).isoformat()


def origin(card: Card, language: Language) -> str:
    """Where from, of when, in which version, and that it was changed."""
    words, statistic = WORDS[language], card.statistic
    of = f"{day(statistic.as_of)} {words['as_of']}" if language == "ko" else f"{words['as_of']} {day(statistic.as_of)}"
    told = [f"{words['source']} {statistic.about.source}", of, words["version"].format(n=statistic.version)]
    if statistic.edited_at is not None:
        told.append(f"{words['edited']} {day(statistic.edited_at)}")
    return " · ".join(told)


def description(card: Card, language: Language) -> str:
    """What the chart shows, in words."""
    words, about = WORDS[language], card.statistic.about
    first, last = (label(card.lines[n].period, language) for n in (0, -1))
    told = [f"{about.title} ({about.unit})", words["spans"].format(first=first, last=last, n=len(card.lines))]
    if card.headline is not None:
        period, cell = card.headline
        told.append(f"{words['newest']} {label(period, language)}: {said(cell, language, unit=about.unit)}")
    if card.hides:
        told.append(words["hides"].format(least=card.statistic.least).rstrip("."))
    return ". ".join([*told, origin(card, language)]) + "."


def marks(card: Card, language: Language) -> str:
    """What the looks of bars mean, where there are such."""
    words = WORDS[language]
    return " · ".join([words["hatched"]] * card.provisional + [words["dashed"]] * card.hides)
