"""Imports on the real database: looked at first, applied in whole or in part, repeated without effect, taken back."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from services.jobs.settings import Settings
from tests.component.test_jobs_claims import somebody
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.jobs import JobsDesk, open_jobs, tomorrow_at
from tests.publishers import NOBODY_LISTENS, assert_problem, broken_rules
from tests.unit.test_jobs_imports import HEADER, RECORDED

pytestmark = pytest.mark.component


@pytest_asyncio.fixture(scope="module")
async def jobs(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[JobsDesk]:
    settings = settings_for(Settings, kafka_url=NOBODY_LISTENS, jobs_tick_s=3_600)
    async with open_jobs(databases, issuer, settings) as desk:
        yield desk


def line(n: int, headline: str = "", pay: object = 12_000) -> str:
    day = f"{tomorrow_at(0, days=2 + n % 200):%Y-%m-%d}"
    return f"x{n},{headline or f'책 정리 {n}'},수완도서관,수완동,{day} 10:00,{day} 12:00,{pay}"


def table(*lines: str) -> str:
    return "\n".join((HEADER, *lines)) + "\n"


class Office:
    """An institution of a test's own that imports."""

    def __init__(self, jobs: JobsDesk) -> None:
        self.jobs, self.name = jobs, f"기관{uuid4().hex[:6]}"
        self.as_ = f"officer:{self.name}"

    async def send(
        self, content: str | bytes, mode: str = "valid-rows", *, path: str = "csv", key: str | None = None
    ) -> httpx.Response:
        raw = content.encode() if isinstance(content, str) else content
        headers = {"Content-Type": "text/csv", "Idempotency-Key": key or uuid4().hex}
        return await self.jobs.ask("POST", f"/imports/{path}?mode={mode}", as_=self.as_, content=raw, headers=headers)

    async def done(self, content: str | bytes, mode: str = "valid-rows", **more: Any) -> dict[str, Any]:
        answer = await self.send(content, mode, **more)
        assert answer.status_code == 200, answer.text
        report: dict[str, Any] = answer.json()
        return report

    async def listed(self) -> list[dict[str, Any]]:
        page = await self.jobs.good("GET", f"/postings?limit=200&institution={self.name}", as_=None)
        items: list[dict[str, Any]] = page["items"]
        return items


def counts(report: dict[str, Any]) -> tuple[int, ...]:
    return tuple(report[name] for name in ("created", "changed", "unchanged", "refused"))


async def test_a_dry_run_tells_and_changes_nothing(jobs: JobsDesk) -> None:
    office = Office(jobs)
    report = await office.done(table(line(1), line(2, pay=1), line(3, "가")), "dry-run")
    assert (report["applied"], counts(report)) == (False, (1, 0, 0, 2))
    assert [(e["line"], e["column"], e["rule"]) for e in report["errors"]] == [
        (3, "보수", "minimum-wage"), (4, "제목", "string_too_short"),
    ]  # fmt: skip
    assert await office.listed() == []
    assert (await jobs.good("GET", "/imports", as_=office.as_))["items"] == []


async def test_valid_rows_are_posted_and_told_the_others_are_named(jobs: JobsDesk) -> None:
    office = Office(jobs)
    report = await office.done(table(line(1), line(2, pay=1)))
    assert (report["applied"], counts(report)) == (True, (1, 0, 0, 1))
    (made,) = await office.listed()
    assert (made["headline"], made["institution"], made["version"]) == ("책 정리 1", office.name, 1)
    (told,) = await jobs.told(made["id"])
    assert (told.headline, told.version) == ("책 정리 1", 1)


async def test_all_or_nothing_is_all_or_nothing(jobs: JobsDesk) -> None:
    office = Office(jobs)
    answer = await office.send(table(line(1), line(2, pay=1)), "all-or-nothing")
    assert broken_rules(answer) == {("line 3, 보수", "minimum-wage")}
    assert await office.listed() == []
    assert counts(await office.done(table(line(1), line(2)), "all-or-nothing")) == (2, 0, 0, 0)


async def test_the_same_file_again_does_nothing_a_changed_row_changes_its_posting(jobs: JobsDesk) -> None:
    office = Office(jobs)
    await office.done(table(line(1), line(2)))
    assert counts(await office.done(table(line(2), line(1)))) == (0, 0, 2, 0)
    assert counts(await office.done(table(line(1, pay=13_000), line(2)))) == (0, 1, 1, 0)
    by_name = {made["headline"]: made for made in await office.listed()}
    assert (by_name["책 정리 1"]["pay"]["amount_krw"], by_name["책 정리 1"]["version"]) == (13_000, 2)
    assert by_name["책 정리 2"]["version"] == 1


async def test_one_key_is_for_one_file_and_mode(jobs: JobsDesk) -> None:
    office, key = Office(jobs), uuid4().hex
    first = await office.send(table(line(1)), key=key)
    again = await office.send(table(line(1)), key=key)
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert_problem(await office.send(table(line(2)), key=key), 422, "idempotency-key-reused")


