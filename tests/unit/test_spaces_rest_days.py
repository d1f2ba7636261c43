"""휴관일 texts as they stand in public data: what is understood, and what is only shown."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.spaces.calendars.holidays import holidays_with
from services.spaces.calendars.reading import MOST_TEXT, read_rest
from services.spaces.calendars.rest import Holiday
from services.spaces.calendars.words import in_words

HOLIDAYS = holidays_with([Holiday(date(2026, 11, 27), "임시공휴일", "temporary")])

UNDERSTOOD = {
    "매주 월요일": ["매주 월요일"],
    "매주 월요일 휴관": ["매주 월요일"],
    "휴관일: 매주 월요일": ["매주 월요일"],
    "연중무휴": [],
    "없음": [],
    "-": [],
    "": [],
    "주말": ["매주 토요일·일요일"],
    "토일": ["매주 토요일·일요일"],
    "토요일~일요일": ["매주 토요일·일요일"],
    "월~수요일": ["매주 월요일·화요일·수요일"],
    "1월1일, 설날·추석 당일": ["1월 1일", "설날·추석 당일"],
    "1.1, 설날, 추석": ["1월 1일", "설날·추석 당일"],
    "신정, 설연휴, 추석연휴": ["1월 1일", "설날 연휴", "추석 연휴"],
    "설·추석 연휴": ["설날·추석 연휴"],
    "명절 당일": ["설날·추석 당일"],
    "12월 31일~1월 1일": ["12월 31일–1월 1일"],
    "매월 둘째 넷째 일요일": ["매월 둘째·넷째 일요일"],
    "둘째, 넷째 월요일": ["매월 둘째·넷째 월요일"],
    "2,4째주 일요일": ["매월 둘째·넷째 일요일"],
    "매월 2·4주 월요일": ["매월 둘째·넷째 월요일"],
    "매월 마지막 금요일": ["매월 마지막 금요일"],
    "매월 1일, 15일": ["매월 1일, 15일"],
    "매월 말일": ["매월 말일"],
    "법정공휴일": ["공휴일·대체공휴일·임시공휴일"],
    "관공서의 공휴일에 관한 규정에 따른 공휴일": ["공휴일·대체공휴일·임시공휴일"],
    "법정공휴일(대체공휴일 포함)": ["공휴일·대체공휴일·임시공휴일"],
    "법정공휴일(대체공휴일 제외)": ["공휴일·임시공휴일"],
    "일요일을 제외한 법정공휴일": ["공휴일·대체공휴일·임시공휴일 (일요일 제외)"],
    "공휴일(일요일 제외)": ["공휴일·대체공휴일·임시공휴일 (일요일 제외)"],
    "공휴일 다음날": ["공휴일 다음날"],
    "토,일,공휴일": ["매주 토요일·일요일", "공휴일·대체공휴일·임시공휴일"],
    "토요일+일요일+법정공휴일": ["매주 토요일·일요일", "공휴일·대체공휴일·임시공휴일"],
    "매주 월요일 및 법정 공휴일": ["매주 월요일", "공휴일·대체공휴일·임시공휴일"],
    "매주 월요일(공휴일인 경우 다음날)": ["매주 월요일 (공휴일이면 다음날)"],
    "매주 월요일(월요일이 공휴일인 경우 그 다음날 휴관)": ["매주 월요일 (공휴일이면 다음날)"],
    "매주 월요일, 단 월요일이 공휴일인 경우 다음 평일": ["매주 월요일 (공휴일이면 다음 평일)"],
    "매주 월요일(공휴일인 경우 개관)": ["매주 월요일 (공휴일이면 엽니다)"],
    "매주월요일+설날연휴+추석연휴": ["매주 월요일", "설날 연휴", "추석 연휴"],
    "근로자의 날": ["노동절 당일"],
}

NOT_UNDERSTOOD = {
    "내부 사정에 따름": ([], ["내부 사정에 따름"]),
    "매주 월요일, 기타 관장이 정하는 날": (["매주 월요일"], ["기타 관장이 정하는 날"]),
    "월요일, 법정공휴일, 임시휴관일": (["매주 월요일", "공휴일·대체공휴일·임시공휴일"], ["임시휴관일"]),
    "격주 월요일": ([], ["격주 월요일"]),
    "매주 일요일 오후": ([], ["매주 일요일 오후"]),
    "동절기(12월~2월)": ([], ["동절기(12월~2월)"]),
    "13월 45일": ([], ["13월 45일"]),
    "Mondays": ([], ["Mondays"]),
    # An exception that is not understood makes what stands before it doubtful too.
    "매주 월요일(7~8월 제외)": ([], ["매주 월요일(7~8월 제외)"]),
    "매주 일요일, 단 시험기간은 개방": ([], ["매주 일요일, 단 시험기간은 개방"]),
    "연중무휴(시설점검일 제외)": ([], ["연중무휴(시설점검일 제외)"]),
}


def understood(text: str) -> list[str]:
    return [in_words(rule) for rule in read_rest(text).rules]


@pytest.mark.parametrize("text", UNDERSTOOD)
def test_a_usual_text_is_understood_whole(text: str) -> None:
    assert (understood(text), read_rest(text).unparsed) == (UNDERSTOOD[text], ())


@pytest.mark.parametrize("text", NOT_UNDERSTOOD)
def test_what_is_not_understood_is_shown_and_not_applied(text: str) -> None:
    rules, shown = NOT_UNDERSTOOD[text]
    assert (understood(text), list(read_rest(text).unparsed)) == (rules, shown)


@pytest.mark.parametrize(
    ("text", "closed", "open_"),
    [
        ("매주 월요일", ["2026-11-23"], ["2026-11-24"]),
        ("매월 둘째 넷째 일요일", ["2026-11-08", "2026-11-22"], ["2026-11-01", "2026-11-15", "2026-11-29"]),
        ("매월 다섯째 일요일", ["2026-11-29"], ["2026-11-22"]),
        ("매월 마지막 월요일", ["2026-11-30"], ["2026-11-23"]),
        ("매월 말일", ["2028-02-29", "2026-11-30"], ["2028-02-28"]),
        ("12월 31일~1월 1일", ["2026-12-31", "2027-01-01"], ["2026-12-30", "2027-01-02"]),
        ("법정공휴일", ["2026-12-25", "2026-03-02", "2026-11-27"], ["2026-12-24", "2026-11-22"]),
        ("법정공휴일(대체공휴일 제외)", ["2026-03-01", "2026-11-27"], ["2026-03-02"]),
        ("법정공휴일(임시공휴일 제외)", ["2026-03-01", "2026-03-02"], ["2026-11-27"]),
        ("일요일을 제외한 법정공휴일", ["2026-05-25"], ["2026-05-24"]),
        ("설날 당일", ["2027-02-07"], ["2027-02-06", "2027-02-08", "2027-02-09"]),
        ("설날 연휴", ["2027-02-06", "2027-02-07", "2027-02-08"], ["2027-02-05", "2027-02-09"]),
        ("매주 월요일(공휴일인 경우 다음날)", ["2026-05-26", "2026-06-01"], ["2026-05-25", "2026-06-02"]),
        # 2026-10-05 is a holiday on a Monday; the working day after it is Tuesday.
        ("매주 월요일(공휴일인 경우 다음 평일)", ["2026-10-06", "2026-10-12"], ["2026-10-05", "2026-10-07"]),
        ("공휴일 다음날", ["2026-05-26", "2026-12-26"], ["2026-05-25", "2026-12-25"]),
    ],
)
def test_a_rule_covers_its_days_and_no_others(text: str, closed: list[str], open_: list[str]) -> None:
    rest = read_rest(text)
    assert [day for day in closed if not rest.covers(date.fromisoformat(day), HOLIDAYS)] == []
    assert [day for day in open_ if rest.covers(date.fromisoformat(day), HOLIDAYS)] == []


@given(st.text(alphabet="매주월화수목금토일요공휴설날추석첫둘째·,() \n및123단제외", max_size=60))
def test_whatever_is_written_nothing_of_it_is_lost(text: str) -> None:
    rest = read_rest(text)
    assert rest.text == text.strip()
    assert all(part and part in rest.text for part in rest.unparsed)
    assert all(in_words(rule) for rule in rest.rules)


def test_a_text_too_long_is_kept_and_not_read() -> None:
    rest = read_rest("매주 월요일, " * 100)
    assert (len(rest.text) > MOST_TEXT, rest.rules, rest.unparsed) == (True, (), (rest.text,))
