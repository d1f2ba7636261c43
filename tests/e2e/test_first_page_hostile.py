"""The first page where things are missing or refused, and for those who cannot see it."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Route, expect

from tests.e2e.acting import Visit

pytestmark = pytest.mark.e2e

NAMELESS = """() => [...document.querySelectorAll('button, a[href], select, input, summary, [role=tab], [tabindex="0"]')]
    .filter((e) => e.checkVisibility() && !(e.ariaLabel || e.textContent.trim() || e.labels?.length
        || e.getAttribute('aria-labelledby') || e.title))
    .map((e) => e.outerHTML.slice(0, 120))"""
DANGLING = """() => ['for', 'aria-labelledby', 'aria-describedby', 'aria-controls'].flatMap((name) =>
    [...document.querySelectorAll(`[${name}]`)].filter((e) => e.getAttribute(name).split(' ')
        .some((id) => !document.getElementById(id))).map((e) => e.outerHTML.slice(0, 120)))"""
DOUBLED = """() => { const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
    return ids.filter((id, i) => ids.indexOf(id) !== i); }"""
SMALL = """() => [...document.querySelectorAll('button, a[href], select, summary')]
    .filter((e) => e.checkVisibility() && !e.matches('.link, .skip'))
    .filter((e) => { const box = e.getBoundingClientRect(); return box.width < 24 || box.height < 24; })
    .map((e) => e.outerHTML.slice(0, 120))"""


def answering(status: int, body: dict[str, Any], **headers: str) -> Any:
    async def answer(route: Route) -> None:
        await route.fulfill(status=status, json=body, headers=headers)

    return answer


async def test_without_an_issuer_a_token_can_be_pasted(visit: Visit) -> None:
    visit.errors_expected = True
    token = await visit.page.request.post(f"{visit.url}/auth/token", data={"as": f"citizen:{visit.citizen}"})
    await visit.page.route("**/auth/**", answering(502, {"title": "없음 / none"}))
    page = await visit.open()
    await expect(page.locator("#citizen")).to_contain_text("붙여 넣으세요")
    await expect(page.locator("#officer")).to_be_hidden()
    await page.fill("#token", "not.a.token")
    await page.get_by_role("button", name="이 토큰으로 시작").click()
    await expect(page.locator("#banner")).to_contain_text("로그인이 필요하거나 끝났습니다")
    await page.fill("#token", (await token.json())["access_token"])
    await page.get_by_role("button", name="이 토큰으로 시작").click()
    await expect(page.locator("#consent")).to_be_visible()


async def test_too_many_requests_are_told_and_waited_for(visit: Visit) -> None:
    visit.errors_expected = True
    page = await visit.open()
    problem = {"type": "/problems/too-many-requests", "title": "너무 잦습니다 / Too many", "status": 429}
    await page.route("**/api/matching/positions", answering(429, problem, **{"Retry-After": "1"}))
    await page.click("#consent")
    await expect(page.locator("#banner")).to_contain_text("1초 뒤에")
    await page.unroute("**/api/matching/positions")
    async with page.expect_response(lambda response: "/positions" in response.url and response.status == 202):
        pass


async def test_a_service_that_is_down_leaves_the_others(visit: Visit) -> None:
    visit.errors_expected = True
    await visit.page.route("**/api/spaces/**", answering(503, {"title": "준비 / not ready"}, **{"Retry-After": "2"}))
    await visit.page.route("**/api/matching/dongs", answering(503, {"title": "준비 / not ready"}))
    page = await visit.open()
    await page.click("#tab-all")
    await expect(page.locator("#all .failed")).to_contain_text("공간 목록을 불러오지 못했습니다")
    await page.unroute("**/api/spaces/**")
    await page.get_by_role("button", name="다시 시도").click()
    await expect(page.locator("#all .failed")).to_have_count(0)


async def test_every_control_has_a_name_and_room(visit: Visit) -> None:
    page = await visit.open()
    await visit.consent()
    await page.click("#officer summary")
    for tab in ("#tab-inbox", "#tab-nearby", "#tab-all"):
        await page.click(tab)
        for check in (NAMELESS, DANGLING, DOUBLED, SMALL):
            assert await page.evaluate(check) == [], tab
    assert await page.locator("h1").count() == 1
    assert await page.locator("img:not([alt])").count() == 0
    assert await page.locator("svg:not([aria-hidden]):not([role=img]):not(.icon)").count() == 0


async def test_the_skip_link_and_the_tabs_work_by_keyboard(visit: Visit) -> None:
    page = await visit.open()
    await page.keyboard.press("Tab")
    await expect(page.locator(".skip")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#panel")).to_be_focused()
    await page.locator("#tab-inbox").focus()
    await page.keyboard.press("ArrowRight")
    await expect(page.locator("#tab-nearby")).to_be_focused()
    await expect(page.locator("#nearby")).to_be_visible()
    assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


async def test_the_language_is_said_and_kept(visit: Visit) -> None:
    page = await visit.open()
    await expect(page.locator("html")).to_have_attribute("lang", "ko")
    await page.click("#lang")
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    await expect(page.get_by_role("tab").first).to_contain_text("Inbox")
    await page.reload()
    await expect(page.locator("#consent")).to_have_text("Agree and start")


async def test_the_policy_is_strict(visit: Visit) -> None:
    page = await visit.open()
    violated = await page.evaluate("""() => new Promise((resolve) => {
        document.addEventListener('securitypolicyviolation', (event) => resolve(event.effectiveDirective), { once: true });
        const script = document.createElement('script');
        script.textContent = 'window.ran = true';
        document.body.append(script);
    })""")
    assert violated == "script-src-elem"
    assert await page.evaluate("window.ran") is None
    visit.told.clear()
