"""Public holidays: the law's rule of substitution and the new moons, computed again, give what the file says."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta

import pytest

from services.spaces.calendars.holidays import lawful_holidays
from services.spaces.calendars.rest import Holiday
from shared.clock import SEOUL

YEARS = (2026, 2027)
J2000 = datetime.fromisoformat("2000-01-01T12:00:00+00:00")
FIXED = {
    (1, 1): "1월 1일", (3, 1): "삼일절", (5, 1): "노동절", (5, 5): "어린이날", (6, 6): "현충일", (7, 17): "제헌절",
    (8, 15): "광복절", (10, 3): "개천절", (10, 9): "한글날", (12, 25): "기독탄신일",
}  # fmt: skip
NEVER_SUBSTITUTED = {"1월 1일", "현충일", "전국동시지방선거일"}
ELECTIONS = {date(2026, 6, 3): "전국동시지방선거일"}
# First days of lunar months 1, 4 and 8 lie in these days of the solar year; no leap month falls between in 2026 and 2027.
LUNAR = {"설날": ((1, 21), (2, 21), 0), "부처님오신날": ((4, 20), (5, 20), 7), "추석": ((8, 24), (9, 22), 14)}


def new_moon(k: int) -> datetime:
    """The k-th new moon after 2000-01-06, within minutes (J. Meeus, Astronomical Algorithms, ch. 49, greatest terms)."""
    t = k / 1236.85
    day = 2451550.09766 + 29.530588861 * k + 0.00015437 * t * t
    sun = math.radians(2.5534 + 29.10535670 * k)
    moon = math.radians(201.5643 + 385.81693528 * k)
    latitude = math.radians(160.7108 + 390.67050284 * k)
    day += -0.40720 * math.sin(moon) + 0.17241 * math.sin(sun) + 0.01608 * math.sin(2 * moon)
    day += 0.01039 * math.sin(2 * latitude) + 0.00739 * math.sin(moon - sun) - 0.00514 * math.sin(moon + sun)
    return J2000 + timedelta(days=day - 2451545.0, seconds=-70)


def lunar_days(year: int) -> dict[str, date]:
    moons = [new_moon(k).astimezone(SEOUL).date() for k in range(round((year - 2000) * 12.3685) - 2, 345)]
    found = {}
    for name, (first, last, after) in LUNAR.items():
        (begins,) = [moon for moon in moons if date(year, *first) <= moon <= date(year, *last)]
        found[name] = begins + timedelta(days=after)
    return found


def by_rule(year: int) -> dict[date, str]:
    """공휴일에 관한 법률 제3조 and 관공서의 공휴일에 관한 규정 제3조: the first day after that is no holiday."""
    lunar = lunar_days(year)
    days = {date(year, *day): name for day, name in FIXED.items()}
    days |= {day: name for day, name in ELECTIONS.items() if day.year == year}
    days[lunar["부처님오신날"]] = "부처님오신날"
    for feast in ("설날", "추석"):
        days |= {lunar[feast] + timedelta(days=n): feast if n == 0 else f"{feast} 연휴" for n in (-1, 0, 1)}
    for day, name in sorted(days.items()):
        feast = name.split()[0]
        weekend = {6} if feast in ("설날", "추석") else {5, 6}
        if name not in NEVER_SUBSTITUTED and day.weekday() in weekend:
            instead = day + timedelta(days=1)
            while instead in days or instead.weekday() >= 5:
                instead += timedelta(days=1)
            days[instead] = f"{feast} 대체공휴일"
    return days


@pytest.mark.parametrize("year", YEARS)
def test_the_file_is_what_the_law_and_the_moon_say(year: int) -> None:
    told = {one.day: one.name for one in lawful_holidays() if one.day.year == year}
    assert told == by_rule(year)


def test_every_day_is_there_once_and_of_its_kind() -> None:
    holidays = lawful_holidays()
    assert len({one.day for one in holidays}) == len(holidays)
    assert {one.day.year for one in holidays} == set(YEARS)
    for one in holidays:
        assert one.kind == ("substitute" if one.name.endswith("대체공휴일") else "public")
    assert Holiday(date(2027, 2, 9), "설날 대체공휴일", "substitute") in holidays
