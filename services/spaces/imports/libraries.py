"""전국도서관표준데이터 (data.go.kr 15013109): a row as a place with hours. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from services.spaces.calendars.domain import Hours
from services.spaces.imports.domain import Reader, Row, RowError, Source
from services.spaces.imports.facilities import Elsewhere, openings_of, point_of, rest_of
from shared.geo import District

COLUMNS = (
    "도서관명", "시도명", "시군구명", "도서관유형", "휴관일", "평일운영시작시각", "평일운영종료시각", "토요일운영시작시각",
    "토요일운영종료시각", "공휴일운영시작시각", "공휴일운영종료시각", "열람좌석수", "자료수(도서)", "자료수(연속간행물)",
    "자료수(비도서)", "대출가능권수", "대출가능일수", "소재지도로명주소", "운영기관명", "도서관전화번호", "부지면적", "건물면적",
    "홈페이지주소", "위도", "경도", "데이터기준일자", "제공기관코드", "제공기관명",
)  # fmt: skip
LIBRARIES = Source("libraries", dict.fromkeys(COLUMNS, ()), needed=("도서관명", "위도", "경도"), same=("도서관명",))


@dataclass(frozen=True)
class Library:
    """A library as a place: where it is, when it is open, how many seats it has (0: not told)."""

    name: str
    library_kind: str
    address: str | None
    lat: float
    lon: float
    seats: int
    phone: str
    homepage: str
    hours: Hours
    rest: str
    notes: tuple[RowError, ...]

    @property
    def spot(self) -> tuple[float, float]:
        return self.lat, self.lon


def library_of(row: Row, district: District) -> Library | Elsewhere | list[RowError]:
    """The library of a row, what is wrong with it, or that it is elsewhere."""
    read = Reader(row)
    spot = point_of(read, district)
    if isinstance(spot, Elsewhere):
        return spot
    weekday = openings_of(read, "평일운영시작시각", "평일운영종료시각")
    saturday = openings_of(read, "토요일운영시작시각", "토요일운영종료시각")
    # The standard counts Sundays among its 공휴일.
    sunday = openings_of(read, "공휴일운영시작시각", "공휴일운영종료시각")
    hours, rest, seats = Hours((*(weekday,) * 5, saturday, sunday), sunday), rest_of(read), read.whole("열람좌석수")
    if not row["도서관명"]:
        read.wrong("도서관명", "missing", "이름이 필요합니다 / a name is needed")
    if read.errors:
        return read.errors
    homepage = row["홈페이지주소"] if row["홈페이지주소"].startswith(("https://", "http://")) else ""
    return Library(
        row["도서관명"][:200], row["도서관유형"][:100], row["소재지도로명주소"][:300] or None, *spot, seats or 0,
        row["도서관전화번호"][:50], homepage[:500], hours, rest, tuple(read.notes),
    )  # fmt: skip
