"""Rules of rest days as people say them, so that an officer sees how a text was understood."""

from __future__ import annotations

from services.spaces.calendars.rest import (
    AfterHoliday,
    MonthDays,
    Named,
    NthWeekday,
    OnHolidays,
    RestRule,
    Weekly,
    YearDays,
)

DAYS = "월화수목금토일"
NTH = {1: "첫째", 2: "둘째", 3: "셋째", 4: "넷째", 5: "다섯째", -1: "마지막"}
ON_HOLIDAY = {
    "stays": "", "opens": " (공휴일이면 엽니다)", "next-day": " (공휴일이면 다음날)", "next-weekday": " (공휴일이면 다음 평일)",
}  # fmt: skip
KINDS = {"public": "공휴일", "substitute": "대체공휴일", "temporary": "임시공휴일"}


def in_words(rule: RestRule) -> str:
    """One rule in Korean."""
    match rule:
        case Weekly(weekdays, on_holiday):
            return f"매주 {_days(weekdays)}{ON_HOLIDAY[on_holiday]}"
        case NthWeekday(nths, weekdays):
            return f"매월 {'·'.join(NTH[nth] for nth in sorted(nths, key=lambda n: n % 6))} {_days(weekdays)}"
        case MonthDays(days):
            return "매월 " + ", ".join(
                "말일" if day == -1 else f"{day}일" for day in sorted(days, key=lambda d: d % 32)
            )
        case YearDays(first, last):
            return _day(first) if first == last else f"{_day(first)}–{_day(last)}"
        case OnHolidays(kinds, excepted):
            named = "·".join(KINDS[kind] for kind in KINDS if kind in kinds)
            return f"{named}{f' ({_days(excepted)} 제외)' if excepted else ''}"
        case Named(names, whole):
            return f"{'·'.join(sorted(names))} {'연휴' if whole else '당일'}"
        case AfterHoliday():
            return "공휴일 다음날"
    raise TypeError(type(rule).__name__)


def _days(weekdays: frozenset[int]) -> str:
    return "·".join(f"{DAYS[day]}요일" for day in sorted(weekdays))


def _day(day: tuple[int, int]) -> str:
    return f"{day[0]}월 {day[1]}일"
