"""전국공공시설개방정보표준데이터 (data.go.kr 15013117): a row as a space with its calendar. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from services.spaces.calendars.domain import Hours, Opening, opening
from services.spaces.calendars.reading import MOST_TEXT, read_rest
from services.spaces.facilities.models import SpaceDraft
from services.spaces.imports.domain import Reader, Row, RowError, Source, is_ours
from shared.geo import District

FACILITIES = Source(
    "facilities",
    {
        "개방시설명": ("openFcltyNm",), "개방장소명": ("openLcNm",), "개방시설유형구분": ("openFcltyType",), "휴관일": ("rstde",),
        "평일운영시작시각": ("weekdayOperOpenHhmm",), "평일운영종료시각": ("weekdayOperColseHhmm", "weekdayOperCloseHhmm"),
        "주말운영시작시각": ("wkendOperOpenHhmm",), "주말운영종료시각": ("wkendOperCloseHhmm",), "유료사용여부": ("pchrgUseYn",),
        "사용기준시간": ("useStdrTime",), "사용료": ("rntfee",), "초과사용단위시간": ("excessUseUnitTime",),
        "초과사용료": ("excessRntfee",), "수용가능인원수": ("aceptncPosblCo",), "면적": ("ar",), "부대시설정보": ("etcFclty",),
        "신청방법구분": ("sbscrptnMthSe",), "시설사진정보": ("fcltyPicInfo",), "소재지도로명주소": ("rdnmadr",),
        "소재지지번주소": ("lnmadr",), "관리기관명": ("institutionNm",), "담당부서명": ("chrgDeptNm",),
        "사용안내전화번호": ("phoneNumber",), "홈페이지주소": ("homepageUrl",), "위도": ("latitude",), "경도": ("longitude",),
        "데이터기준일자": ("referenceDate",), "제공기관코드": ("insttCode", "instt_code"), "제공기관명": ("insttNm", "instt_nm"),
    },
    needed=("개방시설명", "위도", "경도", "수용가능인원수"),
    same=("개방시설명", "개방장소명"),
)  # fmt: skip
LATITUDES, LONGITUDES = (33.0, 39.0), (124.0, 132.0)
INTERESTS = {"회의": "office", "강의": "study", "강당": "culture", "공연": "culture", "체육": "sports", "주차": "parking",
             "운동": "sports", "독서": "study", "작업": "office", "사무": "office"}  # fmt: skip
TOLD = ("면적", "신청방법구분", "관리기관명", "담당부서명", "사용안내전화번호", "홈페이지주소")
FIELDS = {"headline": "개방시설명", "place": "개방시설명", "capacity": "수용가능인원수", "price": "사용료",
          "amenities": "부대시설정보", "photos": "시설사진정보", "description": "부대시설정보"}  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """What a row asks for."""

    draft: SpaceDraft
    hours: Hours
    rest: str
    notes: tuple[RowError, ...]

    @property
    def name(self) -> str:
        return self.draft.headline

    @property
    def spot(self) -> tuple[float, float]:
        return self.draft.place.lat, self.draft.place.lon


class Elsewhere:
    """A row of the nation's file that is not of this district: neither wrong nor ours."""


ELSEWHERE = Elsewhere()


def wanted_of(row: Row, district: District) -> Wanted | Elsewhere | list[RowError]:
    """The space that a row asks for, everything that is wrong with it, or that it is elsewhere."""
    read = Reader(row)
    spot = point_of(read, district)
    if isinstance(spot, Elsewhere):
        return spot
    hours = Hours((_day(read, "평일"),) * 5 + (_day(read, "주말"),) * 2)
    rest = rest_of(read)
    body = {**_names(read, spot), **_terms(read)}
    try:
        draft = SpaceDraft.model_validate(body)
    except ValidationError as error:
        told = {one.column for one in read.errors}
        for one in error.errors(include_input=False, include_url=False, include_context=False):
            column = FIELDS.get(str(one["loc"][0]), str(one["loc"][0]))
            if column not in told:
                read.wrong(column, one["type"], one["msg"])
        return read.errors
    return read.errors or Wanted(draft, hours, rest, tuple(read.notes))


