"""Statistic cards at the first page, by keyboard and in both languages, and framed by somebody else's page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Locator, expect

from tests.e2e.acting import Visit
from tests.e2e.conftest import Product
from tests.e2e.test_page_notices import as_
from tests.statistics import card_draft, points

pytestmark = pytest.mark.e2e

MONTHS = {
    f"2026-{month:02d}": {"수완동": 40 + month, "첨단1동": 12, "하남동": 3 if month == 3 else 30}
    for month in range(1, 6)
}


@pytest_asyncio.fixture
async def card(product: Product) -> dict[str, Any]:
    """Made and corrected by an institution of the test's own, and told by a notice."""
    officer = f"officer:시험기관 {uuid4().hex[:6]}"
    draft = card_draft(points=points(MONTHS), note="매달 5일에 고칩니다.")
    async with httpx.AsyncClient(base_url=f"{product.gateway_url}", timeout=20) as client:
        made = await client.post("/api/notices/statistics", json=draft, headers=await as_(client, officer))
        path = f"/api/notices/statistics/{made.raise_for_status().json()['id']}"
        raw = "기간,구분,값,상태\n2026-05,수완동,52,확정\n2026-06,수완동,61,잠정\n".encode("cp949")
        query = {"as_of": "2026-06-05", "reason": "집계 정정"}
        sent = await client.post(f"{path}/import", content=raw, params=query, headers=await as_(client, officer))
        sent.raise_for_status()
        notice = {
            "headline": f"통계 소식 {uuid4().hex[:6]}", "body": "새 통계입니다", "target": {"dongs": ["1233063700"]},
            "statistics": [made.json()["id"]],
        }  # fmt: skip
        told = await client.post("/api/notices/notices", json=notice, headers=await as_(client, officer))
        found: dict[str, Any] = (await client.get(path)).json()
        return found | {"notice": told.raise_for_status().json()["id"]}


@asynccontextmanager
async def elsewhere(body: str) -> AsyncIterator[str]:
    """Somebody else's site: one page at an origin of its own."""
    whole = f'<!doctype html><link rel="icon" href="data:,"><title>x</title>{body}'.encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(whole)}\r\n"
        writer.write(head.encode() + b"Connection: close\r\n\r\n" + whole)
        await writer.drain()
        writer.close()

    serving = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{serving.sockets[0].getsockname()[1]}/"
    serving.close()


async def is_drawn(picture: Locator) -> bool:
    return bool(await picture.evaluate("async (img) => { await img.decode(); return img.naturalWidth > 0; }"))


async def test_a_card_is_read_by_keyboard_in_both_languages(visit: Visit, card: dict[str, Any]) -> None:
    page = await visit.open()
    await page.locator("#tab-inbox").focus()
    await page.keyboard.press("ArrowLeft")
    await expect(page.locator("#tab-statistics")).to_be_focused()
    shown = page.locator(f"#statistics [data-statistic='{card['id']}']")
    await expect(shown.locator("h3")).to_have_text(card["title"])
    await expect(shown).to_contain_text("수정됨")
    picture = shown.get_by_role("img", name=f"{card['title']} 그림. 최근 2026년 6월 61 명 (잠정)")
    await picture.scroll_into_view_if_needed()
    assert await is_drawn(picture)
    await shown.locator("summary", has_text="표로 보기").focus()
    await page.keyboard.press("Enter")
    table = shown.get_by_role("table", name=card["title"])
    await expect(table.get_by_role("columnheader")).to_have_text(["기간", "전체 (명)", "수완동", "첨단1동", "하남동"])
    march = table.get_by_role("row").filter(has=page.get_by_role("rowheader", name="2026년 3월"))
    hidden = [cell for cell in await march.get_by_role("cell").all_inner_texts() if cell == "비공개"]
    assert len(hidden) == 2
    await shown.locator("summary", has_text="고친 내력").click()
    await expect(shown.locator(".revisions")).to_contain_text("집계 정정")
    await expect(shown.locator(".revisions del").first).to_be_visible()
    await page.click("#lang")
    await expect(shown.locator("summary").first).to_have_text("As a table")
    await expect(shown.get_by_role("cell", name="withheld").first).to_be_visible()
    await expect(shown.get_by_role("img", name=f"Chart of {card['title']}")).to_be_visible()
    assert not [
        request for request in visit.requests if "/statistics" in request.url and "authorization" in request.headers
    ]


async def test_a_notice_shows_its_card(visit: Visit, card: dict[str, Any]) -> None:
    page = await visit.open()
    await page.click("#tab-all")
    await page.locator(f"#all [data-posting='{card['notice']}'] button").click()
    shown = page.locator(f"#detail [data-statistic='{card['id']}']")
    await expect(shown.locator("h3")).to_have_text(card["title"])
    assert await is_drawn(shown.get_by_role("img"))


async def test_a_card_is_framed_by_anybody_and_nothing_else_is(
    visit: Visit, product: Product, card: dict[str, Any]
) -> None:
    path = f"{product.gateway_url}/api/notices/statistics/{card['id']}"
    async with elsewhere(f'<iframe src="{path}/embed" width="700" height="700" title="통계"></iframe>') as url:
        await visit.page.goto(url)
        frame = visit.page.frame_locator("iframe")
        await expect(frame.get_by_role("img", name=card["title"])).to_have_count(1)
        await frame.locator("summary").press("Enter")
        await expect(frame.get_by_role("table")).to_contain_text("비공개")
    async with httpx.AsyncClient() as client:
        embed = await client.get(f"{path}/embed")
        assert "x-frame-options" not in embed.headers
        assert "set-cookie" not in embed.headers
        assert "default-src 'none'" in embed.headers["content-security-policy"]
        seen = await client.get(f"{path}/embed", headers={"If-None-Match": embed.headers["etag"]})
        assert (seen.status_code, "x-frame-options" in seen.headers) == (304, False)
        for other in (f"{path}/table.html", path, f"{path}/chart.svg", f"{product.gateway_url}/", f"{path}/embed/x"):
            assert (await client.get(other)).headers["x-frame-options"] == "DENY", other
