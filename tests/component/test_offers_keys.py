"""Idempotency-Key at all three services: a repeated request takes effect once and is answered alike."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from tests.publishers import Desk, assert_problem

pytestmark = pytest.mark.component


async def test_a_repeated_request_is_answered_alike_and_takes_effect_once(desk: Desk) -> None:
    draft, key, before = desk.service.draft(), uuid4().hex, await desk.waiting()
    first, second = await desk.post(draft, key=key), await desk.post(draft, key=key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == first.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    assert all(second.headers[name] == first.headers[name] for name in ("ETag", "Location"))
    assert await desk.waiting() == before + 1


async def test_a_repeated_end_is_answered_alike(desk: Desk) -> None:
    made, key = await desk.opened(), uuid4().hex
    first, second = await desk.end(made["id"], key=key), await desk.end(made["id"], key=key)
    assert second.json() == first.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    assert len(await desk.events(made["id"])) == 2


async def test_one_key_is_for_one_request(desk: Desk) -> None:
    draft, key = desk.service.draft(), uuid4().hex
    made = (await desk.post(draft, key=key)).json()
    (error,) = assert_problem(await desk.post({**draft, "headline": "다른 것"}, key=key), 422, "idempotency-key-reused")
    assert (error["field"], error["rule"]) == ("header.Idempotency-Key", "idempotency-key-reused")
    assert_problem(await desk.end(made["id"], key=key), 422, "idempotency-key-reused")
    assert (await desk.get(made["id"])).json() == made


async def test_a_key_belongs_to_its_officer(desk: Desk) -> None:
    draft, key = desk.service.draft(), uuid4().hex
    first, second = await desk.post(draft, key=key), await desk.post(draft, key=key, as_="officer:첨단1동")
    assert (first.json()["institution"], second.json()["institution"]) == ("수완동", "첨단1동")


async def test_concurrent_requests_with_one_key_make_one_posting(desk: Desk) -> None:
    draft, key, before, officer = desk.service.draft(), uuid4().hex, await desk.waiting(), f"officer:{uuid4().hex}"
    answers = await asyncio.gather(*(desk.post(draft, key=key, as_=officer) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 7
    assert len((await desk.page(institution=officer[8:])).json()["items"]) == 1
    assert await desk.waiting() == before + 1


async def test_a_refused_request_does_not_use_up_its_key(desk: Desk) -> None:
    key = uuid4().hex
    assert_problem(await desk.post(desk.service.draft(expires_at="2020-01-01T00:00:00Z"), key=key), 422, "invalid")
    assert (await desk.post(key=key)).status_code == 201


@pytest.mark.parametrize("key", [None, "short", "k" * 201])
async def test_a_key_is_needed_and_of_a_sensible_length(desk: Desk, key: str | None) -> None:
    headers = desk.bearer("officer:수완동") | ({} if key is None else {"Idempotency-Key": key})
    answer = await desk.http.post(desk.service.path, json=desk.service.draft(), headers=headers)
    (error,) = assert_problem(answer, 422, "invalid")
    assert error["field"] == "header.Idempotency-Key"