async def test_cp949_with_names_that_utf8_would_break(jobs: JobsDesk) -> None:
    office = Office(jobs)
    await office.done(table(line(1, "똠방각하 펲시콜라 배달")).encode("cp949"))
    assert [made["headline"] for made in await office.listed()] == ["똠방각하 펲시콜라 배달"]


async def test_emoji_and_right_to_left_come_through(jobs: JobsDesk) -> None:
    office = Office(jobs)
    await office.done(table(line(1, "👩🏽‍🌾 مرحبا \u202e돕기")))
    assert [made["headline"] for made in await office.listed()] == ["👩🏽‍🌾 مرحبا \u202e돕기"]


async def test_what_is_open_already_is_a_suspected_duplicate(jobs: JobsDesk) -> None:
    office = Office(jobs)
    await office.done(table(line(1)))
    report = await office.done(table(line(1).replace("x1,", "y1,", 1)))
    assert [(e["column"], e["rule"]) for e in report["errors"]] == [("제목", "suspected-duplicate")]


async def test_an_import_is_taken_back_but_for_what_somebody_claimed(jobs: JobsDesk) -> None:
    office = Office(jobs)
    await office.done(table(line(1)))
    report = await office.done(table(line(1, pay=13_000), line(2), line(3)))
    by_name = {made["headline"]: made for made in await office.listed()}
    await jobs.claimed(by_name["책 정리 3"], somebody())
    back = await jobs.good("POST", f"/imports/{report['id']}/rollback", as_=office.as_)
    assert (back["cancelled"], back["restored"]) == (1, 1)
    assert [kept["posting_id"] for kept in back["kept"]] == [by_name["책 정리 3"]["id"]]
    first, second = await jobs.posting(by_name["책 정리 1"]), await jobs.posting(by_name["책 정리 2"])
    assert (first["pay"]["amount_krw"], first["status"]) == (12_000, "open")
    assert (second["status"], second["cancelled"]) == ("closed", True)
    assert_problem(await jobs.ask("POST", f"/imports/{report['id']}/rollback", as_=office.as_), 409, "conflict")
    assert_problem(await jobs.ask("POST", f"/imports/{report['id']}/rollback", as_="officer:수완동"), 404, "not-found")
    (newest, _) = (await jobs.good("GET", "/imports", as_=office.as_))["items"]
    assert newest["rolled_back_at"]


async def test_what_a_row_may_no_longer_change_is_told(jobs: JobsDesk) -> None:
    office = Office(jobs)
    await office.done(table(line(1)))
    (made,) = await office.listed()
    await jobs.good("POST", f"/postings/{made['id']}/close", {"reason": "그만"}, as_=office.as_)
    report = await office.done(table(line(1, pay=13_000)))
    assert [(e["line"], e["rule"]) for e in report["errors"]] == [(2, "closed")]
    assert_problem(await office.send(table(line(1, pay=14_000)), "all-or-nothing"), 422, "invalid")


async def test_ten_thousand_rows_a_tenth_of_them_broken(jobs: JobsDesk) -> None:
    office = Office(jobs)
    lines = [line(n, pay=1 if n % 10 == 0 else 12_000) for n in range(10_000)]
    lines[5_000] = "x,y"
    started = time.monotonic()
    report = await office.done(table(*lines))
    took_s = time.monotonic() - started
    assert counts(report) == (9_000, 0, 0, 1_000)
    assert len(report["errors"]) == 1_000
    assert took_s < 60, f"{took_s:.1f} s"
    assert counts(await office.done(table(*lines), "dry-run")) == (0, 0, 9_000, 1_000)


async def test_work24_by_its_recorded_shape_and_its_failures(jobs: JobsDesk) -> None:
    office = Office(jobs)
    raw = (RECORDED / "work24-l01.xml").read_bytes()
    with jobs.clock.at("2026-11-23T09:00:00+09:00"):
        report = await office.done(raw, path="work24")
        assert counts(report) == (2, 0, 0, 2)
        assert {(e["line"], e["rule"]) for e in report["errors"]} >= {(3, "pay-unit"), (4, "no-place")}
        assert counts(await office.done(raw, path="work24")) == (0, 0, 2, 2)
    for name, rule in (("work24-error.xml", "source-error"), ("work24-outage.html", "source-html")):
        answer = await office.send((RECORDED / name).read_bytes(), path="work24")
        assert broken_rules(answer) == {("body.file", rule)}


async def test_a_file_that_is_too_large_or_no_file_is_refused(jobs: JobsDesk) -> None:
    office = Office(jobs)
    assert_problem(await office.send(b"x" * 10_000_001), 413, "too-large")
    assert broken_rules(await office.send(b"\xff\xfe\x00\x81")) == {("body.file", "encoding")}
    assert_problem(await jobs.ask("POST", "/imports/csv", as_=somebody(), content=b"x"), 403, "forbidden")
