"""What an officer does before anybody claims: the rule book, drafts and templates, recurring shifts, reminders."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from services.jobs.settings import Settings
from shared.contracts.job import PostingNoticed
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.jobs import HANEUL, JobsDesk, open_jobs, shift_draft, tomorrow_at
from tests.publishers import NOBODY_LISTENS, SUWAN, assert_problem, broken_rules

pytestmark = pytest.mark.component


@pytest_asyncio.fixture(scope="module")
async def jobs(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[JobsDesk]:
    settings = settings_for(Settings, kafka_url=NOBODY_LISTENS, jobs_tick_s=3_600, jobs_reports_per_minute=3)
    async with open_jobs(databases, issuer, settings) as desk:
        yield desk


async def test_a_refused_posting_names_every_rule_it_breaks(jobs: JobsDesk) -> None:
    draft = shift_draft(hour=20, hours=9, pay={"amount_krw": 100}, min_age=14, category="nothing",
                        description="업체명 비공개, 가입비 있음, 여성만", expires_at=tomorrow_at(9, days=9).isoformat())  # fmt: skip
    answer = await jobs.ask("POST", "/postings", draft)
    assert broken_rules(answer) == {
        ("body.expires_at", "before-end"), ("body.pay.amount_krw", "minimum-wage"), ("body.min_age", "youngest-age"),
        ("body.starts_at", "minors-night"), ("body.category", "category-in-force"), ("body.description", "hidden-employer"),
        ("body.description", "sales-pretext"), ("body.description", "equal-chance"),
    }  # fmt: skip
    assert all(error["source"] for error in answer.json()["errors"])


async def test_a_draft_can_be_checked_without_being_posted(jobs: JobsDesk) -> None:
    told = await jobs.good("POST", "/rules/check", shift_draft(pay={"amount_krw": 1}))
    assert [one["rule"] for one in told["broken"]] == ["minimum-wage"]
    assert (await jobs.good("POST", "/rules/check", shift_draft()))["broken"] == []


async def test_an_edit_names_every_rule_too(jobs: JobsDesk) -> None:
    made = await jobs.opened()
    answer = await jobs.ask("PATCH", f"/postings/{made['id']}", {"pay": {"amount_krw": 1}, "min_age": 14},
                            headers={"If-Match": '"v1"'})  # fmt: skip
    assert {rule for _, rule in broken_rules(answer)} == {"minimum-wage", "youngest-age"}


async def test_the_rule_book_is_public(jobs: JobsDesk) -> None:
    book = await jobs.good("GET", "/rules", as_=None)
    assert {"minimum-wage", "minors-night"} <= {rule["id"] for rule in book["rules"]}
    assert {"2026-01-01": 10_320, "2027-01-01": 10_700}.items() <= {
        r["since"]: r["krw_per_hour"] for r in book["minimum_wage"]
    }.items()
    categories = await jobs.good("GET", "/rules/categories", as_=None)
    assert {c["id"]: c["in_force"] for c in categories}["quarantine"] is False


async def test_a_likely_duplicate_is_refused_unless_said_to_be_another(jobs: JobsDesk) -> None:
    draft = shift_draft(headline="경로당 점심 배식 도우미", not_a_duplicate=False, place={**SUWAN, "lat": 35.21})
    first = await jobs.good("POST", "/postings", draft)
    near = {**draft, "headline": "경로당  점심 배식-도우미!", "place": {**SUWAN, "lat": 35.2105}}
    answer = await jobs.ask("POST", "/postings", near)
    assert broken_rules(answer) == {("body.headline", "suspected-duplicate")}
    assert first["id"] in answer.json()["errors"][0]["detail"]
    for other in ({"headline": "도서관 책 정리"}, {"place": {**SUWAN, "lat": 35.23}}, {"not_a_duplicate": True}):
        await jobs.good("POST", "/postings", {**near, **other})
    await jobs.good("POST", "/postings", near, as_="officer:첨단1동")


async def test_a_template_is_posted_from_again_and_again_a_draft_once(jobs: JobsDesk) -> None:
    whole = shift_draft()
    times = {name: whole.pop(name) for name in ("starts_at", "ends_at")}
    for keep, left in ((True, 200), (False, 404)):
        kept = await jobs.good("POST", "/drafts", {"name": "책 정리", "keep": keep, "posting": whole})
        made = await jobs.good("POST", f"/drafts/{kept['id']}/post", {**times, "slots": 3})
        assert (made["slots"], made["headline"]) == (3, whole["headline"])
        assert (await jobs.ask("GET", f"/drafts/{kept['id']}")).status_code == left


async def test_a_draft_that_is_not_whole_says_what_is_missing(jobs: JobsDesk) -> None:
    kept = await jobs.good("POST", "/drafts", {"name": "언젠가", "posting": {"headline": "책 정리"}})
    answer = await jobs.ask("POST", f"/drafts/{kept['id']}/post", {})
    assert broken_rules(answer) == {(f"body.{name}", "missing") for name in ("place", "starts_at", "ends_at", "pay")}
    assert (await jobs.ask("GET", f"/drafts/{kept['id']}")).status_code == 200


async def test_drafts_belong_to_their_institution_and_are_edited_by_version(jobs: JobsDesk) -> None:
    kept = await jobs.good("POST", "/drafts", {"name": "하나"})
    path = f"/drafts/{kept['id']}"
    assert_problem(await jobs.ask("GET", path, as_="officer:첨단1동"), 404, "not-found")
    assert_problem(await jobs.ask("PUT", path, {"name": "둘"}), 428, "precondition-required")
    changed = await jobs.good("PUT", path, {"name": "둘"}, headers={"If-Match": '"v1"'})
    assert (changed["name"], changed["version"]) == ("둘", 2)
    assert_problem(
        await jobs.ask("PUT", path, {"name": "셋"}, headers={"If-Match": '"v1"'}), 412, "precondition-failed"
    )
    assert kept["id"] in {d["id"] for d in (await jobs.good("GET", "/drafts?limit=200"))["items"]}
    assert (await jobs.ask("DELETE", path)).status_code == 204
    assert_problem(await jobs.ask("GET", path), 404, "not-found")


async def test_recurring_shifts_are_a_posting_each_with_a_result_a_day(jobs: JobsDesk) -> None:
    first = shift_draft(days=2)
    until = (tomorrow_at(0, days=2) + timedelta(days=13)).date().isoformat()
    weekday = tomorrow_at(0, days=2).weekday()
    made = await jobs.good("POST", "/shifts", {"first": first, "weekdays": [weekday], "until": until})
    assert len(made["results"]) == 2
    assert all(result["posting_id"] and not result["broken"] for result in made["results"])
    listed = await jobs.good("GET", f"/shifts/{made['series_id']}")
    assert [job["id"] for job in listed] == [result["posting_id"] for result in made["results"]]
    assert {job["series_id"] for job in listed} == {made["series_id"]}
    assert_problem(await jobs.ask("GET", f"/shifts/{made['series_id']}", as_="officer:첨단1동"), 404, "not-found")


async def test_a_day_that_breaks_a_rule_is_told_and_left_out_or_stops_all(jobs: JobsDesk) -> None:
    taken = shift_draft(days=4, not_a_duplicate=False, place={**SUWAN, "lat": 35.205})
    await jobs.good("POST", "/postings", taken)
    body: dict[str, Any] = {
        "first": {**taken, "starts_at": tomorrow_at(10, days=3).isoformat(), "ends_at": tomorrow_at(12, days=3).isoformat()},
        "weekdays": list(range(7)), "until": tomorrow_at(0, days=5).date().isoformat(),
    }  # fmt: skip
    assert_problem(await jobs.ask("POST", "/shifts", {**body, "skip_refused": False}), 422, "invalid")
    made = await jobs.good("POST", "/shifts", body)
    assert [[one["rule"] for one in result["broken"]] for result in made["results"]] == [
        [],
        ["suspected-duplicate"],
        [],
    ]


async def test_too_many_shifts_are_refused(jobs: JobsDesk) -> None:
    body = {"first": shift_draft(), "weekdays": list(range(7)), "until": "2999-12-31"}
    assert broken_rules(await jobs.ask("POST", "/shifts", body)) == {("body.until", "shift-count")}


async def test_the_poster_is_reminded_once_before_expiry(jobs: JobsDesk) -> None:
    made = await jobs.opened(days=6)
    assert [e for e in await jobs.events(made["id"], PostingNoticed) if e.news == "expiring"] == []
    with jobs.clock.at(tomorrow_at(11, days=5).isoformat()):
        await jobs.chores()
        await jobs.chores()
    (told,) = await jobs.events(made["id"], PostingNoticed)
    assert (told.news, told.institution, told.headline) == ("expiring", "수완동", made["headline"])


async def test_only_officers_keep_drafts(jobs: JobsDesk) -> None:
    assert_problem(await jobs.ask("POST", "/drafts", {"name": "하나"}, as_=HANEUL), 403, "forbidden")
    assert_problem(await jobs.ask("POST", "/drafts", {"name": "하나"}, as_=None), 401, "unauthenticated")


async def test_the_same_key_with_another_body_is_refused_everywhere(jobs: JobsDesk) -> None:
    key = uuid4().hex
    await jobs.good("POST", "/drafts", {"name": "하나"}, key=key)
    again = await jobs.ask("POST", "/drafts", {"name": "하나"}, key=key)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert_problem(await jobs.ask("POST", "/drafts", {"name": "둘"}, key=key), 422, "idempotency-key-reused")
