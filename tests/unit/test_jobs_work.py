"""Codes that rotate, hours of both sides, and a ledger whose sums hold whatever is corrected."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.jobs.claims.domain import Claim, Load, Worker, check_age
from services.jobs.postings.domain import PayPer, Terms
from services.jobs.work import domain
from services.jobs.work.codes import Codes
from services.jobs.work.domain import Line, lines_for, not_reversed, pay_for, shares
from services.jobs.work.statements import StatementLine, as_csv, as_html
from shared.clock import SEOUL
from shared.rules import Conflict, Refused
from tests.unit.test_jobs_rules import TERMS, kst

CODES = Codes("a secret of this test", 30, 900)
ONE, OTHER = UUID(int=1), UUID(int=2)
START, END = kst("2026-07-01T10:00"), kst("2026-07-01T12:00")
EARLY = timedelta(minutes=30)
CLAIM = Claim(
    UUID(int=9), ONE, "수완동", "citizen:하늘", 1, "held", False, None, None, START, END, 20_640, None, None, False, None, None,
    START - timedelta(days=2), START - timedelta(days=2),
)  # fmt: skip


def s(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def test_a_code_is_good_for_its_posting_and_its_time_alone() -> None:
    code = CODES.shown_at(ONE, START)
    assert CODES.accepts(ONE, f" {code.lower()} ", START, START)
    assert not CODES.accepts(OTHER, code, START, START)
    assert not Codes("another secret", 30, 900).accepts(ONE, code, START, START)
    assert CODES.accepts(ONE, code, START + s(59), START + s(59))
    assert not CODES.accepts(ONE, code, START + s(60), START + s(60))
    assert not CODES.accepts(ONE, "", START, START)
    assert not CODES.accepts(ONE, "👩🏽‍🌾\ud800", START, START)


def test_a_code_read_without_network_is_taken_within_the_grace_and_marked() -> None:
    code = CODES.shown_at(ONE, START)
    assert CODES.accepts(ONE, code, START, START + s(900))
    assert not CODES.accepts(ONE, code, START, START + s(901))
    assert [CODES.is_offline(START, START + s(n)) for n in (60, 61)] == [False, True]
    # Whoever is told a code by a friend cannot say it was read at another time than when it was shown.
    assert not CODES.accepts(ONE, code, START + s(300), START + s(300))


def test_a_clock_somewhat_ahead_is_forgiven_one_far_ahead_is_not() -> None:
    ahead = START + s(30)
    assert CODES.accepts(ONE, CODES.shown_at(ONE, ahead), ahead, START)
    assert not CODES.accepts(ONE, CODES.shown_at(ONE, START + s(31)), START + s(31), START)


@given(st.integers(0, 10**9), st.integers(-(10**4), 10**4))
def test_a_code_is_accepted_for_less_than_three_steps(at_s: int, off_s: int) -> None:
    at = datetime.fromtimestamp(at_s, SEOUL)
    scanned = at + s(off_s)
    if CODES.accepts(ONE, CODES.shown_at(ONE, at), scanned, scanned):
        assert abs(off_s) < 60


def test_checking_in_begins_half_an_hour_before_and_is_on_time_at_the_start() -> None:
    def come(at: datetime) -> Claim:
        return domain.check_in(CLAIM, at, at, EARLY, offline=False)

    assert come(START - EARLY).on_time is True
    assert come(START).on_time is True
    assert come(START + s(1)).on_time is False
    for at, rule in ((START - EARLY - s(1), "too-early"), (END + s(1), "too-late")):
        with pytest.raises(Conflict) as refused:
            come(at)
        assert refused.value.rule == rule


def test_one_comes_once_and_leaves_after() -> None:
    came = domain.check_in(CLAIM, START, START, EARLY, offline=True)
    with pytest.raises(Conflict):
        domain.check_in(came, START, START, EARLY, offline=False)
    with pytest.raises(Conflict):
        domain.check_out(came, START, START, offline=False)
    left = domain.check_out(came, END, END, offline=False)
    assert (left.state, left.offline, left.version) == ("worked", True, 3)


def test_hours_alike_are_finished_unlike_disputed_and_settled_by_the_officer() -> None:
    worked = replace(CLAIM, state="worked")
    one_side = domain.agree(worked, 120, END, officer=False)
    assert one_side.state == "worked"
    assert domain.agree(one_side, 120, END, officer=True).state == "finished"
    disputed = domain.agree(one_side, 90, END, officer=True)
    assert disputed.state == "disputed"
    settled = domain.settle(disputed, 100, "시계를 보니", END)
    assert (settled.state, settled.officer_minutes, settled.because) == ("finished", 100, "시계를 보니")
    with pytest.raises(Conflict):
        domain.settle(settled, 100, "다시", END)
    with pytest.raises(Refused):
        domain.agree(worked, 120, START - s(1), officer=True)
    with pytest.raises(Conflict, match="without a check-in"):
        domain.agree(CLAIM, 120, END, officer=False)


def test_pay_is_rounded_up_to_the_won_and_a_day_is_paid_whole() -> None:
    assert [pay_for(TERMS, minutes) for minutes in (0, 1, 60, 90)] == [0, 172, 10_320, 15_480]
    assert pay_for(replace(TERMS, pay_per="day", pay_krw=50_000), 1) == 50_000
    assert pay_for(replace(TERMS, pay_per="piece", pay_krw=2_000, piece_minutes=10), 59) == 10_000


def test_a_night_over_the_end_of_a_month_is_split_at_midnight_in_seoul() -> None:
    assert shares(kst("2026-12-31T22:00"), 240, 42_800) == [("2026-12", 120, 21_400), ("2027-01", 120, 21_400)]


@given(
    st.integers(0, 400 * 24 * 60).map(lambda n: kst("2026-01-01T00:00") + timedelta(minutes=n)),
    st.integers(1, 1_440), st.integers(0, 10_000_000),
)  # fmt: skip
def test_splitting_loses_neither_a_minute_nor_a_won(starts_at: datetime, minutes: int, krw: int) -> None:
    parts = shares(starts_at, minutes, krw)
    assert (sum(m for _, m, _ in parts), sum(k for _, _, k in parts)) == (minutes, krw)
    assert len({month for month, _, _ in parts}) == len(parts) <= 2


pays = st.tuples(st.sampled_from(["hour", "day", "piece"]), st.integers(1, 100_000))


@given(
    st.sampled_from(["2026-07-01T10:00", "2026-12-31T20:00"]),
    pays,
    st.lists(st.integers(0, 1_440), min_size=1, max_size=8),
)
def test_whatever_is_corrected_the_ledger_sums_to_the_newest_word(
    starts: str, pay: tuple[PayPer, int], words: list[int]
) -> None:
    terms: Terms = replace(TERMS, pay_per=pay[0], pay_krw=pay[1], piece_minutes=10)
    claim, numbers, ledger = replace(CLAIM, starts_at=kst(starts)), count(100), list[Line]()
    for minutes in words:
        before = list(ledger)
        ledger += lines_for(claim, terms, minutes, ledger, END, lambda: UUID(int=next(numbers)))
        assert ledger[: len(before)] == before
        assert sum(line.minutes for line in ledger) == minutes
        assert sum(line.pay_krw for line in ledger) == pay_for(terms, minutes)
        assert sum(line.minutes for line in not_reversed(ledger)) == minutes
    by_id = {line.id: line for line in ledger}
    reversals = [line for line in ledger if line.reverses is not None]
    assert len({line.reverses for line in reversals}) == len(reversals)
    for line in reversals:
        old = by_id[line.reverses or line.id]
        assert (old.minutes + line.minutes, old.pay_krw + line.pay_krw, old.month) == (0, 0, line.month)


def test_the_same_word_again_adds_nothing() -> None:
    numbers = count(1)
    first = lines_for(CLAIM, TERMS, 120, [], END, lambda: UUID(int=next(numbers)))
    assert lines_for(CLAIM, TERMS, 120, first, END, lambda: UUID(int=next(numbers))) == []


def test_a_statement_adds_up_and_holds_nothing_that_runs() -> None:
    lines = [
        StatementLine(START, '=HYPERLINK("x")', "<b>경로당</b>", "수완동", 120, 20_640, ""),
        StatementLine(START, "책 정리, 두 시간", "도서관", "수완동", -120, -20_640, "정정 @x"),
        StatementLine(START, "👩🏽‍🌾 مرحبا", "도서관", "수완동", 60, 10_320, ""),
    ]
    raw = as_csv(lines)
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"))))
    assert rows[1][1].startswith("'=")
    assert rows[2][4] == "-120"
    assert rows[-1][4:6] == ["60", "10320"]
    page = as_html("2026-07 <명세서>", lines)
    assert "<b>" not in page
    assert "2026-07 &lt;명세서&gt;" in page
    assert "<script" not in page


def test_the_month_ends_in_seoul() -> None:
    assert domain.month_ends("2026-12") == kst("2027-01-01T00:00")
    assert domain.month_ends("2027-02") == kst("2027-03-01T00:00")


def test_thirty_five_hours_a_week_are_for_minors() -> None:
    year = START.year
    young = Worker("citizen:어린", birth_year=year - 17, guardian_consent=True)
    monday = kst("2026-06-29T09:00")
    days = tuple(
        replace(
            CLAIM, id=UUID(int=n), starts_at=monday + timedelta(days=n), ends_at=monday + timedelta(days=n, hours=7)
        )
        for n in range(4)
    )
    friday = replace(TERMS, starts_at=monday + timedelta(days=4), ends_at=monday + timedelta(days=4, hours=7))
    check_age(friday, young, Load(days))
    saturday = replace(days[0], starts_at=kst("2026-07-04T09:00"), ends_at=kst("2026-07-04T09:01"))
    with pytest.raises(Refused) as refused:
        check_age(friday, young, Load((*days, saturday)))
    assert refused.value.rule == "minors-week"
    next_week = replace(friday, starts_at=monday + timedelta(days=7), ends_at=monday + timedelta(days=7, hours=7))
    check_age(next_week, young, Load(days))
