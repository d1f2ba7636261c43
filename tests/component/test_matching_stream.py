"""The live stream over real HTTP and PostgreSQL: nothing lost, nothing twice, nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from services.matching.alerts.handlers import on_alerts
from services.matching.app import build
from services.matching.settings import Settings
from shared.contracts import Posting
from shared.messaging.consumer import Unit
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.desk_of_matching import MatchingDesk, open_matching
from tests.issuer import Issuer
from tests.publishers import assert_problem, broken_rules
from tests.samples import alert, posting
from tests.sse import Stream, listening, streaming
from tests.waiting import until

pytestmark = pytest.mark.component


@dataclass(frozen=True)
class Live:
    """The API listening at `url`, and the desk that hands it alerts."""

    url: str
    desk: MatchingDesk

    def stream(self, citizen: str, after: str | None = None) -> Any:
        return streaming(self.url, self.desk.bearer(citizen), after)

    def offer(self, **changed: Any) -> Posting:
        return posting(
            **{"starts_at": None, "ends_at": None, "expires_at": self.desk.now + timedelta(days=1), **changed}
        )

    async def tell(self, citizen: str, count: int = 1) -> list[str]:
        """New alerts in one batch; the ids of their postings."""
        offers = [self.offer() for _ in range(count)]
        await self.desk.alerted(*[alert(citizen, offer, made_at=self.desk.now) for offer in offers])
        return [str(offer.id) for offer in offers]


@pytest_asyncio.fixture(scope="module")
async def live(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[Live]:
    settings = settings_for(Settings, stream_heartbeat_s=1.0, max_streams_per_citizen=2, budget_per_day=100_000)
    async with open_matching(databases, issuer, settings) as desk, listening(build(settings)) as url:
        yield Live(url, desk)


@pytest_asyncio.fixture
async def citizen(live: Live) -> str:
    name = f"citizen:{uuid4().hex[:10]}"
    await live.desk.consents(name)
    return name


async def test_an_alert_comes_with_everything_an_inbox_item_has(live: Live, citizen: str) -> None:
    async with live.stream(citizen) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert (stream.headers["cache-control"], stream.headers["x-accel-buffering"]) == ("no-store", "no")
        await live.tell(citizen)
        (event,) = await stream.told(1)
    assert event.data == (await live.desk.inbox(citizen))[0]


async def test_a_new_stream_begins_now(live: Live, citizen: str) -> None:
    await live.tell(citizen)
    async with live.stream(citizen) as stream:
        later = await live.tell(citizen)
        await stream.told(1)
        assert stream.ids == later


async def test_a_stream_that_broke_after_the_first_of_three_goes_on_with_the_second(live: Live, citizen: str) -> None:
    async with live.stream(citizen) as stream:
        told = await live.tell(citizen, 3)
        events = await stream.told(3)
        assert stream.ids == told
    async with live.stream(citizen, events[0].id) as resumed:
        await resumed.told(2)
        last = await live.tell(citizen)
        await resumed.told(3)
        assert resumed.ids == told[1:] + last


async def test_a_resumed_stream_repeats_nothing(live: Live, citizen: str) -> None:
    async with live.stream(citizen) as stream:
        await live.tell(citizen, 2)
        events = await stream.told(2)
    async with live.stream(citizen, events[-1].id) as resumed:
        new = await live.tell(citizen)
        await resumed.told(1)
        assert resumed.ids == new


async def test_the_id_of_the_greeting_resumes_too(live: Live, citizen: str) -> None:
    async with live.stream(citizen) as stream:
        greeting = stream.events[0].id
    missed = await live.tell(citizen, 2)
    async with live.stream(citizen, greeting) as resumed:
        await resumed.told(2)
        assert resumed.ids == missed


async def test_a_long_absence_is_made_up_for_in_full_and_in_order(live: Live, citizen: str) -> None:
    async with live.stream(citizen) as stream:
        greeting = stream.events[0].id
    missed = [id_ for _ in range(3) for id_ in await live.tell(citizen, 400)]
    async with live.stream(citizen, greeting) as resumed:
        await resumed.told(len(missed))
        assert resumed.ids == missed


async def test_of_two_transactions_at_once_the_higher_number_is_never_seen_first(live: Live, citizen: str) -> None:
    """The first has its number and has not committed: the second waits, or a stream would go past the first."""
    slow, fast = live.offer(), live.offer()
    async with live.stream(citizen) as stream:
        async with live.desk.database.transaction() as tx:
            await on_alerts([alert(citizen, slow, made_at=live.desk.now)], Unit(tx, live.desk.now))
            overtaking = asyncio.create_task(live.desk.alerted(alert(citizen, fast, made_at=live.desk.now)))
            await until(lambda: waits_for_a_lock(live), what="the second transaction waits")
            assert not overtaking.done()
        await overtaking
        await stream.told(2)
        assert stream.ids == [str(slow.id), str(fast.id)]


async def waits_for_a_lock(live: Live) -> bool:
    waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    return bool(await live.desk.rows(waiting))


async def test_edited_and_closed_postings_change_what_was_told(live: Live, citizen: str) -> None:
    offer = live.offer()
    async with live.stream(citizen) as stream:
        made = await live.desk.tell(citizen, offer)
        await live.desk.posted(offer.model_copy(update={"version": 2, "headline": "두 시간으로 바뀌었습니다"}))
        await live.desk.posted(
            offer.model_copy(update={"version": 3, "status": "closed", "closed_because": "다 찼습니다"})
        )
        events = await until(lambda: stream.alerts if said(stream)[-1:] == ["closed"] else None)
    assert {event.data["id"] for event in events} == {str(made.id)}
    assert said(stream)[0] == "open"
    assert events[-1].data["closed_because"] == "다 찼습니다"


def said(stream: Stream) -> list[str]:
    return [event.data["state"] for event in stream.alerts]


async def test_reading_on_one_screen_shows_on_the_other(live: Live, citizen: str) -> None:
    async with live.stream(citizen) as stream:
        made = await live.desk.tell(citizen, live.offer())
        await stream.told(1)
        assert (await live.desk.mark(citizen, made.id, read=True)).status_code == 200
        events = await stream.told(2)
    assert [event.data["read"] for event in events] == [False, True]


async def test_nobody_hears_what_is_anothers(live: Live, citizen: str) -> None:
    other = f"citizen:{uuid4().hex[:10]}"
    await live.desk.consents(other)
    async with live.stream(citizen) as mine, live.stream(other, "0") as theirs:
        my_own, their_own = await live.tell(citizen), await live.tell(other)
        await mine.told(1)
        await theirs.told(1)
        assert (mine.ids, theirs.ids) == (my_own, their_own)


async def test_only_citizens_have_a_stream(live: Live) -> None:
    async with httpx.AsyncClient(base_url=live.url) as http:
        assert_problem(await http.get("/stream", headers=live.desk.bearer("officer:수완동")), 403, "forbidden")
        assert_problem(await http.get("/stream"), 401, "unauthenticated")


async def test_an_idle_stream_is_kept_open_by_comments(live: Live, citizen: str) -> None:
    async with live.stream(citizen) as stream:
        await until(lambda: stream.comments >= 2)
        assert stream.alerts == []


async def test_too_many_streams_of_one_citizen_are_refused_until_one_ends(live: Live, citizen: str) -> None:
    async with AsyncExitStack() as open_ones:
        await open_ones.enter_async_context(live.stream(citizen))
        async with live.stream(citizen), live.stream(citizen) as third:
            assert (third.status, third.headers["retry-after"]) == (429, "30")
        await until(lambda: opens(live, citizen), what="a place for another stream")


async def opens(live: Live, citizen: str) -> bool:
    async with live.stream(citizen) as stream:
        return bool(stream.status == 200)


@pytest.mark.parametrize("after", ["", "x", "-1", "1.5", "9" * 19, "1 OR 1=1"])
async def test_an_id_that_is_none_of_ours_is_refused(live: Live, citizen: str, after: str) -> None:
    async with httpx.AsyncClient(base_url=live.url) as http:
        headers = {**live.desk.bearer(citizen), "Last-Event-ID": after}
        assert broken_rules(await http.get("/stream", headers=headers)) == {("header.Last-Event-ID", "event-id")}
