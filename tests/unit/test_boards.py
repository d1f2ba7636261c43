"""What boards send: charsets that are said wrong, markup with scripts, bombs, dates of next year, ids that come twice."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notices.boards.charsets import as_text
from services.notices.boards.domain import Board, Item, content, each_once, next_look, plain
from services.notices.boards.reading import items_of
from services.notices.publishing.models import NoticeDraft
from shared.rules import Refused

NOW = datetime(2027, 3, 2, 9, 30, tzinfo=UTC)
KOREAN = "똠방각하 펲시콜라 수완동 안내"


def rss(items: str, head: str = '<?xml version="1.0" encoding="utf-8"?>') -> str:
    return f"{head}<rss version='2.0'><channel><title>게시판</title>{items}</channel></rss>"


def item(n: int = 1, **parts: str) -> str:
    whole = {
        "title": f"글 {n}", "link": f"https://board.example.kr/{n}", "guid": f"g{n}", "pubDate": "Mon, 01 Mar 2027 09:00:00 +0900", **parts,
    }  # fmt: skip
    return "<item>" + "".join(f"<{name}>{value}</{name}>" for name, value in whole.items()) + "</item>"


def read(text: str | bytes, content_type: str = "") -> list[Item]:
    return items_of(text.encode() if isinstance(text, str) else text, "feed", NOW, content_type)


def test_an_item_is_read_with_its_words_its_link_and_its_time() -> None:
    (one,) = read(rss(item(description="&lt;p&gt;첫째&lt;/p&gt;&lt;p&gt;둘&amp;amp;째&lt;/p&gt;")))
    assert (one.guid, one.headline, one.body, one.link) == ("g1", "글 1", "첫째\n둘&째", "https://board.example.kr/1")
    assert one.at == datetime(2027, 3, 1, 0, 0, tzinfo=UTC)


def test_atom_is_read_too() -> None:
    (one,) = read(
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>b</title><entry><id>urn:x</id><title>제목</title>'
        '<updated>2027-03-01T00:00:00Z</updated><link href="https://b.example/1"/>'
        '<content type="html">&lt;b&gt;본문&lt;/b&gt;</content></entry></feed>'
    )
    assert (one.guid, one.headline, one.body) == ("urn:x", "제목", "본문")


@pytest.mark.parametrize(
    ("encoding", "declared", "content_type"),
    [
        ("utf-8", "utf-8", ""), ("cp949", "euc-kr", ""), ("cp949", "utf-8", ""), ("utf-8", "euc-kr", ""), ("cp949", "iso-8859-1", ""),
        ("cp949", "utf-8", "text/xml; charset=ISO-8859-1"), ("cp949", "", "text/xml; charset=euc-kr"), ("utf-8", "nonsense", ""),
        ("utf-8-sig", "utf-8", ""), ("utf-16", "utf-16", ""), ("cp949", "utf-7", ""),
    ],
)  # fmt: skip
def test_charsets_are_what_they_are_whatever_is_said(encoding: str, declared: str, content_type: str) -> None:
    head = f'<?xml version="1.0" encoding="{declared}"?>' if declared else '<?xml version="1.0"?>'
    (one,) = read(rss(item(title=KOREAN), head).encode(encoding), content_type)
    assert one.headline == KOREAN


@pytest.mark.parametrize(
    "markup",
    [
        "<script>alert(1)</script>안녕", "<img src=x onerror=alert(1)>안녕", "&lt;script&gt;alert(1)&lt;/script&gt;안녕",
        "<scr<script>ipt>alert(1)</script>안녕",
        "&amp;lt;script&amp;gt;alert(1)&amp;lt;/script&amp;gt;안녕", "<svg/onload=alert(1)>안녕", "<a href='javascript:alert(1)'>안녕</a>",
        "<style>*{x:expression(alert(1))}</style>안녕", "<iframe srcdoc='<script>alert(1)</script>'></iframe>안녕", "<!--<script>-->안녕",
        "안녕<math><mtext></table><img src onerror=alert(1)>",
    ],
)  # fmt: skip
def test_no_script_is_ever_kept(markup: str) -> None:
    kept = plain(markup, 1_000)
    assert "안녕" in kept
    assert "<" not in kept
    assert "onerror" not in kept


@given(st.text(max_size=200))
def test_whatever_comes_is_text_without_tags(markup: str) -> None:
    kept = plain(markup, 100)
    assert len(kept) <= 100
    assert "\0" not in kept
    assert "<script" not in kept.lower()


def test_links_that_are_no_links_are_left_out() -> None:
    for link in ("javascript:alert(1)", "data:text/html,x", "/relative", 'https://a.example/"onclick=', ""):
        assert read(rss(item(link=link.replace('"', "&quot;"))))[0].link is None


def test_dates_of_the_future_are_now_and_dates_that_are_none_are_none() -> None:
    future, none, soon = read(
        rss(
            item(1, pubDate="Fri, 01 Jan 2099 00:00:00 GMT")
            + item(2, pubDate="어제")
            + item(3, pubDate="Tue, 02 Mar 2027 10:00:00 GMT")
        )
    )
    assert (future.at, none.at, soon.at) == (NOW, None, NOW + timedelta(minutes=30))


def test_ids_that_come_twice_count_once_and_without_one_the_link_is_it() -> None:
    found = read(rss(item(1, title="새것") + item(1, title="옛것") + item(2, guid="") + item(3, guid="", link="")))
    assert [one.headline for one in found] == ["새것", "글 2", "글 3"]
    assert found[1].guid == "https://board.example.kr/2"
    assert each_once(found + found) == found


BOMB = '<!DOCTYPE b [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>'
XXE = '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
PARAMETER = '<!DOCTYPE r [<!ENTITY % d SYSTEM "http://127.0.0.1:1/x.dtd">%d;]>'


@pytest.mark.parametrize("doctype", [BOMB, XXE, PARAMETER])
def test_bombs_and_outer_entities_are_refused(doctype: str) -> None:
    with pytest.raises(Refused) as refused:
        read(f"{doctype}<rss version='2.0'><channel><item><title>&c;&x;</title></item></channel></rss>")
    assert refused.value.rule == "xml-entity"


def test_a_harmless_document_type_is_not_minded() -> None:
    old = '<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://x.example/rss.dtd">'
    assert len(read(rss(item(), old))) == 1


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        ("<!DOCTYPE html><html><body>점검 중</body></html>", "source-html"), ("", "source-shape"), ("안녕", "source-shape"),
        ("<a/>", "source-shape"), ("\0" * 50, "charset"), ("<rss>" + "x" * 600_000, "xml"),
    ],
)  # fmt: skip
def test_what_is_no_feed_is_told_as_what_it_is(raw: str, rule: str) -> None:
    with pytest.raises(Refused) as refused:
        read(raw)
    assert refused.value.rule == rule


def test_nearly_good_xml_is_read_all_the_same() -> None:
    assert [one.headline for one in read(rss(item(title="A & B 안내")))] == ["A & B 안내"]


def test_deep_nesting_and_many_items_take_little_time() -> None:
    began = time.process_time()
    many = read(rss("".join(item(n) for n in range(3_000))))
    assert len(many) == 500
    with pytest.raises(Refused):
        read("<a>" * 100_000)
    assert time.process_time() - began < 20


def test_a_text_that_looks_like_an_address_is_not_fetched() -> None:
    with pytest.raises(Refused):
        read("http://127.0.0.1:1/feed.xml")


MESSAGE = {"SN": 1234, "CRT_DT": "2027/03/02 18:00:00", "MSG_CN": "[광산구청] 평동 화재, 창문을 닫아 주세요",
           "RCPTN_RGN_NM": "광주광역시 광산구 ",
           "EMRG_STEP_NM": "안전안내", "DST_SE_NM": "화재", "REG_YMD": "20270302", "MDFCN_YMD": "20270302"}  # fmt: skip


def disasters(*rows: dict[str, object], code: str = "00") -> list[Item]:
    import json

    body = {
        "header": {"resultCode": code, "resultMsg": "NORMAL"},
        "numOfRows": len(rows),
        "totalCount": len(rows),
        "body": list(rows),
    }
    return items_of(json.dumps(body).encode(), "disaster", NOW)


def test_disaster_messages_for_us_once_per_sn() -> None:
    elsewhere = {**MESSAGE, "SN": 2, "RCPTN_RGN_NM": "광주광역시 북구 ,부산광역시 전체"}
    city = {**MESSAGE, "SN": 3, "RCPTN_RGN_NM": "전라남도 담양군 ,광주광역시 전체", "EMRG_STEP_NM": "위급재난"}
    merged = {**MESSAGE, "SN": 4, "RCPTN_RGN_NM": "전남광주통합특별시 광산구"}
    found = disasters(MESSAGE, MESSAGE, elsewhere, city, merged, {**MESSAGE, "SN": None}, {})
    assert [(one.guid, one.urgent) for one in found] == [("SN 1234", False), ("SN 3", True), ("SN 4", False)]
    assert found[0].headline.startswith("[안전안내] 화재 [광산구청] 평동 화재")
    assert found[0].at == datetime(2027, 3, 2, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"body":{}}',
        b"<html>",
        b"[" * 100_000,
        b'{"header":{"resultCode":"30"},"body":[]}',
    ],
)
def test_what_is_no_list_of_messages_is_refused(raw: bytes) -> None:
    with pytest.raises(Refused):
        items_of(raw, "disaster", NOW)


def test_an_item_is_a_good_draft() -> None:
    board = Board(
        uuid4(), "수완동", "수완동/알림", "https://b.example", "feed", (), ("children",), "officer:1", None, None, 0
    )
    one = Item("g", "가" * 200, "나" * 10_000, "https://b.example/1", NOW)
    for made in (board, replace(board, dongs=("1233063700",))):
        draft = NoticeDraft.model_validate(content(one, made, NOW))
        assert (draft.channel, draft.topics, draft.emergency) == ("수완동/알림", ("children",), False)


def test_the_wait_doubles_with_each_failure_up_to_six_hours() -> None:
    waits = [(next_look(n, 600, NOW) - NOW).total_seconds() for n in (0, 1, 2, 5, 6, 1_000)]
    assert waits == [600, 1_200, 2_400, 19_200, 21_600, 21_600]
    assert (next_look(0, 86_400, NOW) - NOW).total_seconds() == 86_400


@given(st.binary(max_size=300).filter(lambda raw: b"\0" not in raw))
def test_no_bytes_break_the_reading_of_text(raw: bytes) -> None:
    assert isinstance(as_text(raw), str)
