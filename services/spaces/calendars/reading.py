"""Reads the free text of 휴관일 as public data has it. What is not understood is kept as it stands and never guessed.

A text is cut at separators into parts; each is understood whole or not at all. An exception ("단, …", "… 제외") that is not
understood makes all before it doubtful, so then nothing of the text is applied.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from itertools import islice
from re import Match

from services.spaces.calendars.rest import (
    AfterHoliday,
    HolidayKind,
    MonthDays,
    Named,
    NthWeekday,
    OnHoliday,
    OnHolidays,
    Rest,
    RestRule,
    Weekly,
    YearDays,
)

MOST_TEXT = 500
MOST_PARTS = 12
SEP = r"(?:(?:[,·‧ㆍ・/+&;|、.\n]|및|와|과|그리고|또는)+)"
DAYS = "월화수목금토일"
WD = rf"[{DAYS}](?:요일|욜)?"
WDS = rf"(?:주말|평일|{WD}(?:(?:{SEP}|[~\-])?{WD})*)"
NTH = r"(?:첫|둘|셋|넷|다섯|마지막|[1-5])(?:번째|째)?(?:주|주차)?"
NTHS = rf"제?{NTH}(?:{SEP}?제?{NTH})*"
NTH_NUMBER = {"첫": 1, "둘": 2, "셋": 3, "넷": 4, "다섯": 5, "마지막": -1}
ALL_HOLIDAYS = r"(?:관공서의?|국가지정|국가|법정|국)?(?:지정)?공휴일(?:에관한규정에따른공휴일)?|법정휴일"
ON_HOLIDAY = (
    r"(?:단|다만)?,?(?:해당일이|휴관일이|[월화수목금토일]요일이|당일이)?(?:법정|국)?공휴일"
    r"(?:인경우|일경우|이면|인때|일때|과겹칠경우|과겹치는경우)(?:에는|엔)?,?"
)
MOVES = r"(?:그)?(?P<moves>다음날|익일|다음(?:첫번째|첫)?평일|익일평일)(?:에)?(?:휴관|휴무|휴일|대체휴관)?(?:함)?"
OPENS = r"(?:정상운영|정상개관|개관|개방|운영|제외)(?:함)?"
QUALIFIED = rf"(?:[,(]?{ON_HOLIDAY}(?:{MOVES}|(?P<opens>{OPENS}))\)?)?"
TAIL = r"(?:은|는)?(?:은?정기)?(?:휴관|휴무|휴장|휴실|휴원|휴일|쉼)?(?:일|함)?"
NAMES = {
    "신정": "1월1일", "새해첫날": "1월1일", "설날": "설날", "설": "설날", "구정": "설날", "추석": "추석", "한가위": "추석",
    "삼일절": "삼일절", "3.1절": "삼일절", "3·1절": "삼일절", "어린이날": "어린이날", "부처님오신날": "부처님오신날",
    "석가탄신일": "부처님오신날", "현충일": "현충일", "제헌절": "제헌절", "광복절": "광복절", "개천절": "개천절",
    "한글날": "한글날", "성탄절": "기독탄신일", "크리스마스": "기독탄신일", "기독탄신일": "기독탄신일",
    "근로자의날": "노동절", "노동절": "노동절",
}  # fmt: skip
NAME = "|".join(sorted(map(re.escape, NAMES), key=len, reverse=True)) + "|명절"
NONE = r"(?:연중무휴|연중개방|연중운영|상시개방|상시운영|무휴|없음|휴관일없음|해당없음|해당사항없음|-+|x|X)"
DOUBT = re.compile(r"제외|이외|예외|^단[,\s]|다만|^※")

Reading = Callable[[Match[str]], list[RestRule]]


def _weekdays(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in re.split(SEP, text):
        if part in ("주말", "평일"):
            found |= {5, 6} if part == "주말" else {0, 1, 2, 3, 4}
        elif ranged := re.fullmatch(rf"({WD})[~\-]({WD})", part):
            first, last = DAYS.index(ranged[1][0]), DAYS.index(ranged[2][0])
            found |= {day % 7 for day in range(first, last + 1 if last >= first else last + 8)}
        else:
            found |= {DAYS.index(day[0]) for day in re.findall(WD, part)}
    return frozenset(found)


def _on_holiday(found: Match[str]) -> OnHoliday:
    if found["opens"]:
        return "opens"
    if found["moves"]:
        return "next-weekday" if "평일" in found["moves"] else "next-day"
    return "stays"


def _nths(text: str) -> frozenset[int]:
    found = re.findall(r"첫|둘|셋|넷|다섯|마지막|[1-5]", text)
    return frozenset(NTH_NUMBER.get(one) or int(one) for one in found)


def _named(found: Match[str]) -> list[RestRule]:
    written = re.findall(NAME, found["names"])
    names = {NAMES[name] for name in written if name != "명절"} | ({"설날", "추석"} if "명절" in written else set())
    rules: list[RestRule] = [YearDays((1, 1), (1, 1))] if "1월1일" in names else []
    names.discard("1월1일")
    return rules + ([Named(frozenset(names), whole=bool(found["whole"]))] if names else [])


def _dates(found: Match[str]) -> list[RestRule]:
    first, last = (
        (int(found["m1"]), int(found["d1"])),
        (int(found["m2"] or found["m1"]), int(found["d2"] or found["d1"])),
    )
    if not all(1 <= month <= 12 and 1 <= day <= 31 for month, day in (first, last)):
        return []
    return [YearDays(first, last)]


def _month_days(found: Match[str]) -> list[RestRule]:
    days = {int(day) for day in re.findall(r"\d+", found["days"])} | ({-1} if "말" in found["days"] else set())
    return [MonthDays(frozenset(days))] if all(-1 <= day <= 31 and day for day in days) else []


def _holidays(found: Match[str]) -> list[RestRule]:
    excepted = found["before"] or found["after"]
    weekdays = _weekdays(excepted) if excepted else frozenset()
    if found["also"] == "제외":
        left: HolidayKind = "temporary" if found["which"] == "대체" else "substitute"
        return [OnHolidays(frozenset({"public", left}), weekdays)]
    return [OnHolidays(except_weekdays=weekdays)]


def _kind(found: Match[str]) -> list[RestRule]:
    return [OnHolidays(frozenset({"substitute"} if found["kind"] == "대체" else {"temporary"}))]


DATE = r"(?P<m{0}>\d{{1,2}})(?:월|[./])(?P<d{0}>\d{{1,2}})일?"
# Each must reach to the end of its part; of several the one that takes most is believed.
_READINGS: tuple[tuple[str, Reading], ...] = (
    (NONE, lambda _: []),
    (
        rf"(?:매월|매달|매주|월)?(?P<nths>{NTHS}){SEP}?(?P<days>{WDS})",
        lambda m: [NthWeekday(_nths(m["nths"]), _weekdays(m["days"]))],
    ),
    (rf"(?:매월|매달)(?P<days>(?:\d{{1,2}}일|말일)(?:{SEP}(?:\d{{1,2}}일|말일))*)", _month_days),
    (
        rf"(?:매년)?{DATE.format(1)}(?:(?:~|-|부터){DATE.format(2)}(?:까지)?)?(?:\((?:{NAME}|새해)\))?",
        _dates,
    ),
    (
        rf"(?:매년)?(?P<names>(?:{NAME})(?:{SEP}?(?:{NAME}))*)(?:절|명절)?\(?"
        r"(?:당일|(?P<whole>(?:전후)?연휴(?:기간)?|전날,?당일,?다음날))?\)?",
        _named,
    ),
    (
        rf"(?:(?P<before>{WDS})을?제외한)?(?:{ALL_HOLIDAYS})\(?(?:(?P<after>{WDS})(?:은|는)?제외)?"
        r"(?:(?P<which>임시|대체)공휴일(?P<also>포함|제외))?\)?",
        _holidays,
    ),
    (r"(?P<kind>대체|임시)공휴일", _kind),
    (rf"(?:{ALL_HOLIDAYS})의?(?:다음날|익일)", lambda _: [AfterHoliday()]),
    (rf"(?:매주)?(?P<days>{WDS}){QUALIFIED}", lambda m: [Weekly(_weekdays(m["days"]), _on_holiday(m))]),
)
GRAMMAR = tuple((re.compile(pattern), read) for pattern, read in _READINGS)
BEGIN = re.compile(r"(?:정기)?(?:휴관일?|휴무일?)?[:：\-]?")
END = re.compile(rf"{TAIL}(?=$|{SEP}|단,?|다만)")


@lru_cache(maxsize=10_000)
def read_rest(text: str) -> Rest:
    """What a text about rest days says. Longer than 500 characters it is kept whole and not read."""
    shown = text.strip()
    if len(shown) > MOST_TEXT:
        return Rest(shown, (), (shown,))
    squeezed, at = _squeezed(shown)
    rules: list[RestRule] = []
    unparsed: list[str] = []
    begins = BEGIN.match(squeezed)
    position = 0 if begins is None else begins.end()
    while position < len(squeezed):
        if gap := re.compile(SEP).match(squeezed, position):
            position = gap.end()
        elif (found := _understood(squeezed, position)) is not None:
            rules += found[0]
            position = found[1]
        else:
            end = _end_of_part(squeezed, position)
            unparsed.append(shown[at[position] : at[end - 1] + 1].strip())
            position = end
    if any(DOUBT.search(part) for part in unparsed):
        return Rest(shown, (), (shown,))
    return Rest(shown, tuple(dict.fromkeys(rules)), tuple(unparsed))


def _squeezed(shown: str) -> tuple[str, list[int]]:
    """The text without blanks, in its usual characters, and where each of them stood."""
    kept = [(unicodedata.normalize("NFKC", c), i) for i, c in enumerate(shown) if c == "\n" or not c.isspace()]
    return "".join(c for c, _ in kept), [i for c, i in kept for _ in c]


def _understood(squeezed: str, position: int) -> tuple[list[RestRule], int] | None:
    """The rules of the part that begins here and where it ends; None where no pattern takes it whole."""
    best: tuple[list[RestRule], int] | None = None
    for pattern, read in GRAMMAR:
        for found in _matches(pattern, squeezed, position):
            tail = END.match(squeezed, found.end())
            if tail is not None and (best is None or tail.end() > best[1]):
                rules = read(found)
                if rules or pattern is GRAMMAR[0][0]:
                    best = rules, tail.end()
    return best


def _matches(pattern: re.Pattern[str], text: str, position: int) -> list[Match[str]]:
    """The longest match, and the longest that stops before each later separator: a greedy one may eat too much."""
    later = (gap.start() for gap in re.compile(SEP).finditer(text, position + 1))
    ends = [len(text), *islice(later, MOST_PARTS)]
    found = (pattern.fullmatch(text, position, end) or pattern.match(text, position, end) for end in ends)
    return [one for one in found if one is not None and one.end() > position]


def _end_of_part(text: str, position: int) -> int:
    """Where a part that is not understood ends: at the next separator outside brackets."""
    depth = 0
    for index in range(position, len(text)):
        depth += (text[index] == "(") - (text[index] == ")")
        if depth <= 0 and index > position and re.compile(SEP).match(text, index):
            return index
    return len(text)
