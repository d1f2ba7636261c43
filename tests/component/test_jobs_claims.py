"""Claims on real PostgreSQL: under contention, by the rules, by waiting, by approval, and what follows a change."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from services.jobs.postings.domain import FILLED
from services.jobs.settings import Settings
from shared.contracts.job import ClaimChanged, PostingNoticed
from shared.contracts.posting import veiled
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.jobs import BADA, HANEUL, NURI, OFFICER, JobsDesk, open_jobs, shift_draft, tomorrow_at
from tests.publishers import NOBODY_LISTENS, SUWAN, assert_problem, broken_rules

pytestmark = pytest.mark.component


@pytest_asyncio.fixture(scope="module")
async def jobs(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[JobsDesk]:
    settings = settings_for(Settings, kafka_url=NOBODY_LISTENS, jobs_tick_s=3_600, jobs_monthly_cap_h=30)
    async with open_jobs(databases, issuer, settings) as desk:
        yield desk


def somebody() -> str:
    return f"citizen:{uuid4().hex[:8]}"


async def states(jobs: JobsDesk, posting: dict[str, Any]) -> list[str]:
    return [a["state"] for a in await jobs.good("GET", f"/postings/{posting['id']}/claims")]


async def test_of_a_hundred_who_claim_three_places_at_once_exactly_three_succeed(jobs: JobsDesk) -> None:
    other = await jobs.opened(days=3, place={**SUWAN, "lat": 35.1936})
    posting = await jobs.opened(days=3, slots=3)
    path, people = f"/postings/{posting['id']}/claims", [somebody() for _ in range(100)]
    answers = await asyncio.gather(*(jobs.ask("POST", path, {}, as_=who) for who in people))
    assert Counter(answer.status_code for answer in answers) == {201: 3, 409: 97}
    for answer in answers:
        if answer.status_code == 409:
            (error,) = assert_problem(answer, 409, "conflict")
            assert error["rule"] in {"full", "closed"}
            alternatives = answer.json()["alternatives"]
            assert other["id"] in {one["posting_id"] for one in alternatives}
            assert [one["distance_m"] for one in alternatives] == sorted(one["distance_m"] for one in alternatives)
    after = await jobs.posting(posting)
    assert (after["status"], after["closed_because"]) == ("closed", FILLED)
    assert await states(jobs, posting) == ["held"] * 3
    assert [(p.version, p.status) for p in await jobs.told(posting["id"])] == [(1, "open"), (2, "closed")]
    assert [e.state for e in await jobs.events(posting["id"], ClaimChanged)] == ["held"] * 3


async def test_a_repeated_claim_is_answered_alike_and_once(jobs: JobsDesk) -> None:
    posting, key = await jobs.opened(), uuid4().hex
    path = f"/postings/{posting['id']}/claims"
    first, *others = await asyncio.gather(*(jobs.ask("POST", path, {}, as_=HANEUL, key=key) for _ in range(5)))
    assert {a.status_code for a in (first, *others)} == {201}
    assert len({a.json()["id"] for a in (first, *others)}) == 1
    assert (await jobs.ask("POST", path, {}, as_=HANEUL, key=key)).headers["Idempotent-Replayed"] == "true"
    assert_problem(await jobs.ask("POST", path, {"wait": True}, as_=HANEUL, key=key), 422, "idempotency-key-reused")


async def test_of_ten_claims_of_one_citizen_made_at_once_one_succeeds_and_the_others_are_told_why(
    jobs: JobsDesk,
) -> None:
    posting, who = await jobs.opened(slots=20), somebody()
    path = f"/postings/{posting['id']}/claims"
    crowd = [who] * 10 + [somebody() for _ in range(5)]
    answers = await asyncio.gather(*(jobs.ask("POST", path, {}, as_=one) for one in crowd))
    assert Counter(answer.status_code for answer in answers[:10]) == {201: 1, 409: 9}
    assert {answer.status_code for answer in answers[10:]} == {201}
    refused = [answer for answer in answers if answer.status_code == 409]
    assert {assert_problem(answer, 409, "conflict")[0]["rule"] for answer in refused} == {"claimed-already"}
    assert await states(jobs, posting) == ["held"] * 6


async def test_who_was_refused_in_a_crowd_may_ask_again_under_the_same_key(jobs: JobsDesk) -> None:
    posting, people = await jobs.opened(slots=1), {somebody(): uuid4().hex for _ in range(2)}
    path = f"/postings/{posting['id']}/claims"
    crowd = await asyncio.gather(*(jobs.ask("POST", path, {}, as_=who, key=key) for who, key in people.items()))
    (placed,) = [who for who, answer in zip(people, crowd, strict=True) if answer.status_code == 201]
    (refused,) = people.keys() - {placed}
    claim = next(answer.json() for answer in crowd if answer.status_code == 201)
    await jobs.good("POST", f"/claims/{claim['id']}/drop", {"reason": "일이 생겼습니다"}, as_=placed)
    assert (await jobs.ask("POST", path, {}, as_=refused, key=people[refused])).status_code == 201


async def test_nobody_claims_twice_nor_two_places_at_one_time(jobs: JobsDesk) -> None:
    who = somebody()
    first, same, touching = (
        await jobs.opened(days=5, slots=9),
        await jobs.opened(days=5, hour=11),
        await jobs.opened(days=5, hour=12),
    )
    await jobs.claimed(first, who)
    (twice,) = assert_problem(await jobs.ask("POST", f"/postings/{first['id']}/claims", {}, as_=who), 409, "conflict")
    (overlap,) = assert_problem(await jobs.ask("POST", f"/postings/{same['id']}/claims", {}, as_=who), 409, "conflict")
    assert (twice["rule"], overlap["rule"]) == ("claimed-already", "overlap")
    await jobs.claimed(touching, who)


async def test_overlapping_claims_made_at_once_leave_one(jobs: JobsDesk) -> None:
    who, postings = somebody(), [await jobs.opened(days=6) for _ in range(6)]
    answers = await asyncio.gather(*(jobs.ask("POST", f"/postings/{p['id']}/claims", {}, as_=who) for p in postings))
    assert Counter(a.status_code for a in answers) == {201: 1, 409: 5}


async def test_what_a_month_allows_is_not_exceeded_to_the_minute(jobs: JobsDesk) -> None:
    who = somebody()
    base = 40  # far enough that one month holds all of them
    while tomorrow_at(0, days=base).month != tomorrow_at(0, days=base + 3).month:
        base += 1
    await jobs.good("PUT", "/me", {"birth_year": 1970}, as_=who)
    for day in range(2):
        await jobs.claimed(await jobs.opened(days=base + day, hour=8, hours=14), who)
    (cap,) = assert_problem(await jobs.ask(
        "POST", f"/postings/{(await jobs.opened(days=base + 2, hours=2.25))['id']}/claims", {}, as_=who), 409, "conflict")  # fmt: skip
    assert cap["rule"] == "monthly-cap"
    await jobs.claimed(await jobs.opened(days=base + 2, hours=2), who)


async def test_who_waits_gets_the_place_that_becomes_free(jobs: JobsDesk) -> None:
    posting = await jobs.opened(days=4)
    held = await jobs.claimed(posting, HANEUL)
    first, second = await jobs.claimed(posting, BADA, wait=True), await jobs.claimed(posting, NURI, wait=True)
    assert {first["state"], second["state"]} == {"waiting"}
    dropped = await jobs.good("POST", f"/claims/{held['id']}/drop", {"reason": "일이 생겼어요"}, as_=HANEUL)
    assert (dropped["state"], dropped["late"], dropped["because"]) == ("dropped", False, "일이 생겼어요")
    assert await states(jobs, posting) == ["dropped", "held", "waiting"]
    assert (await jobs.posting(posting))["status"] == "closed"


async def test_who_waits_but_is_busy_by_now_is_passed_over(jobs: JobsDesk) -> None:
    posting, other = await jobs.opened(days=8), await jobs.opened(days=8)
    held = await jobs.claimed(posting, HANEUL)
    await jobs.claimed(posting, BADA, wait=True)
    await jobs.claimed(other, BADA)
    await jobs.claimed(posting, NURI, wait=True)
    await jobs.good("POST", f"/claims/{held['id']}/drop", {"reason": "아파요"}, as_=HANEUL)
    assert await states(jobs, posting) == ["dropped", "waiting", "held"]


async def test_dropping_out_in_time_opens_the_posting_quietly(jobs: JobsDesk) -> None:
    posting = await jobs.opened(days=4, hour=15)
    held = await jobs.claimed(posting, HANEUL)
    await jobs.good("POST", f"/claims/{held['id']}/drop", {"reason": "미리 알려요"}, as_=HANEUL)
    after = (await jobs.told(posting["id"]))[-1]
    assert (after.status, after.urgency_epoch, after.urgent, after.widens) == ("open", 0, False, None)
    assert after.audience.not_for == (veiled(after.id, HANEUL),)
    assert await jobs.events(posting["id"], PostingNoticed) == []


async def test_dropping_out_late_opens_it_anew_widening_and_tells_the_institution(jobs: JobsDesk) -> None:
    posting, one, two, three = await jobs.opened(days=2, slots=2), somebody(), somebody(), somebody()
    held, stays = await jobs.claimed(posting, one), await jobs.claimed(posting, two)
    with jobs.clock.at(tomorrow_at(10.5, days=1).isoformat()):
        dropped = await jobs.good("POST", f"/claims/{held['id']}/drop", {"reason": "아이가 아파요"}, as_=one)
        after = (await jobs.told(posting["id"]))[-1]
        assert (dropped["late"], stays["state"]) == (True, "held")
        assert (after.status, after.urgency_epoch, after.urgent) == ("open", 1, True)
        assert after.widens is not None
        assert (after.widens.steps_m, after.widens.every_s) == ((700, 1_000, 1_500), 300)
        assert abs((after.widens.began_at - jobs.clock()).total_seconds()) < 60
        assert set(after.audience.not_for) == {veiled(after.id, one), veiled(after.id, two)}
        (told,) = await jobs.events(posting["id"], PostingNoticed)
        assert (told.news, told.because) == ("late_dropout", "아이가 아파요")
        await jobs.claimed(posting, three)
    filled = (await jobs.told(posting["id"]))[-1]
    assert (filled.status, filled.closed_because, filled.widens) == ("closed", FILLED, None)


async def test_24_hours_before_is_in_time_and_a_moment_later_is_late(jobs: JobsDesk) -> None:
    for moment, late in ((timedelta(seconds=-2), False), (timedelta(seconds=2), True)):
        posting = await jobs.opened(days=9)
        held = await jobs.claimed(posting, HANEUL)
        with jobs.clock.at((tomorrow_at(10, days=8) + moment).isoformat()):
            dropped = await jobs.good("POST", f"/claims/{held['id']}/drop", {"reason": "못 가요"}, as_=HANEUL)
            assert dropped["late"] is late


async def test_an_officer_chooses_where_the_posting_says_so(jobs: JobsDesk) -> None:
    posting = await jobs.opened(days=10, approval="officer")
    one, two = await jobs.claimed(posting, HANEUL), await jobs.claimed(posting, BADA)
    assert one["state"] == two["state"] == "pending"
    await jobs.good("PUT", "/me", {"name": "김하늘", "birth_year": 1960}, as_=HANEUL)
    assert_problem(await jobs.ask("POST", f"/claims/{one['id']}/approve", as_="officer:첨단1동"), 404, "not-found")
    approved = await jobs.good("POST", f"/claims/{one['id']}/approve")
    assert (approved["state"], approved["name"]) == ("held", "김하늘")
    assert "birth_year" not in approved
    assert HANEUL not in str(approved)
    assert_problem(await jobs.ask("POST", f"/claims/{two['id']}/approve"), 409, "conflict")
    declined = await jobs.good("POST", f"/claims/{two['id']}/decline", {"reason": "자리가 찼습니다"})
    assert declined["state"] == "declined"
    assert (await jobs.posting(posting))["status"] == "closed"


async def test_a_change_of_pay_or_time_asks_those_who_have_a_place_again(jobs: JobsDesk) -> None:
    posting = await jobs.opened(days=11, slots=2)
    held = await jobs.claimed(posting, HANEUL)

    async def edit(version: int, **changes: Any) -> None:
        await jobs.good("PATCH", f"/postings/{posting['id']}", changes, headers={"If-Match": f'"v{version}"'})

    await edit(1, headline="제목만 바꿈")
    assert await states(jobs, posting) == ["held"]
    await edit(2, ends_at=tomorrow_at(13, days=11).isoformat())
    mine = await jobs.good("GET", f"/claims/{held['id']}", as_=HANEUL)
    assert (mine["state"], mine["planned_krw"]) == ("reconfirm", 36_000)
    assert (await jobs.good("POST", f"/claims/{held['id']}/confirm", as_=HANEUL))["state"] == "held"
    assert_problem(await jobs.ask("POST", f"/claims/{held['id']}/confirm", as_=HANEUL), 409, "conflict")
    await edit(3, pay={"amount_krw": 13_000})
    assert await states(jobs, posting) == ["reconfirm"]


async def test_who_is_asked_again_may_leave_without_being_late(jobs: JobsDesk) -> None:
    posting = await jobs.opened(days=3, hour=16)
    held = await jobs.claimed(posting, HANEUL)
    version = (await jobs.posting(posting))["version"]
    edit = {"pay": {"amount_krw": 11_000}}
    await jobs.good("PATCH", f"/postings/{posting['id']}", edit, headers={"If-Match": f'"v{version}"'})
    with jobs.clock.at(tomorrow_at(10, days=3).isoformat()):
        assert not (await jobs.good("POST", f"/claims/{held['id']}/drop", {"reason": "그 값엔 못 해요"}, as_=HANEUL))[
            "late"
        ]


async def test_places_taken_are_not_edited_away_and_more_places_open_it_again(jobs: JobsDesk) -> None:
    posting = await jobs.opened(days=12, slots=2)
    for who in (HANEUL, BADA):
        await jobs.claimed(posting, who)
    path, headers = f"/postings/{posting['id']}", {"If-Match": '"v2"'}
    assert broken_rules(await jobs.ask("PATCH", path, {"slots": 1}, headers=headers)) == {("body.slots", "slots-taken")}
    assert (await jobs.good("PATCH", path, {"slots": 3}, headers=headers))["status"] == "open"
    await jobs.claimed(posting, NURI)
    assert (await jobs.posting(posting))["status"] == "closed"


async def test_a_cancelled_posting_tells_everybody_who_claimed_and_stays_off(jobs: JobsDesk) -> None:
    posting = await jobs.opened(days=13)
    await jobs.claimed(posting, HANEUL)
    await jobs.claimed(posting, BADA, wait=True)
    off = await jobs.good("POST", f"/postings/{posting['id']}/cancel", {"reason": "비가 와서"})
    assert (off["status"], off["closed_because"], off["cancelled"]) == ("closed", "비가 와서", True)
    told = (await jobs.events(posting["id"], ClaimChanged))[-2:]
    assert [(e.state, e.because) for e in told] == [("cancelled", "비가 와서")] * 2
    assert_problem(await jobs.ask("POST", f"/postings/{posting['id']}/claims", {}, as_=NURI), 409, "conflict")
    named = {"If-Match": f'"v{off["version"]}"'}
    assert_problem(await jobs.ask("PATCH", f"/postings/{posting['id']}", {"slots": 5}, headers=named), 409, "conflict")


async def test_age_is_asked_only_where_the_work_asks_for_it(jobs: JobsDesk) -> None:
    night, adults, day = (
        await jobs.opened(days=14, hour=21),
        await jobs.opened(days=15, min_age=19),
        await jobs.opened(days=16),
    )
    year = tomorrow_at(0, days=14).year
    who = somebody()

    async def rules(posting: dict[str, Any]) -> set[str]:
        answer = await jobs.ask("POST", f"/postings/{posting['id']}/claims", {}, as_=who)
        return set() if answer.status_code == 201 else {rule for _, rule in broken_rules(answer)}

    assert [await rules(p) for p in (night, adults)] == [{"age-unknown"}, {"age-unknown"}]
    await jobs.good("PUT", "/me", {"birth_year": year - 17}, as_=who)
    assert [await rules(p) for p in (night, adults, day)] == [{"guardian"}, {"too-young"}, {"guardian"}]
    await jobs.good("PUT", "/me", {"birth_year": year - 17, "guardian_consent": True}, as_=who)
    assert [await rules(p) for p in (night, day)] == [{"minors"}, set()]
    await jobs.good("PUT", "/me", {"birth_year": year - 30}, as_=who)
    assert [await rules(p) for p in (night, adults)] == [set(), set()]


async def test_a_claim_is_its_citizens_own(jobs: JobsDesk) -> None:
    posting = await jobs.opened(days=17)
    held = await jobs.claimed(posting, HANEUL)
    for method, path, body in (("GET", "", None), ("POST", "/drop", {"reason": "장난"}), ("POST", "/confirm", None)):
        assert_problem(await jobs.ask(method, f"/claims/{held['id']}{path}", body, as_=BADA), 404, "not-found")
    assert_problem(await jobs.ask("GET", f"/postings/{posting['id']}/claims", as_="officer:첨단1동"), 403, "not-yours")
    assert_problem(await jobs.ask("GET", f"/postings/{posting['id']}/claims", as_=HANEUL), 403, "forbidden")
    mine = await jobs.good("GET", "/claims?limit=200", as_=HANEUL)
    assert held["id"] in {c["id"] for c in mine["items"]}


async def test_many_claim_drop_and_claim_again_and_places_never_go_wrong(jobs: JobsDesk) -> None:
    posting, people = await jobs.opened(days=18, slots=2), [somebody() for _ in range(8)]

    async def restless(who: str) -> None:
        for _ in range(3):
            answer = await jobs.ask("POST", f"/postings/{posting['id']}/claims", {"wait": True}, as_=who)
            if answer.status_code == 201:
                await jobs.ask("POST", f"/claims/{answer.json()['id']}/drop", {"reason": "마음이 바뀜"}, as_=who)

    await asyncio.gather(*(restless(who) for who in people))
    for who in people[:4]:
        await jobs.claimed(posting, who, wait=True)
    assert Counter(await states(jobs, posting))["held"] == 2
    events = await jobs.told(posting["id"])
    assert [e.version for e in events] == list(range(1, len(events) + 1))
    assert (await jobs.posting(posting))["status"] == "closed"


async def test_too_many_claims_a_minute_are_turned_away(
    databases: Databases, issuer: Issuer, settings_for: SettingsFor
) -> None:
    settings = settings_for(Settings, kafka_url=NOBODY_LISTENS, jobs_tick_s=3_600, jobs_claims_per_minute=3)
    async with open_jobs(databases, issuer, settings) as jobs:
        who = somebody()
        answers = [await jobs.ask("POST", f"/postings/{uuid4()}/claims", {}, as_=who) for _ in range(8)]
        assert answers[0].status_code == 404
        assert answers[-1].status_code == 429
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
        assert (await jobs.ask("POST", f"/postings/{uuid4()}/claims", {}, as_=somebody())).status_code == 404


async def test_closing_by_the_officer_keeps_what_was_agreed(jobs: JobsDesk) -> None:
    posting = await jobs.good("POST", "/postings", shift_draft(days=19, slots=5), as_=OFFICER)
    await jobs.claimed(posting, HANEUL)
    await jobs.good("POST", f"/postings/{posting['id']}/close", {"reason": "한 분이면 됩니다"})
    assert await states(jobs, posting) == ["held"]
    (error,) = assert_problem(
        await jobs.ask("POST", f"/postings/{posting['id']}/claims", {}, as_=BADA), 409, "conflict"
    )
    assert error["rule"] == "closed"
