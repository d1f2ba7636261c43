"""What holds for jobs, spaces and notices alike, each on its real database: rows, events, versions, whose they are."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest

from tests.issuer import token
from tests.publishers import Desk, assert_problem
from tests.waiting import until

pytestmark = pytest.mark.component


async def test_what_is_posted_is_kept_told_and_found(desk: Desk) -> None:
    answer = await desk.post()
    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["ETag"] == '"v1"'
    assert answer.headers["Location"] == f"/api/{desk.service.name}{desk.service.path}/{made['id']}"
    assert (made["version"], made["status"], made["institution"]) == (1, "open", "수완동")

    found = await desk.get(made["id"])
    assert (found.json(), found.headers["ETag"]) == (made, '"v1"')

    (event,) = await desk.events(made["id"])
    assert (event.kind, event.version, event.status) == (desk.service.kind, 1, "open")
    assert (event.headline, event.institution, event.link) == (made["headline"], "수완동", answer.headers["Location"])


async def test_an_edit_is_one_version_on_and_told(desk: Desk) -> None:
    made = await desk.opened()
    answer = await desk.edit(made["id"], {"headline": "새 제목"}, 1)
    assert answer.status_code == 200
    assert answer.headers["ETag"] == '"v2"'
    times: dict[str, Any] = {name: answer.json()[name] for name in ("changed_at", "edited_at") if name in made}
    assert answer.json() == made | times | {"headline": "새 제목", "version": 2}
    assert [(event.version, event.headline) for event in await desk.events(made["id"])] == [
        (1, made["headline"]),
        (2, "새 제목"),
    ]


async def test_an_edit_that_changes_nothing_is_not_told(desk: Desk) -> None:
    made = await desk.opened()
    answer = await desk.edit(made["id"], {"headline": made["headline"], desk.service.interests: None}, 1)
    assert answer.json() == made
    assert len(await desk.events(made["id"])) == 1


async def test_what_is_closed_keeps_the_reason_and_is_not_edited_any_more(desk: Desk) -> None:
    made = await desk.opened()
    answer = await desk.end(made["id"], "비가 와서 쉽니다")
    assert (answer.json()["status"], answer.json()["closed_because"]) == ("closed", "비가 와서 쉽니다")
    assert answer.headers["ETag"] == '"v2"'

    again = await desk.end(made["id"], "다른 이유")
    assert again.json() == answer.json()
    assert [(event.version, event.status) for event in await desk.events(made["id"])] == [(1, "open"), (2, "closed")]

    (error,) = assert_problem(await desk.edit(made["id"], {"headline": "다시"}, 2), 409, "conflict")
    assert (error["field"], error["rule"]) == ("body.status", "closed")


async def test_an_edit_names_the_version_it_was_made_on(desk: Desk) -> None:
    made = await desk.opened()
    await desk.edit(made["id"], {"headline": "둘째"}, 1)
    stale = await desk.edit(made["id"], {"headline": "셋째"}, 1)
    assert_problem(stale, 412, "precondition-failed")
    assert (stale.headers["ETag"], stale.json()["current_version"]) == ('"v2"', 2)
    assert_problem(await desk.edit(made["id"], {"headline": "셋째"}, None), 428, "precondition-required")
    assert (await desk.get(made["id"])).json()["headline"] == "둘째"


@pytest.mark.parametrize("tag", ["v1", '"v"', '"v1", "v2"', "*", '"v99999999999999999999"', ""])
async def test_what_is_no_etag_of_ours_is_refused(desk: Desk, tag: str) -> None:
    made = await desk.opened()
    url, headers = f"{desk.service.path}/{made['id']}", desk.bearer("officer:수완동") | {"If-Match": tag}
    answer = await desk.http.patch(url, json={"headline": "아니오"}, headers=headers)
    (error,) = assert_problem(answer, 422, "invalid")
    assert (error["field"], error["rule"]) == ("header.If-Match", "etag")


async def test_of_ten_edits_on_one_version_one_takes_effect(desk: Desk) -> None:
    made = await desk.opened()
    answers = await asyncio.gather(*(desk.edit(made["id"], {"headline": f"제목 {i}"}, 1) for i in range(10)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: 9}
    assert [event.version for event in await desk.events(made["id"])] == [1, 2]


async def test_nobody_without_a_token_writes(desk: Desk) -> None:
    made, url = await desk.opened(), desk.service.path
    for answer in (
        await desk.http.post(url, json=desk.service.draft(), headers={"Idempotency-Key": uuid4().hex}),
        await desk.http.patch(f"{url}/{made['id']}", json={}, headers={"If-Match": '"v1"'}),
        await desk.http.post(f"{url}/{made['id']}/{desk.service.ending}", json={"reason": "그냥"}),
    ):
        assert_problem(answer, 401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert (await desk.get(made["id"])).json() == made


async def test_a_citizen_does_not_write(desk: Desk) -> None:
    made = await desk.opened()
    for answer in (
        await desk.post(as_="citizen:하늘"),
        await desk.edit(made["id"], {"headline": "내 것"}, 1, as_="citizen:하늘"),
        await desk.end(made["id"], as_="citizen:하늘"),
    ):
        assert_problem(answer, 403, "forbidden")


@pytest.mark.parametrize("institution", [None, "가" * 101, ["수완동"], "수완\0동", ""])
async def test_an_officer_is_of_an_institution_that_can_be_named(desk: Desk, institution: object) -> None:
    bearer = {"Authorization": f"Bearer {token(desk.issuer, 'officer:수완동', institution=institution)}"}
    headers = bearer | {"Idempotency-Key": uuid4().hex}
    answer = await desk.http.post(desk.service.path, json=desk.service.draft(), headers=headers)
    assert_problem(answer, 403, "no-institution")


async def test_another_institutions_officer_changes_nothing(desk: Desk) -> None:
    made = await desk.opened()
    assert_problem(await desk.edit(made["id"], {"headline": "우리 것"}, 1, as_="officer:첨단1동"), 403, "not-yours")
    assert_problem(await desk.end(made["id"], as_="officer:첨단1동"), 403, "not-yours")
    assert (await desk.get(made["id"])).json() == made
    assert len(await desk.events(made["id"])) == 1


async def test_what_is_not_there_is_not_found(desk: Desk) -> None:
    missing = uuid4()
    assert_problem(await desk.get(missing), 404, "not-found")
    assert_problem(await desk.edit(missing, {"headline": "없음"}, 1), 404, "not-found")
    assert_problem(await desk.end(missing), 404, "not-found")
    assert_problem(await desk.get("not-a-uuid"), 422, "invalid")
    assert_problem(await desk.http.get("/nowhere"), 404, "not-found")
    assert_problem(await desk.http.delete(f"{desk.service.path}/{missing}"), 405, "method-not-allowed")


async def test_it_is_ready_but_degraded_while_its_events_do_not_flow(desk: Desk) -> None:
    assert (await desk.http.get("/healthz")).text == "ok"
    answer: dict[str, Any] = await until(lambda: _degraded(desk), what="the outbox's fault is told")
    assert (answer["ready"], answer["checks"]) == (True, {"database": "ok"})
    assert "Kafka" in answer["degraded"]["outbox"]


async def _degraded(desk: Desk) -> dict[str, Any]:
    answer = await desk.http.get("/readyz")
    found: dict[str, Any] = answer.json()
    return found if "degraded" in found else {}


async def test_the_api_page_tells_of_problems_and_limits_as_they_are(desk: Desk) -> None:
    page = (await desk.http.get("/openapi.json")).json()
    for operations in page["paths"].values():
        for operation in operations.values():
            assert list(operation["responses"]["4XX"]["content"]) == ["application/problem+json"]
            assert "422" not in operation["responses"]
    assert page["servers"] == [{"url": f"/api/{desk.service.name}"}]
    radius = {"minimum": 50, "maximum": 2_000, "default": 700}
    drafts = [
        schema["properties"] for schema in page["components"]["schemas"].values() if "radius_m" in schema["properties"]
    ]
    assert any(radius.items() <= fields["radius_m"].items() for fields in drafts)
