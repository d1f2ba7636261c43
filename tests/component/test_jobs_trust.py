"""Trust on the real database: reviews of both sides, appeals, the profile and the one rebuilt from events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from joserfc import jws
from joserfc.jwk import KeySet
from sqlalchemy import text

from services.jobs.events import told_so_far
from services.jobs.settings import Settings
from services.jobs.trust.projection import rebuild
from services.jobs.trust.signing import ALGORITHM
from shared.contracts.job import ReviewChanged
from tests.component.test_jobs_work import Shift, shift
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.jobs import JobsDesk, open_jobs
from tests.publishers import NOBODY_LISTENS, assert_problem

pytestmark = pytest.mark.component


@pytest_asyncio.fixture(scope="module")
async def jobs(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[JobsDesk]:
    settings = settings_for(
        Settings, kafka_url=NOBODY_LISTENS, jobs_tick_s=3_600, jobs_reports_per_minute=1_000, jobs_badge_jobs=2,
        jobs_badge_recommendations=1,
    )  # fmt: skip
    async with open_jobs(databases, issuer, settings) as desk:
        yield desk


async def finished(jobs: JobsDesk, who: str | None = None, **changed: Any) -> Shift:
    one = await shift(jobs, who, **changed)
    await one.work()
    return one


async def review(one: Shift, *, officer: bool, recommends: bool = True, **body: Any) -> Any:
    return await one.act("review", {"recommends": recommends, **body}, officer=officer)


async def seen(one: Shift, *, officer: bool) -> list[Any]:
    as_ = "officer:수완동" if officer else one.who
    found: list[Any] = await one.jobs.good("GET", f"/claims/{one.claim['id']}/reviews", as_=as_)
    return found


async def test_reviews_are_shown_together(jobs: JobsDesk) -> None:
    one = await finished(jobs)
    first = await review(one, officer=True, tags=["punctual"], comment="꼼꼼하세요 👩🏽‍🌾")
    assert (first.status_code, first.json()["state"]) == (201, "sealed")
    assert [len(await seen(one, officer=officer)) for officer in (True, False)] == [1, 0]
    second = await review(one, officer=False, tags=["clear"])
    assert second.json()["state"] == "revealed"
    assert {r["by"]: r["comment"] for r in await seen(one, officer=False)} == {
        "institution": "꼼꼼하세요 👩🏽‍🌾",
        "citizen": "",
    }
    told = await jobs.events(one.posting["id"], ReviewChanged)
    assert [(e.by, e.state, e.tags) for e in told] == [
        ("institution", "sealed", ()), ("citizen", "sealed", ()),
        ("institution", "revealed", ("punctual",)), ("citizen", "revealed", ("clear",)),
    ]  # fmt: skip
    assert_problem(await review(one, officer=True), 409, "conflict")


async def test_a_review_alone_is_shown_after_seven_days_also_by_a_dead_scheduler(jobs: JobsDesk) -> None:
    one = await finished(jobs)
    await review(one, officer=True, recommends=False)
    end = datetime.now().astimezone()
    with jobs.clock.at((end + timedelta(days=6.9)).isoformat()):
        assert await seen(one, officer=False) == []
        await jobs.chores()
        assert await seen(one, officer=False) == []
    with jobs.clock.at((end + timedelta(days=7.1)).isoformat()):
        assert [r["state"] for r in await seen(one, officer=False)] == ["revealed"]
        assert_problem(await review(one, officer=False), 409, "conflict")
        await jobs.chores()
        assert (await jobs.events(one.posting["id"], ReviewChanged))[-1].state == "revealed"


async def test_only_finished_work_is_reviewed_and_only_by_its_two_sides(jobs: JobsDesk) -> None:
    one = await shift(jobs)
    assert_problem(await review(one, officer=False), 409, "conflict")
    await one.work()
    path = f"/claims/{one.claim['id']}/review"
    for stranger in ("officer:첨단1동", f"citizen:{uuid4().hex}"):
        assert_problem(await jobs.ask("POST", path, {"recommends": True}, as_=stranger), 404, "not-found")
    answer = await review(one, officer=False, tags=["punctual"])
    assert assert_problem(answer, 422, "invalid")[0]["rule"] == "tags"


async def test_an_appeal_goes_to_a_moderator_who_hides_or_keeps(jobs: JobsDesk) -> None:
    one = await finished(jobs)
    await review(one, officer=True, recommends=False, tags=["late"])
    await review(one, officer=False)
    theirs = next(r for r in await seen(one, officer=False) if r["by"] == "institution")
    path = f"/reviews/{theirs['id']}/appeal"
    assert_problem(await jobs.ask("POST", path, {"reason": "내 글"}), 404, "not-found")
    await jobs.good("POST", path, {"reason": "늦지 않았어요"}, as_=one.who)
    assert_problem(await jobs.ask("GET", "/moderation/appeals", as_=one.who), 403, "forbidden")
    queue = await jobs.good("GET", "/moderation/appeals?limit=200", as_="moderator")
    assert theirs["id"] in {item["id"] for item in queue["items"]}
    decide = f"/moderation/reviews/{theirs['id']}/decide"
    await jobs.good("POST", decide, {"hide": True, "reason": "출근 기록과 다름"}, as_="moderator")
    profile = await jobs.good("GET", "/me/profile", as_=one.who)
    assert (profile["reviews"], profile["tags"]) == (0, {})
    assert_problem(await jobs.ask("POST", decide, {"hide": False, "reason": "또"}, as_="moderator"), 409, "conflict")


async def test_the_profile_is_earned_and_equals_the_one_rebuilt_from_events(jobs: JobsDesk) -> None:
    one = await finished(jobs, days=3)
    for day in (4, 5):
        more = await finished(jobs, one.who, days=day)
        await review(more, officer=True, tags=["kind"])
        await review(more, officer=False)
    await (await shift(jobs, one.who, days=6)).act("drop", {"reason": "미리 알림"})
    profile = await jobs.good("GET", "/me/profile", as_=one.who)
    assert profile == {
        "finished_jobs": 3, "hours": 6.0, "rehire_rate": 1.0, "punctuality": 1.0, "recommendations": 2, "reviews": 2,
        "tags": {"kind": 2}, "no_shows": 0, "late_dropouts": 0, "badges": ["trusted-neighbour"],
    }  # fmt: skip
    before = await profiles(jobs)
    async with jobs.database.transaction() as tx:
        assert await rebuild(tx, told_so_far(tx)) == len(before)
    assert await profiles(jobs) == before
    assert await jobs.good("GET", "/me/profile", as_=one.who) == profile


async def profiles(jobs: JobsDesk) -> dict[str, Any]:
    async with jobs.database.transaction() as tx:
        return {row.citizen_id: row.facts for row in await tx.execute(text("SELECT * FROM profile"))}


async def test_an_officer_sees_of_an_applicant_what_hiring_needs(jobs: JobsDesk) -> None:
    one = await finished(jobs)
    await jobs.good("PUT", "/me", {"name": "김하늘", "birth_year": 1960}, as_=one.who)
    posting = await jobs.opened(days=9, approval="officer")
    await jobs.claimed(posting, one.who)
    (applicant,) = await jobs.good("GET", f"/postings/{posting['id']}/claims")
    assert (applicant["name"], applicant["finished_jobs"], applicant["hours"]) == ("김하늘", 1, 2.0)
    assert one.who not in str(applicant)
    assert not {"birth_year", "citizen_id", "late_dropouts", "comment"} & set(applicant)


async def test_a_signed_summary_is_checked_by_anybody_with_the_public_key_alone(jobs: JobsDesk) -> None:
    one = await finished(jobs)
    signed = await jobs.good("GET", "/me/profile/signed", as_=one.who)
    keys = KeySet.import_key_set(await jobs.good("GET", "/profile-keys", as_=None))
    payload = jws.deserialize_compact(signed["jws"], keys, algorithms=[ALGORITHM]).payload
    assert b'"finished_jobs": 1' in (payload or b"")
    assert one.who.encode() not in (payload or b"")
    checked = await jobs.good("POST", "/profile-summaries/check", {"jws": signed["jws"]}, as_=None)
    assert (checked["valid"], checked["summary"]["hours"]) == (True, 2.0)
    forged = await jobs.good("POST", "/profile-summaries/check", {"jws": signed["jws"][:-4] + "AAAA"}, as_=None)
    assert forged == {"valid": False, "summary": None}
