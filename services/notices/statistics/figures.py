"""Figures and names as people and spreadsheets write them. Pure."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

from services.notices.statistics.domain import TOTAL
from shared.rules import Refused

ALL_TOGETHER = {"", "전체", "합계", "계", "총계", "총합계", "total", "sum"}
SUMS_WITHIN = {"소계", "subtotal"}
MOST_GROUP = 60
NO_FIGURE = {"", "-", "x", "…", "...", "*", "."}
_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d{1,15})(?:\.\d{1,8})?", re.ASCII)
_STATES = {
    "": False,
    "확정": False,
    "final": False,
    "잠정": True,
    "p": True,
    "provisional": True,
    "추정": True,
    "예상": True,
}


def value_of(written: str) -> Decimal:
    """Full-width digits are digits; thousands may be parted by commas, rightly. Raises Refused."""
    text = unicodedata.normalize("NFKC", written).strip().replace("\u2212", "-")
    if text.lower() in NO_FIGURE:
        raise Refused("value", "no-figure", "no figure here")
    if _NUMBER.fullmatch(text) is None:
        raise Refused("value", "number", f"not a number: {written[:30]!r}")
    return Decimal(text.replace(",", ""))


def group_of(written: str) -> str:
    """The group, "" where it says all together. Raises Refused."""
    text = " ".join(unicodedata.normalize("NFC", written).split())
    if len(text) > MOST_GROUP or not text.isprintable():
        raise Refused("group", "name", f"a group has a name of at most {MOST_GROUP} printable characters")
    if text.lower() in SUMS_WITHIN:
        raise Refused("group", "sum-within", "a sum within the sum would tell what is hidden: leave it out")
    return TOTAL if text.lower() in ALL_TOGETHER else text


def provisional_of(written: str) -> bool:
    """잠정 or 확정. Raises Refused."""
    text = unicodedata.normalize("NFKC", written).strip().lower()
    if text not in _STATES:
        raise Refused("state", "state", "잠정 (provisional) or 확정 (final), or nothing")
    return _STATES[text]
