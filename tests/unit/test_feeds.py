"""Feeds as their readers take them: Atom, RSS and JSON Feed that parse, CAP that its schema accepts, whatever is in a notice."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from uuid import UUID, uuid4
from xml.etree import ElementTree as ET

import feedparser
import pytest
import xmlschema
from hypothesis import given
from hypothesis import strategies as st

from services.notices.feeds.api import answer
from services.notices.feeds.cache import Cache, Kept, Version
from services.notices.feeds.cap import alert
from services.notices.feeds.domain import Feed, Scope, Told
from services.notices.feeds.render import atom, json_feed, rss
from services.notices.publishing.domain import Attachment, Notice, Terms, Translation
from shared.contracts.posting import Circle, Where
from shared.geo import district

NOW = datetime(2027, 3, 2, 9, 30, tzinfo=UTC)
BASE = "https://gwangsan.example"
SCHEMA = xmlschema.XMLSchema(str(Path(__file__).parents[1] / "contract" / "cap-1.2.xsd"))
ATOM = "{http://www.w3.org/2005/Atom}"
CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"


def notice(id_: UUID | None = None, **changed: object) -> Notice:
    where = Where(circles=(Circle(lat=35.19, lon=126.82, radius_m=700),), dongs=("1233063700",))
    terms = Terms(
        "물놀이장을 열어요", "7월 1일부터\n매일 10시", where, ("children",), "수완동", False, NOW + timedelta(days=9)
    )
    terms = replace(terms, **{name: value for name, value in changed.items() if hasattr(terms, name)})  # type: ignore[arg-type]
    made = Notice(id_ or uuid4(), 1, 0, "open", None, "수완동", "officer:수완동", terms, NOW, NOW)
    return replace(made, **{name: value for name, value in changed.items() if not hasattr(terms, name)})  # type: ignore[arg-type]


def feed(*notices: Notice, title: str = "수완동") -> Feed:
    return Feed(f"{BASE}/api/notices/feeds/atom?channel=%EC%88%98", BASE, title, NOW, notices)


def test_atom_says_what_was_edited_and_never_changes_an_id() -> None:
    one = notice(
        edited_at=NOW + timedelta(hours=1),
        attachments=(Attachment("붙임 <1>", "https://a.example/?a=1&b=2"),),
        summary="쉬운 말",
    )
    root = ET.fromstring(atom(feed(one)))
    (entry,) = root.findall(f"{ATOM}entry")
    assert entry.findtext(f"{ATOM}id") == f"urn:uuid:{one.id}"
    assert entry.findtext(f"{ATOM}title") == "물놀이장을 열어요 (수정됨)"
    assert (entry.findtext(f"{ATOM}updated"), entry.findtext(f"{ATOM}published")) == (
        "2027-03-02T10:30:00Z",
        "2027-03-02T09:30:00Z",
    )
    assert {link.get("rel"): link.get("href") for link in entry.findall(f"{ATOM}link")}[
        "related"
    ] == "https://a.example/?a=1&b=2"
    assert entry.findtext(f"{ATOM}summary") == "쉬운 말"


@pytest.mark.parametrize("render", [atom, rss])
def test_a_reader_understands_it(render: object) -> None:
    parsed = feedparser.parse(BytesIO(render(feed(notice(), notice(headline="<b>&]]>"), title="A&B <c>"))))  # type: ignore[operator]
    assert (parsed.bozo, len(parsed.entries), parsed.feed.title) == (False, 2, "A&B <c>")
    assert parsed.version in ("atom10", "rss20")
    assert parsed.entries[0].published_parsed[:5] == (2027, 3, 2, 9, 30)


def test_json_feed_has_what_its_version_asks_for() -> None:
    told = json.loads(json_feed(feed(notice(emergency=True))))
    assert told["version"] == "https://jsonfeed.org/version/1.1"
    assert {"title", "home_page_url", "feed_url", "items"} <= set(told)
    (item,) = told["items"]
    assert item["tags"] == ["children", "emergency"]
    assert item["content_text"] == "7월 1일부터\n매일 10시"


@given(st.text(min_size=2, max_size=60), st.text(min_size=1, max_size=60))
def test_no_words_break_a_feed(headline: str, body: str) -> None:
    one = notice(headline=f"가{headline}", body=f"나{body}", closed_because=headline or None, emergency=True)
    roots = [ET.fromstring(raw) for raw in (atom(feed(one)), rss(feed(one)), alert(one, [], district(), BASE))]
    assert [root.tag for root in roots] == [f"{ATOM}feed", "rss", f"{CAP}alert"]
    assert len(json.loads(json_feed(feed(one)))["items"]) == 1


def test_an_emergency_is_cap_as_its_schema_has_it() -> None:
    one = notice(emergency=True, translations=(Translation("en", "Gas leak", "Leave the building."),))
    raw = alert(one, [Told(1, NOW, one.terms)], district(), BASE)
    SCHEMA.validate(raw.decode())
    root = ET.fromstring(raw)
    assert root.findtext(f"{CAP}msgType") == "Alert"
    assert root.findtext(f"{CAP}sent") == "2027-03-02T18:30:00+09:00"
    infos = root.findall(f"{CAP}info")
    assert [info.findtext(f"{CAP}language") for info in infos] == ["ko-KR", "en"]
    areas = infos[0].findall(f"{CAP}area")
    assert (areas[0].findtext(f"{CAP}areaDesc"), areas[1].findtext(f"{CAP}circle")) == (
        "수완동",
        "35.190000,126.820000 0.700",
    )


def test_an_update_and_a_cancel_say_what_they_replace() -> None:
    id_ = uuid4()
    first = notice(id_, emergency=True)
    second = notice(
        id_, emergency=True, version=2, edited_at=NOW + timedelta(minutes=5), changed_at=NOW + timedelta(minutes=5)
    )
    ended = replace(
        second, version=3, status="closed", closed_because="상황이 끝났습니다", changed_at=NOW + timedelta(hours=1)
    )
    told = [Told(1, NOW, first.terms), Told(2, NOW + timedelta(minutes=5), second.terms)]
    for one, kind, count in ((second, "Update", 1), (ended, "Cancel", 2)):
        raw = alert(one, told, district(), BASE)
        SCHEMA.validate(raw.decode())
        root = ET.fromstring(raw)
        references = (root.findtext(f"{CAP}references") or "").split(" ")
        assert (root.findtext(f"{CAP}msgType"), len(references)) == (kind, count)
        assert references[0] == f"gwangsan,gwangsan-{id_}-1,2027-03-02T18:30:00+09:00"


def test_the_schema_would_tell() -> None:
    broken = alert(notice(emergency=True), [], district(), BASE).decode().replace("<status>Actual", "<status>Perhaps")
    with pytest.raises(xmlschema.XMLSchemaValidationError):
        SCHEMA.validate(broken)


def test_conditional_requests_as_the_standard_has_them() -> None:
    kept = Kept(b"<feed/>", '"abc"', NOW)
    later, before = "Tue, 02 Mar 2027 09:30:00 GMT", "Tue, 02 Mar 2027 09:29:59 GMT"
    cases = [
        (None, None, 200), ('"abc"', None, 304), ('W/"abc"', None, 304), ('"x", "abc"', None, 304), ("*", None, 304), ('"x"', None, 200),
        ('"x"', later, 200), (None, later, 304), (None, before, 200), (None, "yesterday", 200), ("", later, 200),
    ]  # fmt: skip
    for seen, since, status in cases:
        given_ = answer(kept, "application/atom+xml", seen, since)
        assert given_.status_code == status, (seen, since)
        assert given_.headers["etag"] == '"abc"'
        assert given_.headers["last-modified"] == later


async def test_what_many_ask_for_is_rendered_once_until_something_changes() -> None:
    import asyncio

    version: list[Version] = [(NOW, 1)]
    looks = 0

    async def look() -> Version:
        nonlocal looks
        looks += 1
        return version[0]

    async def render() -> bytes:
        await asyncio.sleep(0)
        return f"{version[0]}".encode()

    cache = Cache(look, every_s=0, most=2)
    for _ in range(3):
        assert len({kept.etag for kept in await asyncio.gather(*(cache.get("a", render) for _ in range(20)))}) == 1
    assert cache.rendered == 1
    version[0] = (NOW + timedelta(seconds=1), 2)
    before = cache.rendered
    fresh = await cache.get("a", render)
    assert (cache.rendered, fresh.changed_at) == (before + 1, NOW + timedelta(seconds=1))
    for key in "abcd":
        await cache.get(key, render)
    again = cache.rendered
    await cache.get("a", render)
    assert cache.rendered == again + 1, "the oldest is forgotten"
    slow = Cache(look, every_s=3_600, most=2)
    seen = looks
    for _ in range(50):
        await slow.get(Scope(), render)
    assert looks == seen + 1, "one look serves however many"
