"""Work on the real database: codes at the place, hours of both sides, disputes, the ledger, caps, statements, no-shows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.jobs.settings import Settings
from shared.contracts.job import CapReached, ClaimChanged, HoursEntered, PostingNoticed
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.jobs import JobsDesk, open_jobs, tomorrow_at
from tests.publishers import NOBODY_LISTENS, assert_problem, broken_rules

pytestmark = pytest.mark.component


@pytest_asyncio.fixture(scope="module")
async def jobs(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[JobsDesk]:
    settings = settings_for(Settings, kafka_url=NOBODY_LISTENS, jobs_tick_s=3_600, jobs_monthly_cap_h=6)
    async with open_jobs(databases, issuer, settings) as desk:
        yield desk


def somebody() -> str:
    return f"citizen:{uuid4().hex[:8]}"


class Shift:
    """One posting, one citizen with a place, and the days' doings."""

    def __init__(self, jobs: JobsDesk, posting: dict[str, Any], claim: dict[str, Any], who: str) -> None:
        self.jobs, self.posting, self.claim, self.who = jobs, posting, claim, who
        self.month = f"{datetime.fromisoformat(posting['starts_at']) + timedelta(hours=9):%Y-%m}"

    async def code(self) -> str:
        return str((await self.jobs.good("GET", f"/postings/{self.posting['id']}/code"))["code"])

    async def act(self, what: str, body: dict[str, Any], *, officer: bool = False) -> Any:
        as_ = "officer:수완동" if officer else self.who
        return await self.jobs.ask("POST", f"/claims/{self.claim['id']}/{what}", body, as_=as_)

    async def finish(self, minutes: int) -> None:
        for officer in (False, True):
            answer = await self.act("hours", {"minutes": minutes}, officer=officer)
            assert answer.status_code == 200, answer.text

    async def work(self, minutes: int = 120) -> None:
        """Come a minute before the start, leave at the end, agree."""
        before = datetime.fromisoformat(self.posting["starts_at"]) - timedelta(minutes=1)
        with self.jobs.clock.at(before.isoformat()):
            assert (await self.act("check-in", {"code": await self.code()})).status_code == 200
        with self.jobs.clock.at(self.posting["ends_at"]):
            assert (await self.act("check-out", {"code": await self.code()})).status_code == 200
            await self.finish(minutes)

    async def ledger(self) -> Any:
        return await self.jobs.good("GET", f"/ledger/{self.month}", as_=self.who)


async def shift(jobs: JobsDesk, who: str | None = None, **changed: Any) -> Shift:
    who = who or somebody()
    posting = await jobs.opened(**changed)
    return Shift(jobs, posting, await jobs.claimed(posting, who), who)


async def test_a_day_of_work_from_the_code_to_the_ledger(jobs: JobsDesk) -> None:
    one = await shift(jobs)
    await one.work()
    ledger = await one.ledger()
    assert (ledger["minutes"], ledger["pay_krw"], len(ledger["lines"])) == (120, 24_000, 1)
    told = await jobs.events(one.posting["id"], ClaimChanged)
    assert [e.state for e in told] == ["held", "working", "worked", "worked", "finished"]
    assert [e.version for e in told] == [1, 2, 3, 4, 5]
    (entered,) = await jobs.events(one.posting["id"], HoursEntered)
    assert (entered.minutes, entered.pay_krw, entered.month) == (120, 24_000, one.month)


async def test_a_code_shared_replayed_or_of_another_place_is_refused(jobs: JobsDesk) -> None:
    one, other = await shift(jobs), await shift(jobs, hour=14)
    with jobs.clock.at(one.posting["starts_at"]):
        code, elsewhere = await one.code(), await other.code()
        assert broken_rules(await one.act("check-in", {"code": elsewhere})) == {("body.code", "code")}
        stranger = await jobs.ask("POST", f"/claims/{one.claim['id']}/check-in", {"code": code}, as_=somebody())
        assert_problem(stranger, 404, "not-found")
    start = datetime.fromisoformat(one.posting["starts_at"])
    with jobs.clock.at((start + timedelta(minutes=5)).isoformat()):
        assert broken_rules(await one.act("check-in", {"code": code})) == {("body.code", "code")}
        late = await one.act("check-in", {"code": code, "scanned_at": start.isoformat()})
        assert (late.json()["state"], late.json()["offline"]) == ("working", True)
        assert_problem(await one.act("check-in", {"code": await one.code()}), 409, "conflict")
    with jobs.clock.at((start + timedelta(minutes=30)).isoformat()):
        sent_too_late = {"code": code, "scanned_at": start.isoformat()}
        assert broken_rules(await one.act("check-out", sent_too_late)) == {("body.code", "code")}


async def test_only_the_institutions_officer_sees_the_code_and_no_cache_keeps_it(jobs: JobsDesk) -> None:
    one = await shift(jobs)
    path = f"/postings/{one.posting['id']}/code"
    answer = await jobs.ask("GET", path)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json()["qr"] == f"gwangsan:check:{one.posting['id']}:{answer.json()['code']}"
    assert_problem(await jobs.ask("GET", path, as_="officer:첨단1동"), 403, "not-yours")
    assert_problem(await jobs.ask("GET", path, as_=one.who), 403, "forbidden")


