"""How far alerts came: delivered, opened, acted; officers' counts; and muting from an alert."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from services.matching.settings import Settings
from services.matching.stream.api import _events
from shared.contracts import Posting, Watch
from shared.geo import district
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.desk_of_matching import MatchingDesk, open_matching
from tests.issuer import Issuer
from tests.publishers import assert_problem, broken_rules
from tests.samples import posting

OFFICER = "officer:수완동 행정복지센터"


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[MatchingDesk]:
    async with open_matching(databases, issuer, settings_for(Settings)) as made:
        yield made


async def somebody(desk: MatchingDesk) -> str:
    citizen = f"citizen:{uuid4().hex[:8]}"
    await desk.consents(citizen)
    return citizen


async def opened(desk: MatchingDesk, **changed: Any) -> Posting:
    made = posting(**{"expires_at": desk.now + timedelta(days=1), **changed})
    await desk.posted(made)
    return made


async def reach(desk: MatchingDesk, about: Posting) -> dict[str, Any]:
    answer = await desk.get(f"/postings/{about.id}/reach", OFFICER)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_the_funnel_of_a_posting_and_of_each_dong(desk: MatchingDesk) -> None:
    about = await opened(desk)
    everybody = [await somebody(desk) for _ in range(13)]
    for nth, citizen in enumerate(everybody):
        made = await desk.tell(citizen, about, dong="수완동" if nth < 7 else "첨단1동")
        if nth not in (5, 6):
            await desk.inbox(citizen)
        if nth < 5:
            assert (await desk.mark(citizen, made.id, read=True)).json()["read"]
            await desk.mark(citizen, made.id, read=False)
            await desk.mark(citizen, made.id, acted=True)
    told = await reach(desk, about)
    assert [told[stage] for stage in ("alerted", "delivered", "opened", "acted")] == [13, 11, 5, 5]
    by_dong = {row["dong"]: row for row in told["dongs"]}
    assert (by_dong["수완동"]["alerted"], by_dong["첨단1동"]["alerted"]) == (7, 6)
    assert (by_dong["수완동"]["delivered"], by_dong["첨단1동"]["delivered"]) == (5, 6)
    assert (by_dong["수완동"]["opened"], by_dong["첨단1동"]["opened"]) == (None, None), (
        "none of 첨단1동 is a small count"
    )
    assert set(told) == {"posting_id", "least", "dongs", "homes", "as_of", "alerted", "delivered", "opened", "acted"}


async def test_a_citizen_told_again_in_a_new_epoch_is_counted_once(desk: MatchingDesk) -> None:
    about = await opened(desk)
    urgent = about.model_copy(update={"version": 2, "urgency_epoch": 1, "urgent": True})
    for _ in range(5):
        citizen = await somebody(desk)
        await desk.tell(citizen, about)
        await desk.tell(citizen, urgent)
    assert (await reach(desk, about))["alerted"] == 5


async def test_few_are_not_told_of(desk: MatchingDesk) -> None:
    about = await opened(desk)
    for _ in range(4):
        await desk.tell(await somebody(desk), about)
    told = await reach(desk, about)
    assert [told[stage] for stage in ("alerted", "delivered", "opened", "acted")] == [None] * 4
    assert told["dongs"] == [dict.fromkeys(("alerted", "delivered", "opened", "acted")) | {"dong": "수완동"}]


async def test_only_officers_of_the_posting_s_own_institution_see_its_reach(desk: MatchingDesk) -> None:
    about = await opened(desk)
    path = f"/postings/{about.id}/reach"
    assert_problem(await desk.get(path, "officer:남의 기관"), 403, "forbidden")
    assert_problem(await desk.get(path, await somebody(desk)), 403, "forbidden")
    assert_problem(await desk.get(path, "officer:"), 403, "no-institution")
    assert_problem(await desk.get(f"/postings/{uuid4()}/reach", OFFICER), 404, "not-found")


async def test_streamed_is_delivered_and_delivering_is_recorded_as_provided(desk: MatchingDesk) -> None:
    citizen, about = await somebody(desk), await opened(desk)
    made = await desk.tell(citizen, about)
    events = _events(desk.parts, citizen, 0)
    assert isinstance(events, AsyncGenerator)
    assert (await anext(events)).event == "hello"
    assert json.loads(str((await anext(events)).data))["id"] == str(made.id)
    delivered = "SELECT 1 FROM inbox_item WHERE id = :id AND delivered_at IS NOT NULL"
    assert not await desk.rows(delivered, id=made.id), "not before it has been sent"
    again = await desk.tell(citizen, await opened(desk))
    assert json.loads(str((await anext(events)).data))["id"] == str(again.id)
    await events.aclose()
    assert await desk.rows(delivered, id=made.id)
    await desk.inbox(citizen)
    await desk.inbox(citizen)
    records = (await desk.get("/location-records", citizen)).json()
    assert {(r["how"], r["times"]) for r in records if r["act"] == "provided"} == {("stream", 1), ("inbox", 1)}


async def test_withdrawal_erases_what_was_not_delivered(desk: MatchingDesk) -> None:
    citizen = await somebody(desk)
    seen, unseen = await opened(desk), await opened(desk)
    await desk.tell(citizen, seen)
    await desk.inbox(citizen)
    await desk.tell(citizen, unseen)
    await desk.tell(citizen, await opened(desk), deferred_until=desk.now + timedelta(hours=5))
    receipt = (await desk.http.delete("/consents/location", headers=desk.bearer(citizen))).json()
    assert receipt["erased"]["pending_alerts"] == 2
    left = await desk.rows("SELECT posting_id FROM inbox_item WHERE citizen_id = :id", id=citizen)
    assert [row.posting_id for row in left] == [seen.id]


@pytest.mark.parametrize(
    ("what", "changes"),
    [("posting", "muted_postings"), ("channel", "muted_channels"), ("kind", "kinds")],
)
async def test_muting_from_an_alert_changes_the_watch_and_tells_the_engine(
    desk: MatchingDesk, what: str, changes: str
) -> None:
    citizen = await somebody(desk)
    about = await opened(desk, audience={"channel": "ch:수완"})
    made = await desk.tell(citizen, about)
    before = (await desk.get("/watch", citizen)).json()
    for _ in range(2):
        assert (await desk.mark(citizen, made.id, muted=what)).status_code == 200
    after = (await desk.get("/watch", citizen)).json()
    wanted = {"muted_postings": [str(about.id)], "muted_channels": ["ch:수완"], "kinds": ["space", "notice"]}
    assert after[changes] == wanted[changes]
    same = set(before) - {changes, "version", "changed_at"}
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    kept = await desk.rows("SELECT settings FROM watch WHERE citizen_id = :id", id=citizen)
    assert Watch.model_validate(kept[0].settings).version == before["version"] + 2


async def test_what_a_marking_may_not_say(desk: MatchingDesk) -> None:
    citizen = await somebody(desk)
    made = await desk.tell(citizen, await opened(desk))
    assert broken_rules(await desk.mark(citizen, made.id, muted="channel")) == {("body.muted", "no-channel")}
    for wrong in ({}, {"acted": False}, {"read": "yes"}, {"muted": "everything"}, {"acted": True, "read": False}):
        assert (await desk.mark(citizen, made.id, **wrong)).status_code == 422, wrong
    assert_problem(await desk.mark(await somebody(desk), made.id, muted="posting"), 404, "not-found")


async def test_who_was_told_is_counted_by_home_dong_and_few_of_them_are_hidden(desk: MatchingDesk) -> None:
    about = await opened(desk, kind="notice", where={"dongs": ["1233063700", "1233062400"]})
    first, second = district().dongs[0], district().dongs[1]
    for home, count, opens in ((first.code, 6, 5), (second.code, 7, 6), (None, 5, 0)):
        for nth in range(count):
            citizen = f"citizen:{uuid4().hex[:8]}"
            await desk.consents(citizen, home_dongs=[home] if home else [])
            made = await desk.tell(citizen, about, dong=None, distance_m=None)
            if nth < opens:
                await desk.mark(citizen, made.id, read=True)
    told = await reach(desk, about)
    homes = {row["dong"]: (row["alerted"], row["opened"]) for row in told["homes"]}
    assert homes == {first.name: (6, None), second.name: (7, 6), None: (5, None)}, "none is few, and one more hides it"
    assert (told["alerted"], told["opened"]) == (18, 11)
