"""The inbox: told once, in the newest words, at the right time, to its owner alone (M5, M7, M9, N3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from services.matching.alerts import store
from services.matching.alerts.handlers import on_alerts
from services.matching.settings import Settings
from shared.contracts import Alert, Posting
from shared.contracts.alert import Why
from shared.contracts.posting import Circle, Where
from shared.messaging.consumer import Unit
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.desk_of_matching import MatchingDesk, open_matching
from tests.issuer import Issuer
from tests.publishers import assert_problem
from tests.samples import alert, posting
from tests.waiting import until

AWAY = Where(circles=(Circle(lat=35.21, lon=126.80, radius_m=700),))
pytestmark = pytest.mark.component


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[MatchingDesk]:
    async with open_matching(databases, issuer, settings_for(Settings)) as made:
        yield made


@pytest_asyncio.fixture
async def citizen(desk: MatchingDesk) -> str:
    name = f"citizen:{uuid4().hex[:10]}"
    await desk.consents(name)
    return name


def offer(desk: MatchingDesk, **changed: Any) -> Posting:
    return posting(**{"starts_at": None, "ends_at": None, "expires_at": desk.now + timedelta(days=1), **changed})


def next_of(of: Posting, **changed: Any) -> Posting:
    return of.model_copy(update={"version": of.version + 1, **changed})


async def release(desk: MatchingDesk, at: datetime) -> list[str]:
    async with desk.database.transaction() as tx:
        return [row.citizen_id for row in await store.release_due(tx, at)]


async def test_an_alert_that_comes_again_is_told_once(desk: MatchingDesk, citizen: str) -> None:
    made = await desk.tell(citizen, offer(desk))
    await desk.alerted(made, made)
    assert [item["id"] for item in await desk.inbox(citizen)] == [str(made.id)]


async def test_a_posting_that_closed_while_its_alert_was_on_its_way_is_never_shown(
    desk: MatchingDesk, citizen: str
) -> None:
    about = offer(desk)
    await desk.posted(about, next_of(about, status="closed"))
    await desk.tell(citizen, about)
    assert await desk.inbox(citizen) == []


async def test_an_edit_while_the_alert_was_on_its_way_shows_the_newest_words(desk: MatchingDesk, citizen: str) -> None:
    about = offer(desk)
    await desk.posted(about, next_of(about, headline="세 시간으로 바뀌었습니다"))
    await desk.tell(citizen, about)
    (item,) = await desk.inbox(citizen)
    assert (item["headline"], item["posting_version"], item["state"]) == ("세 시간으로 바뀌었습니다", 2, "open")


async def test_an_expiry_while_the_alert_was_on_its_way_is_never_shown(desk: MatchingDesk, citizen: str) -> None:
    about = offer(desk)
    await desk.posted(about, next_of(about, expires_at=desk.now - timedelta(seconds=1)))
    await desk.tell(citizen, about)
    await desk.tell(citizen, offer(desk, expires_at=desk.now - timedelta(seconds=1)))
    assert await desk.inbox(citizen) == []


async def test_a_closing_and_an_alert_at_the_same_time_leave_nothing_open(desk: MatchingDesk, citizen: str) -> None:
    about = offer(desk)
    await desk.posted(about)
    made = alert(citizen, about, made_at=desk.now)
    await asyncio.gather(*(desk.alerted(made), desk.posted(next_of(about, status="closed"))))
    assert {item["state"] for item in await desk.inbox(citizen)} <= {"closed"}


async def test_versions_that_come_out_of_order_leave_the_newest(desk: MatchingDesk, citizen: str) -> None:
    about = offer(desk)
    await desk.tell(citizen, about)
    await desk.posted(next_of(next_of(about, headline="둘"), headline="셋"))
    await desk.posted(next_of(about, headline="둘"), about)
    (item,) = await desk.inbox(citizen)
    assert (item["headline"], item["posting_version"], item["state"]) == ("셋", 3, "updated")


async def test_a_place_that_moves_retracts_what_was_told_of_the_old_one_and_nothing_else(
    desk: MatchingDesk, citizen: str
) -> None:
    about = offer(desk)
    moved = next_of(about, urgency_epoch=1, where=AWAY)
    await desk.posted(about)
    told = await desk.tell(citizen, about)
    await desk.posted(moved)
    assert [(item["state"], item["closed_because"]) for item in await desk.inbox(citizen)] == [("closed", store.MOVED)]
    here = await desk.tell(citizen, moved)
    await desk.posted(next_of(moved, urgency_epoch=2, urgent=True))
    states = {item["id"]: item["state"] for item in await desk.inbox(citizen)}
    assert states == {str(told.id): "closed", str(here.id): "updated"}


async def test_an_alert_of_the_old_place_that_was_on_its_way_is_never_shown(desk: MatchingDesk, citizen: str) -> None:
    about = offer(desk)
    await desk.posted(about, next_of(about, urgency_epoch=1, where=AWAY))
    await desk.tell(citizen, about)
    assert await desk.inbox(citizen) == []


async def test_an_alert_of_the_old_place_that_waits_for_the_morning_is_gone(desk: MatchingDesk, citizen: str) -> None:
    about = offer(desk)
    await desk.posted(about)
    await desk.tell(citizen, about, deferred_until=desk.now + timedelta(hours=3))
    await desk.posted(next_of(about, urgency_epoch=1, where=AWAY))
    assert await desk.rows("SELECT 1 FROM inbox_item WHERE citizen_id = :citizen", citizen=citizen) == []


async def test_a_new_epoch_is_an_alert_of_its_own(desk: MatchingDesk, citizen: str) -> None:
    about = offer(desk)
    await desk.tell(citizen, about)
    await desk.tell(citizen, next_of(about, urgency_epoch=1))
    assert sorted(item["urgency_epoch"] for item in await desk.inbox(citizen)) == [0, 1]


# Quiet hours


async def defers(desk: MatchingDesk, citizen: str, about: Posting) -> datetime:
    until_when = desk.now + timedelta(hours=8)
    await desk.tell(citizen, about, deferred_until=until_when)
    assert await desk.inbox(citizen) == []
    return until_when


async def test_what_is_deferred_is_told_when_the_quiet_hours_end(desk: MatchingDesk, citizen: str) -> None:
    ends = await defers(desk, citizen, offer(desk))
    assert citizen not in await release(desk, ends - timedelta(milliseconds=1))
    assert citizen in await release(desk, ends)
    (item,) = await desk.inbox(citizen)
    assert (item["state"], datetime.fromisoformat(item["told_at"])) == ("open", ends)
    assert citizen not in await release(desk, ends)


@pytest.mark.parametrize("change", [{"status": "closed"}, {"expires_at": timedelta(hours=1)}])
async def test_what_ended_meanwhile_is_never_told(desk: MatchingDesk, citizen: str, change: dict[str, Any]) -> None:
    about = offer(desk)
    ends = await defers(desk, citizen, about)
    moved = {name: desk.now + value if isinstance(value, timedelta) else value for name, value in change.items()}
    await desk.posted(next_of(about, **moved))
    assert citizen not in await release(desk, ends)
    assert await desk.inbox(citizen) == []


async def test_what_was_edited_meanwhile_is_told_in_its_newest_words(desk: MatchingDesk, citizen: str) -> None:
    about = offer(desk)
    ends = await defers(desk, citizen, about)
    await desk.posted(next_of(about, headline="바뀐 제목"))
    assert await desk.inbox(citizen) == []
    await release(desk, ends)
    assert [(item["headline"], item["state"]) for item in await desk.inbox(citizen)] == [("바뀐 제목", "open")]


# Consent


async def withdraws(desk: MatchingDesk, citizen: str) -> dict[str, Any]:
    answer = await desk.http.delete("/consents/location", headers=desk.bearer(citizen))
    assert answer.status_code == 200
    erased: dict[str, Any] = answer.json()["erased"]
    return erased


async def test_withdrawal_erases_what_is_not_yet_told_and_refuses_what_is_on_its_way(
    desk: MatchingDesk, citizen: str
) -> None:
    ends = await defers(desk, citizen, offer(desk))
    assert (await withdraws(desk, citizen))["pending_alerts"] == 1
    await desk.tell(citizen, offer(desk))
    assert citizen not in await release(desk, ends)
    assert await desk.inbox(citizen) == []


async def test_an_alert_of_the_consent_before_does_not_slip_into_the_new_one(desk: MatchingDesk, citizen: str) -> None:
    before = (await desk.get("/watch", citizen)).json()["version"]
    await withdraws(desk, citizen)
    after = (await desk.consents(citizen))["version"]
    late = offer(desk)
    await desk.tell(citizen, late, why=Why(cause="citizen_moved", watch_version=before))
    assert await desk.inbox(citizen) == []
    await desk.tell(citizen, offer(desk), why=Why(cause="citizen_moved", watch_version=after))
    assert len(await desk.inbox(citizen)) == 1


async def test_an_alert_being_written_while_consent_is_withdrawn_is_erased_too(
    desk: MatchingDesk, citizen: str
) -> None:
    pending = alert(citizen, offer(desk), made_at=desk.now, deferred_until=desk.now + timedelta(hours=8))
    async with desk.database.transaction() as tx:
        await on_alerts([pending], Unit(tx, desk.now))
        withdrawing = asyncio.create_task(withdraws(desk, citizen))
        await until(lambda: waits(desk), what="the withdrawal waits for what is being written")
    assert (await withdrawing)["pending_alerts"] == 1


async def waits(desk: MatchingDesk) -> bool:
    return bool(await desk.rows("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))


# Whose, how much, and read


async def tells(desk: MatchingDesk, citizen: str, count: int) -> list[Alert]:
    made = [alert(citizen, offer(desk), made_at=desk.now - timedelta(seconds=n // 2)) for n in range(count)]
    await desk.alerted(*made)
    return made


async def test_pages_hold_every_item_once_newest_first_also_of_one_instant(desk: MatchingDesk, citizen: str) -> None:
    made = await tells(desk, citizen, 25)
    seen: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        query: dict[str, Any] = {"limit": 4, **({"cursor": cursor} if cursor else {})}
        page = (await desk.get("/inbox", citizen, None, **query)).json()
        seen += page["items"]
        cursor = page["next_cursor"]
    assert sorted(item["id"] for item in seen) == sorted(str(item.id) for item in made)
    assert [item["made_at"] for item in seen] == sorted((item["made_at"] for item in seen), reverse=True)


async def test_nobody_reads_or_marks_what_is_anothers(desk: MatchingDesk, citizen: str) -> None:
    (made,) = await tells(desk, citizen, 1)
    other = f"{citizen}x"
    await desk.consents(other)
    assert await desk.inbox(other) == []
    assert_problem(await desk.mark(other, made.id, read=True), 404, "not-found")
    assert_problem(await desk.get(f"/alerts/{made.id}/why", other), 404, "not-found")
    assert_problem(await desk.mark("officer:수완동", made.id, read=True), 403, "forbidden")
    assert [item["read"] for item in await desk.inbox(citizen)] == [False]


async def test_read_can_be_undone_and_deferred_items_cannot_be_marked(desk: MatchingDesk, citizen: str) -> None:
    (made,) = await tells(desk, citizen, 1)
    marked = [(await desk.mark(citizen, made.id, read=read)).json()["read"] for read in (True, True, False)]
    assert marked == [True, True, False]
    hidden = await desk.tell(citizen, offer(desk), deferred_until=desk.now + timedelta(hours=1))
    assert_problem(await desk.mark(citizen, hidden.id, read=True), 404, "not-found")
    assert (await desk.mark(citizen, made.id, read="yes")).status_code == 422