async def test_a_dispute_goes_to_the_officer_and_a_correction_reverses(jobs: JobsDesk) -> None:
    one = await shift(jobs)
    with jobs.clock.at(one.posting["ends_at"]):
        await one.act("hours", {"minutes": 60}, officer=True)
        await one.act("hours", {"minutes": 120})
        assert [e.news for e in await jobs.events(one.posting["id"], PostingNoticed)] == ["disputed"]
        assert_problem(await one.act("settle", {"minutes": 90, "reason": "내가 정함"}), 403, "forbidden")
        assert (await one.act("settle", {"minutes": 90, "reason": "시계 확인"}, officer=True)).json()[
            "state"
        ] == "finished"
        assert ((await one.ledger())["minutes"], (await one.ledger())["pay_krw"]) == (90, 18_000)
        await one.act("dispute", {"reason": "두 시간이었어요"})
        assert (await one.ledger())["minutes"] == 90
        await one.act("settle", {"minutes": 120, "reason": "맞네요"}, officer=True)
    ledger = await one.ledger()
    assert [line["minutes"] for line in ledger["lines"]] == [90, -90, 120]
    assert ledger["lines"][1]["reverses"] == ledger["lines"][0]["id"]
    assert (ledger["minutes"], ledger["pay_krw"]) == (120, 24_000)
    assert [e.minutes for e in await jobs.events(one.posting["id"], HoursEntered)] == [90, -90, 120]


async def test_nothing_in_the_ledger_can_be_changed_or_deleted(jobs: JobsDesk) -> None:
    one = await shift(jobs)
    await one.work()
    for statement in ("UPDATE ledger SET minutes = 1", "DELETE FROM ledger"):
        with pytest.raises(DBAPIError) as refused:
            async with jobs.database.transaction() as tx:
                await tx.execute(text(statement))
        assert isinstance(refused.value.orig.__cause__ if refused.value.orig else None, asyncpg.RaiseError)


async def test_at_the_monthly_cap_claims_stop_and_the_platform_is_told_once(jobs: JobsDesk) -> None:
    who, base = somebody(), 2
    while tomorrow_at(0, days=base).month != tomorrow_at(0, days=base + 1).month:
        base += 1
    first = await shift(jobs, who, days=base, hours=4)
    await first.work(300)
    assert await jobs.events(who, CapReached) == []
    second = await shift(jobs, who, days=base + 1, hours=1)
    await second.work(60)
    (told,) = await jobs.events(who, CapReached)
    assert (told.reached, told.month) == (True, first.month)
    more = await jobs.opened(days=base + 1, hour=16, hours=1)
    (cap,) = assert_problem(await jobs.ask("POST", f"/postings/{more['id']}/claims", {}, as_=who), 409, "conflict")
    assert cap["rule"] == "monthly-cap"
    await second.act("dispute", {"reason": "30분이었어요"})
    await second.act("settle", {"minutes": 0, "reason": "오지 않았음"}, officer=True)
    assert [e.reached for e in await jobs.events(who, CapReached)] == [True, False]
    await jobs.claimed(more, who)


async def test_who_does_not_come_is_noted_as_that(jobs: JobsDesk) -> None:
    one, other = await shift(jobs, days=3), await shift(jobs, days=3)
    start = datetime.fromisoformat(one.posting["starts_at"])
    with jobs.clock.at(one.posting["starts_at"]):
        await other.act("check-in", {"code": await other.code()})
    with jobs.clock.at((start + timedelta(minutes=59)).isoformat()):
        await jobs.chores()
        assert (await jobs.good("GET", f"/claims/{one.claim['id']}", as_=one.who))["state"] == "held"
    with jobs.clock.at((start + timedelta(minutes=61)).isoformat()):
        await jobs.chores()
    states = [(await jobs.good("GET", f"/claims/{x.claim['id']}", as_=x.who))["state"] for x in (one, other)]
    assert states == ["no_show", "working"]


async def test_the_monthly_statement_as_csv_and_to_print(jobs: JobsDesk) -> None:
    one = await shift(jobs, headline="=1+1 책 정리 <b>")
    await one.work()
    raw = await jobs.ask("GET", f"/ledger/{one.month}/statement?format=csv", as_=one.who)
    assert raw.headers["content-type"] == "text/csv; charset=utf-8"
    assert raw.content.startswith(b"\xef\xbb\xbf")
    assert "'=1+1" in raw.text
    page = await jobs.ask("GET", f"/ledger/{one.month}/statement", as_=one.who)
    assert page.headers["content-type"].startswith("text/html")
    assert "&lt;b&gt;" in page.text
    whole = await jobs.ask("GET", f"/institution/ledger/{one.month}/statement")
    assert "책 정리" in whole.text
    assert one.who not in whole.text
    assert_problem(await jobs.ask("GET", "/ledger/2026-13/statement", as_=one.who), 422, "invalid")


async def test_another_citizens_hours_are_not_seen(jobs: JobsDesk) -> None:
    one = await shift(jobs)
    await one.work()
    assert (await jobs.good("GET", f"/ledger/{one.month}", as_=somebody()))["lines"] == []
