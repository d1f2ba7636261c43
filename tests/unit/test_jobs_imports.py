"""Files read: encodings, shapes, times, places; what is wrong told by line and column; 고용24's answers, its failures too."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.jobs.imports import domain, work24
from services.jobs.imports.domain import Row, RowError, draft_of, rows_of
from services.jobs.postings.models import PostingDraft
from shared.geo import district
from shared.rules import Refused

RECORDED = Path(__file__).parents[1] / "recorded"
HEADER = "외부번호,제목,장소,동,시작,종료,보수"
GOOD = "a1,책 정리,수완도서관,수완동,2026-12-01 10:00,2026-12-01 12:00,12000"


def drafts(text: str, encoding: str = "utf-8") -> list[PostingDraft | list[RowError]]:
    rows, errors = rows_of(text.encode(encoding))
    assert errors == []
    return [draft_of(row, district()) for row in rows]


def wrong(line: str, header: str = HEADER) -> set[tuple[int, str, str]]:
    (found,) = drafts(f"{header}\n{line}")
    assert isinstance(found, list)
    return {(e.line, e.column, e.rule) for e in found}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_both_encodings_of_korean_spreadsheets_are_read(encoding: str) -> None:
    (draft,) = drafts(f"{HEADER}\r\n{GOOD}\r\n", encoding)
    assert isinstance(draft, PostingDraft)
    assert (draft.headline, draft.pay.amount_krw, draft.pay.per) == ("책 정리", 12_000, "hour")
    assert draft.starts_at.isoformat() == "2026-12-01T01:00:00+00:00"
    dong = district().dong_at(draft.place.lat, draft.place.lon)
    assert dong is not None
    assert dong.name == "수완동"


def test_english_names_zones_and_every_column_are_taken() -> None:
    header = (
        "external_id,headline,description,place,address,lat,lon,radius_m,starts_at,ends_at,expires_at,"
        "pay,pay_per,slots,min_age,interests,category"
    )
    line = (
        'x,"책, 정리",설명,도서관,주소,35.19,126.82,500,2026-12-01T10:00+09:00,2026-12-01T12:00+09:00,2026-12-01 09:00,'
        '"50,000",일급,3,20,library; meals,library'
    )
    (draft,) = drafts(f"{header}\n{line}")
    assert isinstance(draft, PostingDraft)
    assert (draft.headline, draft.radius_m, draft.slots, draft.interests) == ("책, 정리", 500, 3, ("library", "meals"))
    assert (draft.pay.amount_krw, draft.pay.per, draft.min_age, draft.category) == (50_000, "day", 20, "library")


def test_what_is_wrong_is_told_by_line_and_column_all_of_it() -> None:
    assert wrong("a1,책,수완도서관,없는동,언제,2026-12-01 12:00,많이") == {
        (2, "제목", "string_too_short"), (2, "위도", "no-place"), (2, "시작", "rfc3339"), (2, "보수", "number"),
    }  # fmt: skip
    columns = {column for _, column, _ in wrong(",책 정리,수완도서관,수완동,2026-02-30 10:00,2026-12-01 12:00,12000")}
    assert columns == {"외부번호", "시작"}


def test_shape_errors_name_their_line_and_the_rest_is_read() -> None:
    text = f'{HEADER}\n{GOOD}\na2,하나\n\n"a3","두\n줄",수완도서관,수완동,2026-12-01 10:00,2026-12-01 12:00,12000\n{GOOD}\n'
    rows, errors = rows_of(text.encode())
    assert [(row.line, row.external_id) for row in rows] == [(2, "a1"), (5, "a3")]
    assert [(e.line, e.column, e.rule) for e in errors] == [(3, "-", "columns"), (7, "외부번호", "repeated-id")]


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b"", "header"),
        ("제목,장소".encode(), "header"),
        (f"{HEADER},제목".encode(), "header"),
        (f"{HEADER},모르는칸".encode(), "header"),
        (f'{HEADER}\n"열린 따옴표'.encode(), "csv"),
        (f"{HEADER}\na\0b".encode(), "nul-character"),
        (b"\xff\xfe\x00\x81", "encoding"),
        (f"{HEADER}\n".encode() + b"x" * 200_000, "csv"),
    ],
)
def test_a_file_that_is_none_is_refused_with_the_reason(raw: bytes, rule: str) -> None:
    with pytest.raises(Refused) as refused:
        rows_of(raw)
    assert refused.value.rule == rule


def test_there_is_an_end_to_the_rows() -> None:
    body = "\n".join(
        f"{n},책 정리,도서관,수완동,2026-12-01 10:00,2026-12-01 12:00,1" for n in range(domain.MOST_ROWS + 1)
    )
    with pytest.raises(Refused, match="at most"):
        rows_of(f"{HEADER}\n{body}".encode())


@given(st.binary(max_size=300))
def test_whatever_comes_is_read_or_refused(noise: bytes) -> None:
    for raw in (noise, f"{HEADER}\n".encode() + noise):
        rows, errors = read_or_refused(raw)
        for row in rows:
            assert draft_of(row, district())
        assert all(error.line >= 2 for error in errors)


def read_or_refused(raw: bytes) -> tuple[list[Row], list[RowError]]:
    try:
        return rows_of(raw)
    except Refused:
        return [], []


@given(st.lists(st.text(max_size=30), min_size=7, max_size=7))
def test_whatever_is_in_the_cells_is_a_posting_or_told_what_is_wrong(cells: list[str]) -> None:
    names = [domain.COLUMNS[name] for name in HEADER.split(",")]
    found = draft_of(Row(2, dict(zip(names, cells, strict=True))), district())
    assert isinstance(found, PostingDraft) or all(error.line == 2 and error.column for error in found)


def test_the_same_row_is_the_same_posting_only_within_its_institution() -> None:
    row = Row(2, {"external_id": "a1"})
    assert row.posting_id("수완동") == Row(9, {"external_id": "a1", "headline": "x"}).posting_id("수완동")
    assert row.posting_id("수완동") != row.posting_id("첨단1동")


def test_the_list_of_work24_becomes_rows_by_dong_and_says_why_not() -> None:
    rows, errors = work24.rows_of((RECORDED / "work24-l01.xml").read_bytes(), district())
    found = [draft_of(row, district()) for row in rows]
    one, two, far = found
    assert isinstance(one, PostingDraft)
    assert (one.headline, one.pay.amount_krw, one.pay.per) == ("[고용24] 어르신 식사 준비 도우미", 12_000, "hour")
    assert one.starts_at.isoformat() == "2026-12-11T00:00:00+00:00"
    assert isinstance(two, PostingDraft)
    assert (two.headline, two.pay.per, two.starts_at.day) == ("[고용24] 사무실 청소 & 정리 🧹", "day", 13)
    assert isinstance(far, list)
    assert {e.rule for e in far} >= {"no-place"}
    assert [(e.line, e.column, e.rule) for e in errors] == [(3, "salTpNm", "pay-unit")]
    assert rows[0].external_id == "work24:KJKA012611220001"


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><wantedRoot>&b;</wantedRoot>'


@pytest.mark.parametrize(
    ("raw", "rule", "says"),
    [
        ((RECORDED / "work24-error.xml").read_bytes(), "source-error", "인증키가 유효하지 않습니다"),
        ((RECORDED / "work24-outage.html").read_bytes(), "source-html", "HTML"),
        (b"<wantedRoot><wanted>", "xml", "not XML"),
        (b"<other/>", "source-shape", "wantedRoot"),
        (b"", "xml", "not XML"),
        (BOMB, "xml-doctype", "document type"),
        (BOMB.decode().encode("utf-16"), "xml-doctype", "UTF-16"),
        (b'<?xml version="1.0" encoding="no-such"?><a/>', "xml", "not XML"),
    ],
)
def test_work24s_failures_are_told_as_what_they_are(raw: bytes, rule: str, says: str) -> None:
    with pytest.raises(Refused, match=says) as refused:
        work24.rows_of(raw, district())
    assert refused.value.rule == rule


def test_an_empty_list_is_no_failure() -> None:
    assert work24.rows_of(b"<wantedRoot><total>0</total></wantedRoot>", district()) == ([], [])
