"""The page beside a notice that has no place, and settings that were partly chosen elsewhere."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest
from playwright.async_api import expect

from tests.e2e.acting import Visit
from tests.e2e.conftest import Product
from tests.waiting import until

pytestmark = pytest.mark.e2e


async def as_(client: httpx.AsyncClient, who: str) -> dict[str, str]:
    answer = await client.post("/auth/token", json={"as": who})
    token = answer.raise_for_status().json()["access_token"]
    return {"Authorization": f"Bearer {token}", "Idempotency-Key": uuid4().hex}


async def test_a_notice_for_followers_is_listed_and_what_is_followed_survives_a_change_of_settings(
    visit: Visit, product: Product
) -> None:
    office, headline = f"시험기관 {uuid4().hex[:6]}", f"[샘플] 팔로워 소식 {uuid4().hex[:6]}"
    async with httpx.AsyncClient(base_url=product.gateway_url, timeout=20) as client:
        body = {"headline": headline, "body": "팔로워에게", "followers": True}
        made = await client.post("/api/notices/notices", json=body, headers=await as_(client, f"officer:{office}"))
        made.raise_for_status()
        channels = await client.get("/api/notices/channels", params={"institution": office})
        (channel,) = channels.json()["items"]
        citizen = await as_(client, f"citizen:{visit.citizen}")
        followed = await client.put(f"/api/notices/channels/{channel['id']}/follow", headers=citizen)
        assert followed.json()["channels"] == [{"id": channel["id"], "name": office}]

        async def watch() -> dict[str, Any]:
            answer: dict[str, Any] = (await client.get("/api/matching/watch", headers=citizen)).json()
            return answer

        async def known() -> bool:
            return bool((await watch())["follows"] == [office])

        await until(known, what="matching knows what is followed")
        page = await visit.open()
        await visit.consent()
        await page.click("#tab-all")
        await expect(page.locator(f"#all [data-posting='{made.json()['id']}']")).to_contain_text(headline)
        kinds = page.get_by_role("group", name="받을 알림")
        async with page.expect_response("**/api/matching/watch") as answered:
            await kinds.get_by_label("일자리").click()
        assert (await answered.value).status == 200
        after = await watch()
        assert (after["follows"], "job" in after["kinds"]) == ([office], False)
