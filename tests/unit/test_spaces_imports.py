"""Files of public data as they are published: every form gives the same rows; what is wrong is told by line and column."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.spaces.calendars.domain import Hours, Opening
from services.spaces.imports.domain import Row, local_address, names_district, rows_of
from services.spaces.imports.facilities import FACILITIES, Elsewhere, Wanted, wanted_of
from services.spaces.imports.libraries import LIBRARIES, Library, library_of
from services.spaces.imports.near import Known, Neighbours, alike
from shared.geo import district, haversine_m
from shared.rules import Refused
from tests.public_data import LIBRARY, as_api_json, as_csv, as_portal_json, merged, room


def only(raw: bytes) -> Row:
    rows, errors = rows_of(raw, FACILITIES)
    assert errors == []
    (row,) = rows
    return row


def wanted(**changed: str) -> Wanted:
    read = wanted_of(only(as_csv(room(**changed))), district())
    assert isinstance(read, Wanted), read
    return read


def broken(**changed: str) -> set[tuple[str, str]]:
    read = wanted_of(only(as_csv(room(**changed))), district())
    assert isinstance(read, list), read
    return {(error.column, error.rule) for error in read}


def test_there_are_29_columns() -> None:
    assert len(FACILITIES.columns) == 29
    assert len(LIBRARIES.columns) == 28


@pytest.mark.parametrize(
    "raw",
    [
        as_csv(room()), as_csv(room(), encoding="cp949"), as_csv(room(), encoding="utf-8"), as_portal_json(room()),
        as_api_json(room()), as_api_json(room(), typos=False), as_api_json(room(), underscores=True),
    ],
    ids=["utf-8-sig", "cp949", "utf-8", "portal", "api", "api-mended", "api-underscores"],
)  # fmt: skip
def test_every_published_form_gives_the_same_row(raw: bytes) -> None:
    assert dict(only(raw).cells) == room()
    assert only(raw).digest() == only(as_csv(room())).digest()


def test_a_row_is_a_space_with_its_calendar() -> None:
    read = wanted()
    draft = read.draft
    assert (draft.headline, draft.place.name, draft.capacity) == (
        "수완동행정복지센터 대회의실",
        "수완동행정복지센터",
        80,
    )
    assert (draft.price.amount_krw, draft.price.per, draft.approval) == (20_000, "use", "officer")
    assert draft.amenities == ("빔프로젝터", "음향시설")
    assert "사용료 2시간 20000원, 초과 1시간마다 5000원" in draft.description
    assert read.hours == Hours(((Opening(540, 1_260),),) * 5 + ((), ()))
    assert (read.rest, read.notes) == ("토,일,공휴일", ())


def test_free_is_free_and_a_price_by_the_hour_is_one() -> None:
    assert wanted(유료사용여부="N").draft.price.amount_krw == 0
    hourly = wanted(사용기준시간="1").draft.price
    assert (hourly.amount_krw, hourly.per) == (20_000, "hour")


def test_hours_of_all_kinds() -> None:
    night = wanted(
        평일운영시작시각="22:00", 평일운영종료시각="06:00", 주말운영시작시각="0000", 주말운영종료시각="24:00"
    )
    assert night.hours == Hours(((Opening(1_320, 1_800),),) * 5 + ((Opening(0, 1_440),),) * 2)
    unknown = wanted(주말운영시작시각="", 주말운영종료시각="")
    assert unknown.hours.weekdays[6] == ()
    assert [note.rule for note in unknown.notes] == ["no-hours"]


def test_a_rest_day_that_is_not_understood_is_kept_and_noted() -> None:
    read = wanted(휴관일="매주 월요일, 시설 점검일")
    assert read.rest == "매주 월요일, 시설 점검일"
    assert [(note.column, note.rule) for note in read.notes] == [("휴관일", "rest-unparsed")]


def test_a_missing_address_is_noted_and_the_point_stands() -> None:
    read = wanted(소재지도로명주소="", 소재지지번주소="")
    assert read.draft.place.address is None
    assert [note.rule for note in read.notes] == ["no-address"]
    lot = wanted(소재지도로명주소="")
    assert lot.draft.place.address == "광주광역시 광산구 장덕동 1281"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"수용가능인원수": "많음"}, {("수용가능인원수", "number")}),
        ({"수용가능인원수": "0"}, {("수용가능인원수", "capacity")}),
        ({"수용가능인원수": ""}, {("수용가능인원수", "capacity")}),
        ({"사용료": "이만원"}, {("사용료", "number")}),
        ({"사용료": ""}, {("사용료", "missing")}),
        ({"유료사용여부": "유료"}, {("유료사용여부", "yes-no")}),
        ({"평일운영시작시각": "9시"}, {("평일운영시작시각", "time-of-day")}),
        ({"평일운영종료시각": "25:00"}, {("평일운영종료시각", "time-of-day")}),
        ({"평일운영시작시각": "24:00"}, {("평일운영시작시각", "time-of-day")}),
        ({"위도": "126.8234", "경도": "35.1906"}, {("위도", "coordinate"), ("경도", "coordinate")}),
        ({"위도": "nan"}, {("위도", "coordinate")}),
        ({"위도": "", "경도": ""}, {("위도", "no-place")}),
        ({"위도": "35.5"}, {("위도", "place-mismatch")}),
        ({"소재지도로명주소": "서울특별시 중구 1", "소재지지번주소": ""}, {("소재지도로명주소", "place-mismatch")}),
        ({"개방시설명": "", "개방장소명": ""}, {("개방시설명", "string_too_short")}),
        ({"수용가능인원수": "x", "사용료": "y", "위도": "z"},
         {("수용가능인원수", "number"), ("사용료", "number"), ("위도", "coordinate")}),
    ],
)  # fmt: skip
def test_all_that_is_wrong_with_a_row_is_told_by_column(changed: dict[str, str], told: set[tuple[str, str]]) -> None:
    assert broken(**changed) == told


@pytest.mark.parametrize(
    ("address", "ours"),
    [
        ("광주광역시 광산구 장신로 98", True),
        ("전남광주통합특별시 광산구 장신로 98", True),
        ("광주 광산구 장신로 98", True),
        ("광산구 장신로 98", True),
        ("전라남도 광산구 장신로 98", False),
        ("전남 광산구 장신로 98", False),
        ("전남광주통합특별시 순천시 장명로 1", False),
        ("광주광역시 서구 광산구로 1", False),
        ("경기도 광주시 경안동", False),
        ("", False),
    ],
)
def test_what_is_in_the_district_by_its_address(address: str, ours: bool) -> None:
    assert names_district(address) == ours


def test_the_same_row_under_both_names_of_the_province_is_the_same() -> None:
    before, after = only(as_csv(room())), only(as_csv(merged(room())))
    assert (before.external_id, before.digest()) == (after.external_id, after.digest())
    assert local_address("전남광주통합특별시 광산구 장신로 98") == local_address("광주광역시 광산구 장신로 98")
    elsewhere = only(as_csv(room(소재지도로명주소="전라남도 광산구 장신로 98")))
    assert elsewhere.external_id != before.external_id
    newer = only(as_csv(room(데이터기준일자="2026-11-01")))
    assert newer.digest() == before.digest()


def test_rows_of_other_districts_are_neither_wrong_nor_ours() -> None:
    seoul = {
        "소재지도로명주소": "서울특별시 중구 세종대로 110",
        "소재지지번주소": "",
        "위도": "37.5663",
        "경도": "126.9779",
    }
    assert isinstance(wanted_of(only(as_csv(room(**seoul))), district()), Elsewhere)
    far = {"소재지도로명주소": "전남광주통합특별시 순천시 장명로 30", "소재지지번주소": "", "위도": "", "경도": ""}
    assert isinstance(wanted_of(only(as_csv(room(**far))), district()), Elsewhere)
    for code in ("29200", "12330"):
        bare = {"소재지도로명주소": "", "소재지지번주소": "", "위도": "", "경도": "", "제공기관코드": code}
        assert broken(**bare) == {("위도", "no-place")}


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b"", "header"),
        (b"a,b\n1,2\n", "header"),
        (as_csv(room()).replace("위도".encode(), "경도".encode()), "header"),
        (b"\xff\xfe\x00\x81", "encoding"),
        ("개방시설명\0".encode(), "nul-character"),
        (b'"a\nb', "csv"),
        (b"{", "json"),
        (b"[" * 100_000, "json"),
        (b'{"a": 1}', "shape"),
        (b"<html><body>error</body></html>", "source-error"),
        (b"<OpenAPI_ServiceResponse><cmmMsgHeader><errMsg>SERVICE ERROR</errMsg></cmmMsgHeader>", "source-error"),
        (
            json.dumps({"response": {"header": {"resultCode": "30", "resultMsg": "KEY"}, "body": {}}}).encode(),
            "source-error",
        ),
    ],
)
def test_a_file_that_is_none_is_refused_with_its_reason(raw: bytes, rule: str) -> None:
    with pytest.raises(Refused) as refused:
        rows_of(raw, FACILITIES)
    assert refused.value.rule == rule


def test_half_a_character_is_replaced() -> None:
    rows, errors = rows_of(as_portal_json(room(1)).replace("수완동행정복지센터".encode(), rb"\ud800"), FACILITIES)
    assert (rows[0]["개방시설명"], errors) == ("?", [])


def test_no_data_is_no_error() -> None:
    nothing = {"response": {"header": {"resultCode": "03", "resultMsg": "NODATA_ERROR"}, "body": {"items": ""}}}
    assert rows_of(json.dumps(nothing).encode(), FACILITIES) == ([], [])


def test_lines_with_the_wrong_number_of_cells_and_repeated_rows_are_told() -> None:
    raw = as_csv(room(1), room(2)) + b"a,b\r\n" + as_csv(room(1)).split(b"\r\n", 1)[1]
    rows, errors = rows_of(raw, FACILITIES)
    assert [row.line for row in rows] == [2, 3]
    assert [(error.line, error.rule) for error in errors] == [(4, "columns"), (5, "repeated-row")]
    records = [room(1), "x", {"openFcltyNm": "a"}]
    rows, errors = rows_of(json.dumps({"records": records}).encode(), FACILITIES)
    assert [(error.line, error.rule) for error in errors] == [(2, "record"), (3, "missing")]


def test_a_library_is_a_place_with_its_hours() -> None:
    (row,), _ = rows_of(as_csv(LIBRARY, source=LIBRARIES, encoding="cp949"), LIBRARIES)
    read = library_of(row, district())
    assert isinstance(read, Library)
    assert (read.name, read.seats, read.rest) == ("첨단도서관", 1_024, "매주 월요일, 법정공휴일")
    assert read.hours.weekdays[6] == read.hours.holidays == (Opening(540, 1_020),)
    assert read.hours.weekdays[5] == (Opening(540, 1_080),)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("수완동행정복지센터 대회의실", "수완동 행정복지센터 대회의실", True),
        ("수완동행정복지센터 대회의실", "수완동주민센터 대회의실", False),
        ("첨단도서관 회의실 1", "첨단도서관 회의실 2", False),
        ("Room A", "ROOM-A", True),
        ("강당", "회의실", False),
    ],
)
def test_names_that_are_nearly_the_same(one: str, other: str, same: bool) -> None:
    assert alike(one, other) == alike(other, one) == same


@given(st.floats(-0.0006, 0.0006), st.floats(-0.0006, 0.0006))
def test_what_is_within_25_m_is_found_and_nothing_beyond(north: float, east: float) -> None:
    known = Known(UUID(int=1), "대회의실", 35.19, 126.82)
    lat, lon = 35.19 + north, 126.82 + east
    found = Neighbours([known]).near_duplicate("대 회의실", lat, lon)
    assert (found is not None) == (haversine_m(lat, lon, known.lat, known.lon) <= 25.0)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_are_too_strange(raw: bytes) -> None:
    refused = None
    try:
        rows_of(raw, FACILITIES)
    except Refused as error:
        refused = error
    assert refused is None or refused.field == "file"
