"""The rule book of J8: every rule at its edges, by the day of the work, all that are broken at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.jobs.postings.domain import Terms
from services.jobs.rules.book import book
from services.jobs.rules.domain import BOOK_OF_RULES, Case, broken_rules, least_pay_krw, unfit_for_minors
from services.jobs.rules.hours import by_day, by_month, touches_night, week_of
from shared.clock import SEOUL
from shared.offers.domain import Place


def kst(written: str) -> datetime:
    return datetime.fromisoformat(written).replace(tzinfo=SEOUL)


START, END = kst("2026-07-01T10:00"), kst("2026-07-01T12:00")
TERMS = Terms(
    headline="경로당 점심 배식", description="", place=Place("수완 경로당", None, 35.19, 126.82), radius_m=700, interests=(),
    min_age=None, starts_at=START, ends_at=END, expires_at=START, pay_krw=10_320, pay_per="hour", slots=1, urgent=False,
)  # fmt: skip


def shift(starts: str, ends: str, **changed: Any) -> Terms:
    return replace(TERMS, starts_at=kst(starts), ends_at=kst(ends), expires_at=kst(starts), **changed)


def broken(terms: Terms, **known: Any) -> set[str]:
    return {one.rule for one in broken_rules(Case(terms, **known), book())}


def test_the_wage_floor_is_that_of_the_work_day_whenever_it_is_posted() -> None:
    assert broken(TERMS) == set()
    assert broken(replace(TERMS, pay_krw=10_319)) == {"minimum-wage"}
    assert broken(shift("2027-01-01T10:00", "2027-01-01T12:00")) == {"minimum-wage"}
    assert broken(shift("2027-01-01T10:00", "2027-01-01T12:00", pay_krw=10_700)) == set()


def test_a_shift_over_new_year_is_split_at_midnight_in_seoul() -> None:
    over = shift("2026-12-31T21:00", "2027-01-01T03:00", pay_per="day")
    assert least_pay_krw(over, book()) == 3 * 10_320 + 3 * 10_700
    assert broken(replace(over, pay_krw=63_060)) == set()
    assert broken(replace(over, pay_krw=63_059)) == {"minimum-wage"}
    hourly = replace(over, pay_per="hour", pay_krw=10_500)
    (told,) = broken_rules(Case(hourly), book())
    assert "2027-01-01부터 시간당 10,700원" in told.detail
    assert broken(replace(hourly, pay_krw=10_700)) == set()


def test_new_year_is_koreas_not_utcs() -> None:
    # 15:00 UTC is midnight in Seoul.
    before = shift("2026-12-31T22:00", "2027-01-01T00:00")
    assert broken(before) == set()
    assert broken(replace(before, ends_at=kst("2027-01-01T00:01"))) == {"minimum-wage"}


def test_pay_by_piece_says_how_long_a_piece_takes_and_keeps_the_floor() -> None:
    piece = replace(TERMS, pay_per="piece", pay_krw=1_720)
    assert broken(piece) == {"piece-time"}
    assert broken(replace(piece, piece_minutes=10)) == set()
    assert broken(replace(piece, piece_minutes=11)) == {"minimum-wage"}


def test_minors_at_the_edges() -> None:
    young: dict[str, Any] = {"min_age": 17}
    assert broken(shift("2026-07-01T06:00", "2026-07-01T13:00", **young)) == set()
    assert broken(shift("2026-07-01T06:00", "2026-07-01T13:01", **young)) == {"minors-day"}
    assert broken(shift("2026-07-01T20:00", "2026-07-01T22:00", **young)) == set()
    assert broken(shift("2026-07-01T20:00", "2026-07-01T22:01", **young)) == {"minors-night"}
    assert broken(shift("2026-07-01T05:59", "2026-07-01T08:00", **young)) == {"minors-night"}
    assert broken(shift("2026-07-01T20:00", "2026-07-02T07:00", min_age=18)) == set()
    assert broken(replace(TERMS, min_age=15)) == set()
    assert broken(replace(TERMS, min_age=14)) == {"youngest-age"}


def test_a_shift_over_midnight_counts_each_days_hours_alone() -> None:
    assert not unfit_for_minors(shift("2026-07-01T12:00", "2026-07-01T19:00"))
    over = shift("2026-07-01T18:00", "2026-07-02T04:00")
    assert [minutes for _, minutes in by_day(over.starts_at, over.ends_at)] == [360, 240]
    assert unfit_for_minors(over)


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ("업체명 비공개, 문자 주세요", "hidden-employer"),
        ("회 사 이 름 은  면접 때 안내", "hidden-employer"),
        ("회사\u200b명 비\u200b공개", "hidden-employer"),
        ("교육비 30만원 납부 후 근무", "sales-pretext"),
        ("제품 구매 필수", "sales-pretext"),
        ("가.입.비 없음 아님", "sales-pretext"),
        ("여성만 지원", "equal-chance"),
        ("용모 단정한 분", "equal-chance"),
    ],
)
def test_false_advertising_is_seen_through_blanks_and_dots(said: str, rule: str) -> None:
    assert broken(replace(TERMS, description=said)) == {rule}
    assert broken(replace(TERMS, headline=said)) == {rule}


@pytest.mark.parametrize(
    "said", ["책 정리 👩🏽‍🌾", "مرحبا بكم", "어르신 안부 전화", "교육비 지원", "여성회관 정리", "\u202eabc"]
)
def test_honest_words_pass(said: str) -> None:
    assert broken(replace(TERMS, description=said)) == set()


def test_a_category_is_in_force_on_the_work_day() -> None:
    assert broken(replace(TERMS, category="meals")) == set()
    assert broken(replace(TERMS, category="quarantine")) == {"category-in-force"}
    assert broken(replace(TERMS, category="nothing")) == {"category-in-force"}
    old = shift("2023-12-31T10:00", "2023-12-31T12:00", category="quarantine")
    assert "category-in-force" not in broken(old)
    assert "category-in-force" in broken(shift("2024-01-01T10:00", "2024-01-01T12:00", category="quarantine"))


def test_everything_that_is_broken_is_told_at_once_with_source_and_both_languages() -> None:
    worst = shift("2026-07-01T20:00", "2026-07-02T05:00", pay_krw=1, min_age=14, description="업체명 비공개 가입비")
    told = broken_rules(Case(worst, suspended=True, similar=(UUID(int=1),)), book())
    assert {one.rule for one in told} == {
        "minimum-wage", "youngest-age", "minors-night", "hidden-employer", "sales-pretext",
        "verified-institution", "suspected-duplicate",
    }  # fmt: skip
    assert all(one.source and " / " in one.detail for one in told)


def test_a_rule_is_asked_only_while_it_is_in_force() -> None:
    rule = replace(BOOK_OF_RULES[0], since=date(2026, 7, 1), until=date(2026, 7, 1))
    assert [rule.in_force(date(2026, 7, day)) for day in (1, 2)] == [True, False]
    assert not rule.in_force(date(2026, 6, 30))


def test_every_rule_has_an_id_of_its_own_a_source_and_two_languages() -> None:
    assert len({rule.id for rule in BOOK_OF_RULES}) == len(BOOK_OF_RULES)
    assert all(rule.source and rule.ko and rule.en for rule in BOOK_OF_RULES)


spans = st.tuples(
    st.integers(0, 2 * 365 * 24 * 60).map(lambda n: kst("2026-01-01T00:00") + timedelta(minutes=n)),
    st.integers(1, 24 * 60).map(lambda n: timedelta(minutes=n)),
).map(lambda span: (span[0], span[0] + span[1]))


@given(spans)
def test_days_and_months_add_up_to_the_shift(span: tuple[datetime, datetime]) -> None:
    minutes = (span[1] - span[0]) / timedelta(minutes=1)
    assert sum(worked for _, worked in by_day(*span)) == pytest.approx(minutes)
    assert sum(by_month(*span).values()) == pytest.approx(minutes)


@given(spans)
def test_a_night_is_touched_exactly_when_some_minute_is_in_it(span: tuple[datetime, datetime]) -> None:
    start, end = (moment.replace(second=0, microsecond=0) for moment in span)
    minutes = (start + timedelta(minutes=n) for n in range(int((end - start) / timedelta(minutes=1))))
    assert touches_night(start, end) == any(m.hour >= 22 or m.hour < 6 for m in minutes)


@given(spans)
def test_day_pay_at_the_floor_passes_and_one_won_less_does_not(span: tuple[datetime, datetime]) -> None:
    terms = replace(TERMS, starts_at=span[0], ends_at=span[1], expires_at=span[0], pay_per="day")
    least = least_pay_krw(terms, book())
    assert "minimum-wage" not in broken(replace(terms, pay_krw=least))
    assert "minimum-wage" in broken(replace(terms, pay_krw=least - 1))


def test_weeks_are_mondays_to_sundays_also_over_new_year() -> None:
    assert week_of(date(2026, 12, 31)) == week_of(date(2027, 1, 3)) != week_of(date(2027, 1, 4))