def point_of(read: Reader, district: District) -> tuple[float, float] | Elsewhere:
    """Where a row is, decided by its coordinates; its address only says whether it means this district."""
    road, lot = read.row["소재지도로명주소"], read.row["소재지지번주소"]
    ours = is_ours(read.row)
    lat, lon = read.degrees("위도", *LATITUDES), read.degrees("경도", *LONGITUDES)
    if lat is None or lon is None:
        if not ours and (road or lot):
            return ELSEWHERE
        if not read.errors:
            read.wrong("위도", "no-place", "위도와 경도가 필요합니다 / coordinates are needed")
        return 0.0, 0.0
    inside = district.dong_at(lat, lon) is not None
    if not inside and not ours:
        return ELSEWHERE
    if not inside:
        read.wrong(
            "위도",
            "place-mismatch",
            "주소는 광산구인데 좌표는 밖입니다 / the address is in the district, the point is not",
        )
    elif (road or lot) and not ours:
        read.wrong(
            "소재지도로명주소",
            "place-mismatch",
            "좌표는 광산구인데 주소는 다릅니다 / the point is in the district, the address is not",
        )
    elif not road and not lot:
        read.note(
            "소재지도로명주소", "no-address", "주소가 없어 좌표만 씁니다 / no address: the coordinates stand alone"
        )
    return lat, lon


def _day(read: Reader, which: str) -> tuple[Opening, ...]:
    return openings_of(read, f"{which}운영시작시각", f"{which}운영종료시각")


def openings_of(read: Reader, first: str, last: str) -> tuple[Opening, ...]:
    """00:00–00:00 is closed. Where one of the two is missing nothing is guessed: closed, and noted."""
    opens, closes = read.time_of_day(first), read.time_of_day(last)
    if opens is None or closes is None:
        if not any(error.column in (first, last) for error in read.errors):
            read.note(first, "no-hours", "운영시간이 없어 닫힌 것으로 둡니다 / no hours given: kept closed")
        return ()
    if opens[1]:
        read.wrong(first, "time-of-day", "24:00에는 열지 않습니다 / nothing opens at 24:00")
        return ()
    one = opening(opens[0], closes[0], until_midnight=closes[1])
    return () if one is None else (one,)


def rest_of(read: Reader) -> str:
    """The text of 휴관일 as it stands; what is not understood of it is noted."""
    text = read.row["휴관일"][:MOST_TEXT]
    for part in read_rest(text).unparsed:
        read.note("휴관일", "rest-unparsed", f"'{part[:100]}': 글로만 보여 줍니다 / shown, not applied")
    return text


def _names(read: Reader, spot: tuple[float, float]) -> dict[str, Any]:
    row = read.row
    facility, room = row["개방시설명"], row["개방장소명"]
    headline = facility if room in ("", facility) else f"{facility} {room}"
    address = (row["소재지도로명주소"] or row["소재지지번주소"])[:300] or None
    told = [f"{name} {row[name]}" for name in TOLD if row[name]]
    return {
        "headline": headline[:200], "description": " · ".join([row["개방시설유형구분"], *told, _fees(row)]).strip(" ·")[:5_000],
        "place": {"name": facility[:200], "address": address, "lat": spot[0], "lon": spot[1]},
        "interests": sorted({slug for word, slug in INTERESTS.items() if word in row["개방시설유형구분"] + headline}),
    }  # fmt: skip


def _fees(row: Row) -> str:
    """The fee in words, since a fee for two hours and more for each further is no price per hour."""
    if row["유료사용여부"].upper() != "Y" or not row["사용료"]:
        return ""
    base = f"사용료 {row['사용기준시간']}시간 {row['사용료']}원" if row["사용기준시간"] else f"사용료 {row['사용료']}원"
    more = (
        f", 초과 {row['초과사용단위시간']}시간마다 {row['초과사용료']}원" if row["초과사용료"] not in ("", "0") else ""
    )
    return base + more


def _terms(read: Reader) -> dict[str, Any]:
    row = read.row
    people, fee = read.whole("수용가능인원수"), read.whole("사용료")
    if not people and not any(error.column == "수용가능인원수" for error in read.errors):
        read.wrong("수용가능인원수", "capacity", "1명 이상이어야 합니다 / at least one person")
    paid = row["유료사용여부"].upper()
    if paid not in ("Y", "N", ""):
        read.wrong("유료사용여부", "yes-no", f"'{row['유료사용여부'][:20]}': Y 또는 N / Y or N")
    if paid == "Y" and fee is None and not any(error.column == "사용료" for error in read.errors):
        read.wrong("사용료", "missing", "유료인데 사용료가 없습니다 / a fee is asked, and none is told")
    per = "hour" if row["사용기준시간"] in ("1", "01", "1시간", "01:00") else "use"
    amenities = [part.strip()[:60] for part in re.split(r"[,+/;·|\n]", row["부대시설정보"]) if part.strip()]
    photos = [
        part for part in re.split(r"[,\s;]+", row["시설사진정보"]) if part.startswith("https://") and len(part) <= 500
    ]
    return {
        "space_kind": "room", "capacity": people or 1, "amenities": tuple(amenities[:30]), "photos": tuple(photos[:10]),
        "price": {"amount_krw": (fee or 0) if paid == "Y" else 0, "per": per}, "approval": "officer",
    }  # fmt: skip
