"""Rows of the public standards as tests make them: written afresh on the district's places, in every published form."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from services.spaces.imports.domain import Source
from services.spaces.imports.facilities import FACILITIES
from services.spaces.imports.libraries import LIBRARIES

ROOM: dict[str, str] = {
    "개방시설명": "수완동행정복지센터", "개방장소명": "대회의실", "개방시설유형구분": "회의실", "휴관일": "토,일,공휴일",
    "평일운영시작시각": "09:00", "평일운영종료시각": "21:00", "주말운영시작시각": "00:00", "주말운영종료시각": "00:00",
    "유료사용여부": "Y", "사용기준시간": "2", "사용료": "20000", "초과사용단위시간": "1", "초과사용료": "5000",
    "수용가능인원수": "80", "면적": "120", "부대시설정보": "빔프로젝터+음향시설", "신청방법구분": "방문", "시설사진정보": "",
    "소재지도로명주소": "광주광역시 광산구 장신로 98", "소재지지번주소": "광주광역시 광산구 장덕동 1281", "관리기관명": "광산구",
    "담당부서명": "자치행정과", "사용안내전화번호": "062-000-0000", "홈페이지주소": "", "위도": "35.1906", "경도": "126.8234",
    "데이터기준일자": "2026-06-30", "제공기관코드": "29200", "제공기관명": "광주광역시 광산구",
}  # fmt: skip
LIBRARY: dict[str, str] = {
    **dict.fromkeys(LIBRARIES.columns, ""), "도서관명": "첨단도서관", "시도명": "광주광역시", "시군구명": "광산구",
    "도서관유형": "공공도서관", "휴관일": "매주 월요일, 법정공휴일", "평일운영시작시각": "09:00", "평일운영종료시각": "22:00",
    "토요일운영시작시각": "09:00", "토요일운영종료시각": "18:00", "공휴일운영시작시각": "09:00", "공휴일운영종료시각": "17:00",
    "열람좌석수": "1,024", "소재지도로명주소": "광주광역시 광산구 임방울대로 673-12", "위도": "35.2169021", "경도": "126.8321272",
    "데이터기준일자": "2026-06-30", "제공기관코드": "29200", "제공기관명": "광주광역시 광산구",
}  # fmt: skip


def room(n: int = 0, /, **changed: str) -> dict[str, str]:
    """A good row; each `n` is a room of its own, further apart than near-duplicates are."""
    spot = {"위도": f"{35.16 + n % 100 * 0.0004:.6f}", "경도": f"{126.79 + n // 100 * 0.0004:.6f}"} if n else {}
    named = {"개방장소명": f"{n}호 회의실", "소재지도로명주소": f"광주광역시 광산구 장신로 {n}"} if n else {}
    return {**ROOM, **named, **spot, **changed}


def merged(row: dict[str, str]) -> dict[str, str]:
    """The same row under the province's name since 2026-07-01."""
    new = {name: cell.replace("광주광역시", "전남광주통합특별시") for name, cell in row.items()}
    return {**new, "제공기관코드": "12330"}


def as_csv(*rows: dict[str, str], source: Source = FACILITIES, encoding: str = "utf-8-sig") -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(source.columns), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode(encoding)


def as_portal_json(*rows: dict[str, str], source: Source = FACILITIES) -> bytes:
    fields = [{"id": name} for name in source.columns]
    return json.dumps({"fields": fields, "records": list(rows)}, ensure_ascii=False).encode()


def as_api_json(*rows: dict[str, str], typos: bool = True, underscores: bool = False) -> bytes:
    """As the API answers, keys spelt as it spells them; `underscores` are the later names of who gives it."""
    which = -1 if underscores else 0
    keys = {name: spelt[which] for name, spelt in FACILITIES.columns.items()}
    keys["평일운영종료시각"] = FACILITIES.columns["평일운영종료시각"][0 if typos else -1]
    items: list[dict[str, Any]] = [{keys[name]: cell for name, cell in row.items()} for row in rows]
    body = {"items": items, "totalCount": str(len(items)), "numOfRows": "100", "pageNo": "1"}
    return json.dumps(
        {"response": {"header": {"resultCode": "00", "resultMsg": "NORMAL_SERVICE"}, "body": body}}
    ).encode()
