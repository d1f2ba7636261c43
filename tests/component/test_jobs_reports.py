"""신고 and moderation on the real database: hold, release, remove, block, the audit trail; counts for officers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.jobs.postings.domain import FILLED
from services.jobs.reports.domain import HELD, REMOVED
from services.jobs.settings import Settings
from shared.contracts.job import ClaimChanged, PostingNoticed, ReportChanged
from tests.component.test_jobs_claims import somebody
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.jobs import HANEUL, JobsDesk, open_jobs, shift_draft
from tests.publishers import NOBODY_LISTENS, assert_problem, broken_rules

pytestmark = pytest.mark.component


@pytest_asyncio.fixture(scope="module")
async def jobs(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[JobsDesk]:
    settings = settings_for(Settings, kafka_url=NOBODY_LISTENS, jobs_tick_s=3_600, jobs_reports_per_minute=5)
    async with open_jobs(databases, issuer, settings) as desk:
        yield desk


async def reported(jobs: JobsDesk, posting: dict[str, Any], who: str | None = None, **body: Any) -> dict[str, Any]:
    path, whole = f"/postings/{posting['id']}/reports", {"reason": "false-ad", **body}
    made: dict[str, Any] = await jobs.good("POST", path, whole, as_=who or somebody())
    return made


async def act(jobs: JobsDesk, report: dict[str, Any], what: str, *, as_: str = "moderator") -> Any:
    return await jobs.ask("POST", f"/moderation/reports/{report['id']}/{what}", {"reason": "살펴봄"}, as_=as_)


async def test_a_report_waits_in_the_queue_and_names_nobody_outside_it(jobs: JobsDesk) -> None:
    posting, who = await jobs.opened(), somebody()
    report = await reported(jobs, posting, who, detail="\u202eRTL 글자와 👩🏽‍🌾")
    queue = await jobs.good("GET", "/moderation/reports?limit=200", as_="moderator")
    mine = next(item for item in queue["items"] if item["id"] == report["id"])
    assert (mine["reporter"], mine["detail"]) == (who, "\u202eRTL 글자와 👩🏽‍🌾")
    (told,) = await jobs.events(posting["id"], ReportChanged)
    assert who not in told.model_dump_json()
    for stranger in (HANEUL, "officer:수완동"):
        assert_problem(await jobs.ask("GET", "/moderation/reports", as_=stranger), 403, "forbidden")
    again = await jobs.ask("POST", f"/postings/{posting['id']}/reports", {"reason": "other"}, as_=who)
    assert assert_problem(again, 409, "conflict")[0]["rule"] == "reported-already"


async def test_what_is_held_is_closed_to_all_and_opens_again_when_released(jobs: JobsDesk) -> None:
    posting = await jobs.opened(slots=2)
    await jobs.claimed(posting, somebody())
    report = await reported(jobs, posting)
    assert (await act(jobs, report, "hold")).json()["state"] == "held"
    held = await jobs.posting(posting)
    assert (held["status"], held["closed_because"]) == ("closed", HELD)
    assert_problem(await jobs.ask("POST", f"/postings/{posting['id']}/claims", {}, as_=somebody()), 409, "conflict")
    edit = {"headline": "다른 제목"}
    named = {"If-Match": f'"v{held["version"]}"'}
    assert_problem(await jobs.ask("PATCH", f"/postings/{posting['id']}", edit, headers=named), 409, "conflict")
    assert_problem(await act(jobs, report, "hold"), 409, "conflict")
    assert (await act(jobs, report, "release")).json()["state"] == "released"
    assert (await jobs.posting(posting))["status"] == "open"
    assert [p.status for p in await jobs.told(posting["id"])] == ["open", "closed", "open"]
    assert [e.news for e in await jobs.events(posting["id"], PostingNoticed)] == ["held", "released"]


async def test_a_filled_posting_is_filled_again_after_release_or_open_if_somebody_left(jobs: JobsDesk) -> None:
    for leaves, state in ((False, ("closed", FILLED)), (True, ("open", None))):
        posting, who = await jobs.opened(days=4), somebody()
        claim = await jobs.claimed(posting, who)
        report = await reported(jobs, posting)
        await act(jobs, report, "hold")
        if leaves:
            await jobs.good("POST", f"/claims/{claim['id']}/drop", {"reason": "불안해서"}, as_=who)
            assert (await jobs.posting(posting))["closed_because"] == HELD
        await act(jobs, report, "release")
        after = await jobs.posting(posting)
        assert (after["status"], after["closed_because"]) == state


async def test_what_is_removed_is_off_for_good_and_everybody_is_told(jobs: JobsDesk) -> None:
    posting = await jobs.opened(slots=2)
    await jobs.claimed(posting, somebody())
    report = await reported(jobs, posting)
    assert (await act(jobs, report, "remove")).json()["state"] == "removed"
    off = await jobs.posting(posting)
    assert (off["status"], off["closed_because"], off["cancelled"]) == ("closed", REMOVED, True)
    assert (await jobs.events(posting["id"], ClaimChanged))[-1].state == "cancelled"
    assert_problem(await act(jobs, report, "release"), 409, "conflict")


async def test_two_moderators_at_once_do_it_once(jobs: JobsDesk) -> None:
    posting = await jobs.opened()
    report = await reported(jobs, posting)
    answers = await asyncio.gather(act(jobs, report, "hold"), act(jobs, report, "hold", as_="admin"))
    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_every_act_of_moderation_is_in_the_trail_which_nobody_changes(jobs: JobsDesk) -> None:
    posting = await jobs.opened()
    report = await reported(jobs, posting)
    for what in ("hold", "release"):
        await act(jobs, report, what)
    trail = await jobs.good("GET", f"/moderation/audit?subject=posting:{posting['id']}", as_="admin")
    assert [(line["act"], line["moderator"], line["reason"]) for line in trail["items"]] == [
        ("release", "moderator", "살펴봄"), ("hold", "moderator", "살펴봄"),
    ]  # fmt: skip
    with pytest.raises(DBAPIError):
        async with jobs.database.transaction() as tx:
            await tx.execute(text("DELETE FROM audit"))


async def test_who_is_blocked_neither_claims_nor_posts_until_unblocked(jobs: JobsDesk) -> None:
    who, place = somebody(), f"기관 {uuid4().hex[:6]}"
    posting = await jobs.opened()
    for kind, name in (("citizen", who), ("institution", place)):
        await jobs.good("PUT", f"/moderation/blocked/{kind}/{name}", {"reason": "거듭된 신고"}, as_="moderator")
    assert_problem(
        await jobs.ask("PUT", f"/moderation/blocked/citizen/{who}", {"reason": "x"}, as_=HANEUL), 403, "forbidden"
    )
    answer = await jobs.ask("POST", f"/postings/{posting['id']}/claims", {}, as_=who)
    assert assert_problem(answer, 409, "conflict")[0]["rule"] == "blocked"
    refused = await jobs.ask("POST", "/postings", shift_draft(), as_=f"officer:{place}")
    assert broken_rules(refused) == {("body.institution", "verified-institution")}
    assert {who, place} <= {b["name"] for b in await jobs.good("GET", "/moderation/blocked", as_="moderator")}
    for kind, name in (("citizen", who), ("institution", place)):
        await jobs.good("DELETE", f"/moderation/blocked/{kind}/{name}", as_="moderator")
    await jobs.claimed(posting, who)
    await jobs.opened(as_=f"officer:{place}")
    assert_problem(await jobs.ask("DELETE", f"/moderation/blocked/citizen/{who}", as_="moderator"), 404, "not-found")


async def test_reporting_without_end_is_turned_away(jobs: JobsDesk) -> None:
    who = somebody()
    answers = [await jobs.ask("POST", f"/postings/{uuid4()}/reports", {"reason": "other"}, as_=who) for _ in range(12)]
    assert answers[-1].status_code == 429
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60


async def test_an_officer_sees_how_many_looked_and_claimed_and_nobody_else_does(jobs: JobsDesk) -> None:
    posting, people = await jobs.opened(days=5, slots=2), [somebody() for _ in range(3)]
    for who in (*people, people[0]):
        await jobs.good("PUT", f"/postings/{posting['id']}/seen", as_=who)
    for who in people:
        await jobs.claimed(posting, who, wait=True)
    counts = await jobs.good("GET", f"/postings/{posting['id']}/counts")
    assert counts == {
        "alerted": 0, "viewed": 3, "claimed": 3, "placed": 2, "pending": 0, "waiting": 1, "dropped": 0, "no_shows": 0,
    }  # fmt: skip
    assert_problem(await jobs.ask("GET", f"/postings/{posting['id']}/counts", as_="officer:첨단1동"), 403, "not-yours")
    async with jobs.database.transaction() as tx:
        viewers = list((await tx.execute(text("SELECT viewer FROM posting_seen"))).scalars())
    assert not set(viewers) & set(people)
