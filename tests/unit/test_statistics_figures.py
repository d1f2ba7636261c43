"""Periods, figures, files and pictures of cards: pure, and what must hold of every one of them."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import uuid4
from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.notices.statistics import chart, pages
from services.notices.statistics.disclosure import entries_of
from services.notices.statistics.domain import TOTAL, About, Figure, Statistic, checked, ordered, state_of
from services.notices.statistics.figures import group_of, provisional_of, value_of
from services.notices.statistics.files import of_csv
from services.notices.statistics.periods import Every, label, period_of, starts
from services.notices.statistics.table import Card, card_of
from services.notices.statistics.words import description, number
from shared.rules import Refused

NOW = datetime(2026, 7, 2, 3, tzinfo=UTC)
TODAY = date(2026, 7, 2)
ABOUT = About("이용자", "명", "count", "month", "광산구")
OF_YEARS = About("이용자", "명", "count", "quarter", "광산구", adds_up=True)


@pytest.mark.parametrize(
    ("written", "every", "period"),
    [
        ("2026", "year", "2026"), ("2026년", "year", "2026"), ("２０２６", "year", "2026"),
        ("202601", "half", "2026-H1"), ("2026 하반기", "half", "2026-H2"), ("2026-H2", "half", "2026-H2"),
        ("202604", "quarter", "2026-Q4"), ("20261", "quarter", "2026-Q1"), ("2026.1/4", "quarter", "2026-Q1"),
        ("2026년 3분기", "quarter", "2026-Q3"), ("2026 Q2", "quarter", "2026-Q2"), ("2026-q2", "quarter", "2026-Q2"),
        ("202603", "month", "2026-03"), ("2026.3", "month", "2026-03"), ("2026년 12월", "month", "2026-12"),
        ("20260305", "day", "2026-03-05"), ("2026. 3. 5.", "day", "2026-03-05"), ("2024년 2월 29일", "day", "2024-02-29"),
    ],
)  # fmt: skip
def test_a_period_is_understood_however_it_is_written(written: str, every: Every, period: str) -> None:
    assert period_of(written, every) == period
    assert period_of(period, every) == period


@pytest.mark.parametrize(
    ("written", "every"),
    [("2026-13", "month"), ("2026-02-30", "day"), ("2026-Q5", "quarter"), ("1899", "year"), ("26-03", "month"), ("", "year"),
     ("2026-03", "year"), ("2026-H3", "half"), ("2026-03<b>", "month"), ("٢٠٢٦", "year")],
)  # fmt: skip
def test_what_is_no_period_is_refused(written: str, every: Every) -> None:
    with pytest.raises(Refused) as refused:
        period_of(written, every)
    assert refused.value.rule == "period"


@given(st.dates(date(1900, 1, 1), date(2100, 12, 31)))
def test_periods_sort_as_they_follow_each_other_and_begin_where_they_say(day: date) -> None:
    assert starts(period_of(day.isoformat(), "day")) == day
    assert starts(period_of(f"{day:%Y%m}", "month")) == day.replace(day=1)
    assert str(day.year) in label(period_of(day.isoformat(), "day"), "ko")


@pytest.mark.parametrize(
    ("written", "value"),
    [("1,234", "1234"), ("１，２３４", "1234"), (" 12 ", "12"), ("-3.5", "-3.5"), ("\u22123", "-3"), ("+7", "7"),
     ("1,234,567.89", "1234567.89"),
     ("007", "7")],
)  # fmt: skip
def test_a_figure_is_understood_however_it_is_written(written: str, value: str) -> None:
    assert value_of(written) == Decimal(value)


@pytest.mark.parametrize(
    ("written", "rule"),
    [("1e400", "number"), ("NaN", "number"), ("Infinity", "number"), ("1,23", "number"), ("12,34,567", "number"), ("1_000", "number"),
     ("0x1F", "number"), ("-", "no-figure"), ("", "no-figure"), ("x", "no-figure"), ("…", "no-figure"), ("٣", "number"),
     ("1 234", "number"), ("<b>1</b>", "number"), ("=1+1", "number"), ("9" * 16, "number")],
)  # fmt: skip
def test_what_is_no_figure_is_refused_by_its_rule(written: str, rule: str) -> None:
    with pytest.raises(Refused) as refused:
        value_of(written)
    assert refused.value.rule == rule


@given(st.decimals(-(10**9), 10**9, places=3, allow_nan=False))
def test_a_figure_as_it_is_told_is_taken_as_it_was(value: Decimal) -> None:
    assert value_of(number(value)) == value


def test_groups_are_named_once_and_sums_within_sums_refused() -> None:
    assert group_of("  수완동\t 1통 ") == "수완동 1통"
    assert [group_of(name) for name in ("전체", "합계", "계", "Total", "")] == [TOTAL] * 5
    assert provisional_of(" 잠정 ")
    assert not provisional_of("확정")
    for wrong in ("소계", "가" * 61, "a\u202eb", "a\x00b"):
        with pytest.raises(Refused):
            group_of(wrong)
    with pytest.raises(Refused):
        provisional_of("아마")


@settings(max_examples=200)
@given(st.binary(max_size=400))
def test_whatever_bytes_come_are_rows_or_refused(raw: bytes) -> None:
    for start in (b"", "기간,값\n".encode()):
        told = outcome(start + raw)
        assert told


def outcome(raw: bytes) -> str | int:
    """The rule by which it was refused, or how many rows were looked at."""
    try:
        series = of_csv(raw, ABOUT, TODAY)
    except Refused as refused:
        return refused.rule
    return len(series.figures) + len(series.errors)


def card(*figures: Figure, about: About = ABOUT) -> Card:
    by_key = checked(figures, about, TODAY)
    groups = ordered((), figures)
    statistic = Statistic(uuid4(), "광산구", "광산구", 1, about, groups, 5, TODAY, "", "x", NOW, NOW)
    return card_of(statistic, state_of(entries_of([], by_key, about.measure, 5, 1)))


some_figures = st.dictionaries(
    st.tuples(st.integers(1, 12), st.sampled_from(["", "가", "나", "다 <i>&\"'"])),
    st.tuples(st.decimals(-(10**11), 10**11, places=2, allow_nan=False), st.booleans()),
    min_size=1, max_size=30,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(some_figures, st.text(min_size=1, max_size=100), st.text(min_size=1, max_size=20))
def test_a_picture_is_whole_whatever_is_in_it(
    some: dict[tuple[int, str], tuple[Decimal, bool]], title: str, unit: str
) -> None:
    about = About(title, unit, "number", "month", title[::-1] or "x")
    drawn = card(*(Figure(f"2025-{m:02d}", g, v, p) for (m, g), (v, p) in some.items()), about=about)
    for language in ("ko", "en"):
        look: chart.Name = "wide" if language == "ko" else "plain"
        picture = fromstring(chart.svg(drawn, "ko" if language == "ko" else "en", look))
        _, top, width, height = map(float, picture.get("viewBox", "").split())
        for rect in picture.iter("{http://www.w3.org/2000/svg}rect"):
            if rect.get("x") is not None:
                assert 0 <= float(rect.get("x", "")) <= float(rect.get("x", "")) + float(rect.get("width", "")) <= width
                assert top <= float(rect.get("y", ""))
                assert float(rect.get("y", "")) + float(rect.get("height", "")) <= top + height
        fromstring(pages.table(drawn, "ko" if language == "ko" else "en"))


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.tuples(st.integers(1, 4), st.sampled_from(["가", "나", "다"])), st.integers(0, 40), min_size=1)
)
def test_no_form_of_a_card_depends_on_what_is_hidden(some: dict[tuple[int, str], int]) -> None:
    """Two cards that hide different figures at the same places are the same to everybody, down to the last pixel."""
    figures = [Figure(f"2025-Q{q}", g, Decimal(v)) for (q, g), v in some.items()]
    first = card(*figures, about=OF_YEARS)
    ours = state_of(entries_of([], checked(figures, OF_YEARS, TODAY), "count", 5, 1))
    other = {
        key: entry
        if entry.shown
        else type(entry)(1, entry.period, entry.group, Decimal(77_777), False, entry.derived, False)
        for key, entry in ours.items()
    }
    second = card_of(first.statistic, other)
    for draw in (
        lambda c: chart.svg(c, "ko"),
        lambda c: pages.embed(c, "en"),
        lambda c: pages.table_page(c, "ko"),
        pages.table_csv,
    ):
        assert draw(first) == draw(second)
    assert first == second


def test_a_card_tells_in_words_what_its_picture_shows() -> None:
    drawn = card(Figure("2026-05", "", Decimal(1200)), Figure("2026-06", "", Decimal(1300), provisional=True))
    told = description(drawn, "ko")
    assert "2026년 5월부터 2026년 6월까지 2개 기간" in told
    assert "최근 2026년 6월: 1,300 명 (잠정)" in told
    assert "출처 광산구" in told
    assert told in chart.svg(drawn, "ko")
    assert "hatched" in chart.svg(drawn, "en")
    assert "url(#hatch)" in chart.svg(drawn, "en")


def test_the_two_pictures_of_an_embed_have_ids_of_their_own() -> None:
    """One is not displayed, and a pattern in it would not be drawn in the other."""
    page = pages.embed(
        card(Figure("2026-05", "", Decimal(9), provisional=True), Figure("2026-04", "", Decimal(8))), "ko"
    )
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids)) == 6
    assert set(re.findall(r"url\(#([^)]+)\)", page)) == {"hatch", "hatchn"}


def test_a_file_that_was_told_is_taken_back() -> None:
    drawn = card(*(Figure("2026-05", group, Decimal(n)) for group, n in (("가", 50), ("나", 60), ("", 110))))
    told = pages.table_csv(drawn)
    assert list(csv.reader(io.StringIO(told.lstrip("\ufeff"))))[1] == ["2026-05", "전체", "110", "확정", ""]
    back = of_csv(told.encode(), ABOUT, TODAY)
    assert {figure.key: figure.value for figure in back.figures} == {
        ("2026-05", TOTAL): 110, ("2026-05", "가"): 50, ("2026-05", "나"): 60,
    }  # fmt: skip
    assert of_csv(told.encode("cp949", "ignore"), ABOUT, TODAY).figures == back.figures
