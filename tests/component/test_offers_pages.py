"""Lists at all three services: pages stable under inserts, filters, cursors that are none."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.publishers import Desk, assert_problem

pytestmark = pytest.mark.component


async def test_pages_are_stable_while_others_post(desk: Desk) -> None:
    officer = f"officer:{uuid4().hex}"
    ids = [(await desk.opened(as_=officer))["id"] for _ in range(7)]
    seen, cursor = [], None
    for _ in range(10):
        query = {"institution": officer[8:], "limit": 3} | ({"cursor": cursor} if cursor else {})
        page = (await desk.page(**query)).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        await desk.opened(as_=officer)
    assert seen == ids[::-1]


async def test_a_full_last_page_says_that_it_is_the_last(desk: Desk) -> None:
    officer = f"officer:{uuid4().hex}"
    for _ in range(3):
        await desk.opened(as_=officer)
    page = (await desk.page(institution=officer[8:], limit=3)).json()
    assert (len(page["items"]), page["next_cursor"]) == (3, None)


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "nonsense"}, {"cursor": ""}, {"cursor": "W10"}, {"cursor": "bnVsbA"}, {"cursor": "한글"}, {"cursor": "a\0"},
        {"cursor": "x" * 201},
        # ["0001-01-01T00:00:00+14:00", "00000000-0000-0000-0000-000000000000"]: before the calendar begins
        {"cursor": "WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzE0OjAwIiwgIjAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwMCJd"},
        # ["2026-01-01T00:00:00", "00000000-0000-0000-0000-000000000000"]: no zone
        {"cursor": "WyIyMDI2LTAxLTAxVDAwOjAwOjAwIiwgIjAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwMCJd"},
        {"limit": 0}, {"limit": 201}, {"limit": "all"}, {"limit": "9" * 5000}, {"status": "lost"}, {"sort": "pay"},
        {"institution": "a\0b"}, {"interest": "\0"}, {"institution": "a" * 101},
    ],
    ids=lambda query: "-".join(query),
)  # fmt: skip
async def test_a_list_names_the_part_of_the_query_it_cannot_use(desk: Desk, query: dict[str, object]) -> None:
    (error,) = assert_problem(await desk.page(**query), 422, "invalid")
    assert error["field"] == f"query.{next(iter(query))}"


async def test_lists_are_by_institution_interest_and_status(desk: Desk) -> None:
    officer, named = f"officer:{uuid4().hex}", desk.service.interests
    here = await desk.opened(as_=officer, **{named: ["garden", "library"]})
    other = await desk.opened(as_=officer, **{named: ["kitchen"]})
    gone = await desk.opened(as_=officer, **{named: ["garden"]})
    await desk.end(gone["id"], as_=officer)

    async def ids(**query: str) -> set[str]:
        found = await desk.page(institution=officer[8:], **query)
        return {item["id"] for item in found.json()["items"]}

    assert await ids() == {here["id"], other["id"]}
    assert await ids(interest="garden") == {here["id"]}
    assert await ids(status="closed") == {gone["id"]}
    assert await ids(status="all", interest="garden") == {here["id"], gone["id"]}


async def test_what_has_expired_is_not_listed_as_open(desk: Desk) -> None:
    officer = f"officer:{uuid4().hex}"
    made = await desk.opened(as_=officer)
    with desk.clock.at(made["expires_at"]):
        assert (await desk.page(institution=officer[8:])).json()["items"] == []
        whole = (await desk.page(institution=officer[8:], status="all")).json()["items"]
        assert [item["id"] for item in whole] == [made["id"]]
