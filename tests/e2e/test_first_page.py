"""The first page in a real browser against the running product: what a visitor sees and does."""

from __future__ import annotations

import json
import re
from urllib.parse import urlparse
from uuid import uuid4

import pytest
from playwright.async_api import Browser, expect

from tests.e2e.acting import Officer, Visit
from tests.e2e.conftest import Product

pytestmark = pytest.mark.e2e


def headline() -> str:
    return f"[샘플] 시험 공고 {uuid4().hex[:6]}"


async def test_the_district_is_drawn_from_its_boundaries_alone(visit: Visit) -> None:
    page = await visit.open()
    await expect(page).to_have_title("당근 광산")
    assert (
        await page.locator("path.dong title").all_text_contents()
        == await page.locator(".dong-name").all_text_contents()
    )
    await expect(page.locator("#here")).to_have_text("수완동")
    await expect(page.locator("#live")).to_have_attribute("data-state", "live")
    hosts = {urlparse(request.url).netloc for request in visit.requests}
    assert hosts == {urlparse(visit.url).netloc}


async def test_what_is_open_is_on_the_map_and_in_the_list(visit: Visit, product: Product) -> None:
    async with Officer(product.gateway_url) as officer:
        job = await officer.post(headline(), north_m=250)
    page = await visit.open()
    await page.click("#tab-all")
    item = page.locator(f"#all [data-posting='{job['id']}']")
    await expect(item).to_contain_text("약 300m(직선거리)")
    await expect(item).to_contain_text(job["headline"])
    await item.get_by_role("button").click()
    await expect(page.locator("#detail")).to_contain_text(job["headline"])
    await expect(page.locator(".mark.selected")).to_have_count(1)
    await page.get_by_role("checkbox", name="일자리").first.uncheck()
    await expect(item).to_have_count(0)
    await expect(page.locator(".mark.selected")).to_have_count(0)


async def test_the_keyboard_alone_moves_the_citizen(visit: Visit) -> None:
    page = await visit.open()
    await visit.consent()
    place = page.locator("#map")
    await place.focus()
    before = await page.locator(".walk").first.get_attribute("cx")
    async with page.expect_request("**/api/matching/positions") as sent:
        await page.keyboard.press("ArrowRight")
    fix = json.loads((await sent.value).post_data or "")["fixes"][-1]
    assert fix["lon"] > 126.817265
    assert fix["lat"] == pytest.approx(35.191759)
    await expect(page.locator(".walk").first).not_to_have_attribute("cx", before or "")
    await page.select_option("#go-dong", label="어룡동")
    await page.locator("#go").press("Enter")
    await expect(page.locator("#here")).to_have_text("어룡동")


async def test_without_consent_one_looks_around_and_no_position_leaves(visit: Visit) -> None:
    page = await visit.open()
    await page.select_option("#go-dong", label="본량동")
    await page.click("#go")
    await expect(page.locator("#here")).to_have_text("본량동")
    await page.click("#tab-nearby")
    await expect(page.locator("#nearby .items, #nearby .empty")).to_be_visible()
    assert visit.sent("/positions") == []


async def test_an_alert_arrives_follows_its_posting_and_can_be_read(visit: Visit, product: Product) -> None:
    page = await visit.open()
    await visit.consent()
    async with Officer(product.gateway_url) as officer:
        job = await officer.post(headline(), north_m=350, urgent=True)
        item = page.locator(f"#inbox [data-posting='{job['id']}']")
        await expect(page.locator("#toasts")).to_contain_text(job["headline"])
        await expect(item.get_by_text("급함", exact=True)).to_be_visible()
        await expect(item.locator(".facts").first).to_have_text(
            "수완동 · 약 400m(직선거리) · 내일 14–17시 · 시급 12,000원".translate({0x2013: "\u2060–\u2060"})
        )
        await item.get_by_text("왜 받았나요?").click()
        await expect(item).to_contain_text("장소에서 700m 안에 계셨습니다 (직선거리 약 400m, 100m 단위)")
        await expect(item).to_contain_text("그때 회원님의 알림 설정(버전")
        job = await officer.edit(job, pay={"amount_krw": 13_000, "per": "hour"})
        await expect(item).to_contain_text("수정됨")
        await expect(item).to_contain_text("시급\u00a013,000원")
        await expect(item).to_contain_text("버전 1으로 만든 알림입니다. 지금은 버전 2입니다.")
        await item.get_by_role("button", name="읽음으로").click()
        await expect(item.get_by_text("새 알림")).to_have_count(0)
        await officer.close(job, "사람을 구했습니다")
        await expect(item).to_contain_text("마감: 사람을 구했습니다")


async def test_what_arrives_while_the_stream_is_cut_is_not_lost(visit: Visit, product: Product) -> None:
    visit.errors_expected = True
    page = await visit.open()
    await visit.consent()
    await page.context.set_offline(True)
    await expect(page.locator("#banner")).to_contain_text("연결이 끊겼습니다")
    async with Officer(product.gateway_url) as officer:
        job = await officer.post(headline(), north_m=120)
    await page.context.set_offline(False)
    await expect(page.locator(f"#inbox [data-posting='{job['id']}']")).to_be_visible()


async def test_withdrawing_shows_the_receipt_and_ends_the_fixes(visit: Visit) -> None:
    page = await visit.open()
    await visit.consent()
    await page.click("#withdraw")
    await expect(page.locator("#receipt code")).to_have_text(re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"))
    await expect(page.locator("#consent")).to_be_enabled()
    sent = len(visit.sent("/positions"))
    await page.locator("#map").press("ArrowUp")
    await page.select_option("#go-dong", label="임곡동")
    await page.click("#go")
    await expect(page.locator("#here")).to_have_text("임곡동")
    assert len(visit.sent("/positions")) == sent


async def test_the_visitor_s_own_sample_posting_comes_back_as_an_alert(visit: Visit) -> None:
    page = await visit.open()
    await visit.consent()
    await page.click("#officer summary")
    await page.click("#officer-post")
    await expect(page.locator("#officer-says")).to_contain_text("초 만에 도착")
    await page.click("#officer-raise")
    await expect(page.locator("#inbox .state-updated").first).to_contain_text("수정됨")
    await page.click("#officer-close")
    await expect(page.locator("#inbox .state-closed").first).to_be_visible()


async def test_a_replay_sends_the_recorded_points_and_can_be_paused(visit: Visit) -> None:
    page = await visit.open()
    await visit.consent()
    await page.get_by_role("button", name="×30").click()
    async with page.expect_request(
        lambda request: "/positions" in request.url and "35.191768" in (request.post_data or "")
    ):
        await page.click("#replay")
    await expect(page.locator("#replay")).to_have_text("잠시 멈춤")
    await page.click("#replay")
    await expect(page.locator("#replay")).to_have_text("이동 재생")
    await expect(page.locator(".sources")).to_contain_text("포르투")


@pytest.mark.parametrize(("width", "height"), [(360, 640), (390, 844), (1280, 800), (320, 256)])
async def test_nothing_runs_out_of_the_screen(product: Product, browser: Browser, width: int, height: int) -> None:
    visit = await Visit.begin(product.gateway_url, browser, viewport={"width": width, "height": height}, has_touch=True)
    page = await visit.open()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.locator("#consent").tap()
    await expect(page.locator("#withdraw")).to_be_visible()
    await page.locator("#lang").tap()
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await visit.end()
