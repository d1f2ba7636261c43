"""Search over notices on the real database: Korean with and without spaces, inside words, page by page."""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlalchemy import text

from services.notices.search.domain import squeezed
from services.notices.settings import Settings
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.notices import NoticesDesk, open_notices
from tests.publishers import NOBODY_LISTENS, broken_rules, hours_on

pytestmark = pytest.mark.component


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[NoticesDesk]:
    settings = settings_for(Settings, kafka_url=NOBODY_LISTENS, notices_tick_s=3_600)
    async with open_notices(databases, issuer, settings) as made:
        yield made


@pytest.fixture
def mark() -> str:
    """A word of one test's own."""
    return f"표{uuid4().hex[:8]}"


async def search(desk: NoticesDesk, q: str, **more: Any) -> list[dict[str, Any]]:
    page = await desk.good("GET", "/search", as_=None, params={"q": q, "limit": 200, **more})
    items: list[dict[str, Any]] = page["items"]
    return items


@pytest.mark.parametrize(
    ("headline", "body", "q"),
    [
        ("물놀이 장 열어요", "수완동", "물놀이장"),
        ("물놀이장 열어요", "수완동", "물놀이 장"),
        ("긴급단수안내", "오후 6시", "단수"),
        ("안내", "어르신 독감\u3000예방 접종", "독감예방 접종"),
        ("Free WIFI 설치", "공원", "wifi 공원"),
        (unicodedata.normalize("NFD", "자전거 대여"), "무료", "자전거"),
        ("100% 지원", "a_b", "100% a_b"),
    ],
)
async def test_it_is_found_whatever_the_spaces_the_case_and_how_letters_were_typed(
    desk: NoticesDesk, mark: str, headline: str, body: str, q: str
) -> None:
    made = await desk.published(headline=headline, body=f"{body} {mark}")
    assert [found["id"] for found in await search(desk, f"{q} {mark}")] == [made["id"]]
    assert await search(desk, f"{q} {mark} 없는말") == []


async def test_what_was_found_is_marked_as_plain_text(desk: NoticesDesk, mark: str) -> None:
    await desk.published(headline=f"단수 <b>{mark}</b>", body="가" * 500 + " 단 수 " + "나" * 500)
    (found,) = await search(desk, f"단수 {mark}")
    assert found["headline"] == [
        {"text": "단수", "found": True}, {"text": " <b>", "found": False}, {"text": mark, "found": True},
        {"text": "</b>", "found": False},
    ]  # fmt: skip
    assert [piece["text"] for piece in found["snippet"] if piece["found"]] == ["단 수"]


async def test_an_edit_is_found_by_its_new_words_and_the_summary_counts(desk: NoticesDesk, mark: str) -> None:
    made = await desk.published(body=f"옛말 {mark}", summary="쉬운 풀이")
    assert len(await search(desk, f"옛말 쉬운풀이 {mark}")) == 1
    await desk.good("PATCH", f"/notices/{made['id']}", {"body": f"새말 {mark}"}, version=1)
    assert (await search(desk, f"옛말 {mark}"), len(await search(desk, f"새말 {mark}"))) == ([], 1)


async def test_what_is_over_or_withdrawn_is_found_only_when_asked_for(desk: NoticesDesk, mark: str) -> None:
    over = await desk.published(headline=f"끝날 {mark}", expires_at=hours_on(3))
    gone = await desk.published(headline=f"거둘 {mark}")
    await desk.good("POST", f"/notices/{gone['id']}/withdraw", {"reason": "끝"})
    with desk.clock.at(over["expires_at"]):
        assert await search(desk, mark) == []
        everything = {found["id"]: found["status"] for found in await search(desk, mark, status="all")}
    assert everything == {over["id"]: "closed", gone["id"]: "closed"}


async def test_pages_are_newest_first_and_hold_each_once(desk: NoticesDesk, mark: str) -> None:
    made = [(await desk.published(headline=f"{n}번 {mark}"))["id"] for n in range(7)]
    seen, cursor = [], None
    while True:
        query = {"q": mark, "limit": 3, **({"cursor": cursor} if cursor else {})}
        page = await desk.good("GET", "/search", as_=None, params=query)
        seen += [found["id"] for found in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == made[::-1]


@pytest.mark.parametrize("q", ["가", "가 나", "\u3000\u3000", "%", "a b"])
async def test_a_word_of_two_letters_is_needed(desk: NoticesDesk, q: str) -> None:
    answer = await desk.ask("GET", "/search", as_=None, params={"q": q})
    assert {rule for _, rule in broken_rules(answer)} <= {"too-short", "string_too_short"}


async def test_the_database_squeezes_as_the_service_does(desk: NoticesDesk) -> None:
    odd = [
        "수완동 물놀이장",
        unicodedata.normalize("NFD", "물놀이"),
        "ABC é É İ ß",
        "가\u3000나\u00a0다\n라\t마",
        "👩🏽‍🌾 a",
    ]
    async with desk.database.transaction() as tx:
        for words in odd:
            told = (await tx.execute(text("SELECT squeezed(:words)"), {"words": words})).scalar_one()
            assert told == squeezed(words)


async def test_the_index_of_pairs_is_what_search_asks(desk: NoticesDesk) -> None:
    """Not the planner's choice on ten rows, but that it can: with sequential scans forbidden the index is used."""
    async with desk.database.transaction() as tx:
        await tx.execute(text("SET LOCAL enable_seqscan = off"))
        plan = await tx.execute(text("EXPLAIN SELECT 1 FROM notice WHERE pairs @> ARRAY['물놀','놀이']"))
        assert "notice_pairs" in "\n".join(plan.scalars())
