"""The rule book of J8: what a posting must keep, each rule with its id, source, message and the days it is in force."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil
from uuid import UUID

from services.jobs.postings.domain import Terms
from services.jobs.rules.book import Book
from services.jobs.rules.hours import by_day, touches_night
from shared.clock import SEOUL

MINOR_BELOW_AGE = 18
YOUNGEST_AGE = 15
MINOR_LONGEST_DAY = timedelta(hours=7)
_BLANKS = re.compile(r"[\s\u200b-\u200f\u2060\ufeff.,·\-_*]+")


@dataclass(frozen=True)
class Case:
    """A posting before the book, and what else the rules must know."""

    terms: Terms
    suspended: bool = False
    similar: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class Rule:
    """One rule. `breaks` gives what is wrong in a few words, or None; `since` and `until` are work days, both inside."""

    id: str
    field: str
    source: str
    ko: str
    en: str
    breaks: Callable[[Case, Book], str | None]
    since: date = date(2023, 1, 1)
    until: date | None = None

    def in_force(self, day: date) -> bool:
        return self.since <= day and (self.until is None or day <= self.until)


@dataclass(frozen=True)
class Broken:
    """One rule that is broken, as it is told."""

    field: str
    rule: str
    detail: str
    source: str


def broken_rules(case: Case, book: Book) -> list[Broken]:
    """Every rule of the book that a posting breaks, by the day its work begins."""
    day = case.terms.starts_at.astimezone(SEOUL).date()
    broken = ((rule, rule.breaks(case, book)) for rule in BOOK_OF_RULES if rule.in_force(day))
    return [
        Broken(rule.field, rule.id, f"{rule.ko} ({why}) / {rule.en}" if why else f"{rule.ko} / {rule.en}", rule.source)
        for rule, why in broken
        if why is not None
    ]


def least_pay_krw(terms: Terms, book: Book) -> int:
    """What the whole shift must be paid at least, rounded up: each Korean day at its own rate."""
    owed = sum(minutes * book.rate_on(day).krw_per_hour for day, minutes in by_day(terms.starts_at, terms.ends_at))
    return ceil(round(owed / 60, 6))


def _minimum_wage(case: Case, book: Book) -> str | None:
    terms = case.terms
    if terms.pay_per == "day":
        least = least_pay_krw(terms, book)
        return f"이 근무는 {least:,}원 이상" if terms.pay_krw < least else None
    hourly = float(terms.pay_krw)
    if terms.pay_per == "piece":
        if terms.piece_minutes is None:
            return None
        hourly = terms.pay_krw * 60 / terms.piece_minutes
    # Each part of a shift is held to its own day's rate, so an hourly pay must reach the highest of them.
    parts = {book.rate_on(day) for day, _ in by_day(terms.starts_at, terms.ends_at)}
    short = sorted((rate for rate in parts if hourly < rate.krw_per_hour), key=lambda rate: rate.since)
    return ", ".join(f"{rate.since:%Y-%m-%d}부터 시간당 {rate.krw_per_hour:,}원" for rate in short) or None


def _piece_time(case: Case, _: Book) -> str | None:
    return "" if case.terms.pay_per == "piece" and case.terms.piece_minutes is None else None


def for_minors(terms: Terms) -> bool:
    return terms.min_age is not None and terms.min_age < MINOR_BELOW_AGE


def unfit_for_minors(terms: Terms) -> bool:
    """Work that nobody under 18 may do: in the night, or more than 7 hours of one day."""
    longest = max((minutes for _, minutes in by_day(terms.starts_at, terms.ends_at)), default=0.0)
    return touches_night(terms.starts_at, terms.ends_at) or longest > MINOR_LONGEST_DAY / timedelta(minutes=1)


def _youngest(case: Case, _: Book) -> str | None:
    return "" if case.terms.min_age is not None and case.terms.min_age < YOUNGEST_AGE else None


def _minors_day(case: Case, _: Book) -> str | None:
    minutes = max((minutes for _, minutes in by_day(case.terms.starts_at, case.terms.ends_at)), default=0.0)
    return (
        f"{minutes / 60:g}시간" if for_minors(case.terms) and minutes > MINOR_LONGEST_DAY.total_seconds() / 60 else None
    )


def _minors_night(case: Case, _: Book) -> str | None:
    return "" if for_minors(case.terms) and touches_night(case.terms.starts_at, case.terms.ends_at) else None


def _category(case: Case, book: Book) -> str | None:
    if case.terms.category is None:
        return None
    day = case.terms.starts_at.astimezone(SEOUL).date()
    return (
        None if any(c.id == case.terms.category and c.in_force(day) for c in book.categories) else case.terms.category
    )


def squeezed(text: str) -> str:
    """Text as a reader sees it, without the blanks that could hide a word from a rule."""
    return _BLANKS.sub("", unicodedata.normalize("NFKC", text)).casefold()


def _says(rule: str) -> Callable[[Case, Book], str | None]:
    def breaks(case: Case, book: Book) -> str | None:
        said = squeezed(case.terms.headline + " " + case.terms.description)
        found = (p.pattern.search(said) for p in book.phrases if p.rule == rule)
        return next((f"'{match[0]}'" for match in found if match), None)

    return breaks


def _suspended(case: Case, _: Book) -> str | None:
    return "" if case.suspended else None


def _duplicate(case: Case, _: Book) -> str | None:
    return ", ".join(map(str, case.similar)) or None


BOOK_OF_RULES: tuple[Rule, ...] = (
    Rule("minimum-wage", "pay.amount_krw", "최저임금법 제6조", "최저임금보다 적습니다",
         "Less than the minimum wage of the work day", _minimum_wage),
    Rule("piece-time", "pay.minutes_per_piece", "최저임금법 시행령 제4조", "건당 보수는 한 건에 걸리는 시간을 적어야 합니다",
         "Pay per piece must say how many minutes a piece takes", _piece_time),
    Rule("youngest-age", "min_age", "근로기준법 제64조", "15세 미만은 일할 수 없습니다", "Nobody under 15 may work", _youngest),
    Rule("minors-day", "ends_at", "근로기준법 제69조", "18세 미만은 하루 7시간까지입니다", "Under 18: at most 7 hours a day", _minors_day),
    Rule("minors-night", "starts_at", "근로기준법 제70조", "18세 미만은 22시부터 06시까지 일할 수 없습니다",
         "Under 18: no work between 22:00 and 06:00", _minors_night),
    Rule("category-in-force", "category", "광산시민수당 운영 지침", "지금 쓰는 사업 분류가 아닙니다",
         "Not a category in force on the work day", _category),
    Rule("hidden-employer", "description", "직업안정법 시행령 제34조제1호", "일을 시키는 곳을 숨길 수 없습니다",
         "Who employs must not be hidden", _says("hidden-employer")),
    Rule("sales-pretext", "description", "직업안정법 시행령 제34조제2호", "구인을 가장한 판매·수강 모집으로 보입니다",
         "Looks like sales or courses under the pretext of work", _says("sales-pretext")),
    Rule("equal-chance", "description", "남녀고용평등법 제7조", "성별이나 용모로 가릴 수 없습니다",
         "Neither sex nor looks may be asked for", _says("equal-chance")),
    Rule("verified-institution", "institution", "직업안정법 제34조", "확인된 기관만 올릴 수 있습니다",
         "Only an institution in good standing may post", _suspended),
    Rule("suspected-duplicate", "headline", "광산시민수당 운영 지침", "이미 열린 것과 같아 보입니다 (아니라면 not_a_duplicate)",
         "Looks like one that is open; say not_a_duplicate if it is another", _duplicate),
)  # fmt: skip
