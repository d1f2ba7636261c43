"""휴관일: rules by which whole days are closed, as public data tells them, and the public holidays they lean on. Pure."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal, Protocol

HolidayKind = Literal["public", "substitute", "temporary"]
OnHoliday = Literal["stays", "opens", "next-day", "next-weekday"]
LOOK_BACK_DAYS = 14


@dataclass(frozen=True)
class Holiday:
    """One public holiday. `substitute` stands for one that fell on a weekend, `temporary` was declared."""

    day: date
    name: str
    kind: HolidayKind = "public"


@dataclass(frozen=True, eq=False)
class Holidays:
    """Public holidays by day. Beyond the last known year nobody can say which days are holidays."""

    by_day: Mapping[date, Holiday] = field(default_factory=dict)

    @classmethod
    def of(cls, holidays: Iterable[Holiday]) -> Holidays:
        return cls({one.day: one for one in holidays})

    def __contains__(self, day: date) -> bool:
        return day in self.by_day

    def get(self, day: date) -> Holiday | None:
        return self.by_day.get(day)

    def known_until(self) -> date | None:
        """The end of the last year of which any holiday is known."""
        return date(max(self.by_day).year, 12, 31) if self.by_day else None


class RestRule(Protocol):
    def covers(self, day: date, holidays: Holidays) -> bool: ...


@dataclass(frozen=True)
class Weekly:
    """매주 월요일. `on_holiday`: what becomes of it when the day is a public holiday."""

    weekdays: frozenset[int]
    on_holiday: OnHoliday = "stays"

    def covers(self, day: date, holidays: Holidays) -> bool:
        if day.weekday() in self.weekdays and (self.on_holiday == "stays" or day not in holidays):
            return True
        return self.on_holiday in ("next-day", "next-weekday") and self._moved_onto(day, holidays)

    def _moved_onto(self, day: date, holidays: Holidays) -> bool:
        """Whether a rest day that fell on a holiday was put off to this day."""
        if self.on_holiday == "next-day":
            before = day - timedelta(days=1)
            return before.weekday() in self.weekdays and before in holidays
        if day.weekday() >= 5 or day in holidays:
            return False
        for back in range(1, LOOK_BACK_DAYS):
            before = day - timedelta(days=back)
            if before.weekday() in self.weekdays and before in holidays:
                return True
            if before.weekday() < 5 and before not in holidays:
                return False
        return False


@dataclass(frozen=True)
class NthWeekday:
    """매월 둘째, 넷째 일요일: the n-th such weekday of a month; -1 is the last."""

    nths: frozenset[int]
    weekdays: frozenset[int]

    def covers(self, day: date, holidays: Holidays) -> bool:
        if day.weekday() not in self.weekdays:
            return False
        last = day.day + 7 > monthrange(day.year, day.month)[1]
        return (day.day - 1) // 7 + 1 in self.nths or (last and -1 in self.nths)


@dataclass(frozen=True)
class MonthDays:
    """매월 1일; -1 is the last day of a month."""

    days: frozenset[int]

    def covers(self, day: date, holidays: Holidays) -> bool:
        return day.day in self.days or (-1 in self.days and day.day == monthrange(day.year, day.month)[1])


@dataclass(frozen=True)
class YearDays:
    """1월 1일, or from one day of the year to another, both inside; a range may go over New Year."""

    first: tuple[int, int]
    last: tuple[int, int]

    def covers(self, day: date, holidays: Holidays) -> bool:
        here = (day.month, day.day)
        if self.first <= self.last:
            return self.first <= here <= self.last
        return here >= self.first or here <= self.last


@dataclass(frozen=True)
class OnHolidays:
    """법정공휴일: every public holiday of these kinds, but for those on `except_weekdays`."""

    kinds: frozenset[HolidayKind] = frozenset({"public", "substitute", "temporary"})
    except_weekdays: frozenset[int] = frozenset()

    def covers(self, day: date, holidays: Holidays) -> bool:
        found = holidays.get(day)
        return found is not None and found.kind in self.kinds and day.weekday() not in self.except_weekdays


@dataclass(frozen=True)
class Named:
    """설날, 추석 연휴: holidays by name. `whole` takes in the days before and after that belong to it, not substitutes."""

    names: frozenset[str]
    whole: bool = False

    def covers(self, day: date, holidays: Holidays) -> bool:
        found = holidays.get(day)
        if found is None:
            return False
        whole = self.whole and found.kind == "public" and found.name.split()[0] in self.names
        return found.name in self.names or whole


@dataclass(frozen=True)
class AfterHoliday:
    """공휴일 다음날, unless it is a holiday itself."""

    def covers(self, day: date, holidays: Holidays) -> bool:
        return day - timedelta(days=1) in holidays and day not in holidays


@dataclass(frozen=True)
class Rest:
    """What a text about rest days says. `unparsed` are the parts nobody understood: shown, never applied."""

    text: str
    rules: tuple[RestRule, ...] = ()
    unparsed: tuple[str, ...] = ()

    def covers(self, day: date, holidays: Holidays) -> bool:
        return any(rule.covers(day, holidays) for rule in self.rules)


NEVER = Rest("")
