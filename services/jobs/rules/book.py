"""What the rule book's rules are fed with: rates, categories and phrases, each with the dates on which it is in force."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

BOOK_FILE = Path(__file__).parent / "book.json"


@dataclass(frozen=True)
class Rate:
    """The minimum wage from a day on, that day included, until the next rate."""

    since: date
    krw_per_hour: int
    source: str


@dataclass(frozen=True)
class Category:
    """A kind of socially useful work; the days `since` and `until` are both inside."""

    id: str
    ko: str
    en: str
    since: date
    until: date | None

    def in_force(self, day: date) -> bool:
        return self.since <= day and (self.until is None or day <= self.until)


@dataclass(frozen=True)
class Phrase:
    """Wording that a rule forbids, matched against text without blanks."""

    rule: str
    pattern: re.Pattern[str]


@dataclass(frozen=True)
class Book:
    rates: tuple[Rate, ...]
    categories: tuple[Category, ...]
    phrases: tuple[Phrase, ...]

    def rate_on(self, day: date) -> Rate:
        """The rate in force on a day; before the first known, the first."""
        return max((r for r in self.rates if r.since <= day), key=lambda r: r.since, default=self.rates[0])


def _day(written: str | None) -> date | None:
    return None if written is None else date.fromisoformat(written)


@cache
def book(path: Path = BOOK_FILE) -> Book:
    """The book as committed; read once."""
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    rates = (Rate(date.fromisoformat(r["since"]), r["krw_per_hour"], r["source"]) for r in told["minimum_wage"])
    categories = (
        Category(c["id"], c["ko"], c["en"], date.fromisoformat(c["since"]), _day(c.get("until")))
        for c in told["categories"]
    )
    phrases = (Phrase(p["rule"], re.compile(p["pattern"])) for p in told["phrases"])
    return Book(tuple(sorted(rates, key=lambda r: r.since)), tuple(categories), tuple(phrases))
