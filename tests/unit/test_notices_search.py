"""Search in Korean: words, pairs of letters, and where they stand."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notices.search.domain import asked, highlighted, snippet, squeezed
from shared.rules import Refused

LETTERS = st.text(st.sampled_from("가나다라 \n\u3000abA.*[👩🏽"), max_size=80)


def found(text: str, query: str) -> list[str]:
    return [piece.text for piece in highlighted(text, asked(query)) if piece.found]


@pytest.mark.parametrize(
    ("text", "query", "marked"),
    [
        ("수완동 물놀이 장 열어요", "물놀이장", ["물놀이 장"]),
        ("수완동 물놀이장 열어요", "물놀이 장", ["물놀이", "장"]),
        ("긴급단수안내", "단수", ["단수"]),
        ("BUS 노선과 bus 요금", "Bus 요금", ["BUS", "bus", "요금"]),
        ("1+1 (행사) [무료]", "(행사)", ["(행사)"]),
        ("독감 예방접종", "접종", ["접종"]),
        ("İstanbul 자매도시", "자매", ["자매"]),
    ],
)
def test_words_are_marked_whatever_the_spaces_and_case(text: str, query: str, marked: list[str]) -> None:
    assert found(text, query) == marked


def test_letters_that_a_mac_takes_apart_are_the_same_letters() -> None:
    apart = unicodedata.normalize("NFD", "수완동 물놀이장")
    assert found(apart, "물놀이장") == ["물놀이장"]
    assert found("수완동 물놀이장", unicodedata.normalize("NFD", "물놀이장")) == ["물놀이장"]


@pytest.mark.parametrize("query", ["가", "가 나", " ", "\u3000a\u3000"])
def test_a_query_has_a_word_of_two_letters(query: str) -> None:
    with pytest.raises(Refused):
        asked(query)


@given(text=LETTERS, query=LETTERS)
def test_pieces_make_the_text_and_only_what_was_asked_for_is_marked(text: str, query: str) -> None:
    try:
        wanted = asked(query)
    except Refused:
        return
    pieces = highlighted(text, wanted)
    assert "".join(piece.text for piece in pieces) == unicodedata.normalize("NFC", text)
    assert all(squeezed(piece.text) in wanted.words for piece in pieces if piece.found)
    assert all(pair in "".join(wanted.words) or len(wanted.words) > 1 for pair in wanted.pairs)


def test_a_snippet_is_short_and_shows_what_was_found() -> None:
    text = "가" * 2_000 + " 물놀이장 " + "나" * 2_000
    pieces = snippet(text, asked("물놀이장"))
    whole = "".join(piece.text for piece in pieces)
    assert len(whole) <= 162
    assert [piece.text for piece in pieces if piece.found] == ["물놀이장"]
    assert (whole[0], whole[-1]) == ("…", "…")
    assert "".join(p.text for p in snippet("짧은 글", asked("없는말"))) == "짧은 글"
