"""The daily budget at the inbox, and the digest of what it leaves over: once a day, newest versions, nothing that is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlalchemy import text

from services.matching.alerts import store as inbox
from services.matching.alerts.worker import InboxWorker
from services.matching.digests.handlers import send_due, send_lot
from services.matching.digests.store import waiting
from services.matching.settings import Settings
from services.matching.stream.feed import Feed
from shared.contracts import Digest, Posting
from shared.contracts.alert import Why
from shared.contracts.digest import digest_id
from shared.geo import district
from shared.messaging.envelope import open_envelope
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.desk_of_matching import MatchingDesk, open_matching
from tests.issuer import Issuer
from tests.samples import posting
from tests.tap import Tap, tapping
from tests.waiting import until

MORNING = "2027-03-02T10:00:00+09:00"
HOUR = datetime(2027, 3, 2, 9, tzinfo=UTC)  # 18:00 in Seoul
DAY = HOUR.date()


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[MatchingDesk]:
    async with open_matching(
        databases, issuer, settings_for(Settings, budget_per_day=2, budget_urgent_reserve=1)
    ) as made:
        yield made


@pytest_asyncio.fixture
async def citizen(desk: MatchingDesk) -> str:
    """Consents long before, so that only the days of the tests count."""
    who = f"citizen:{uuid4().hex[:8]}"
    await desk.consents(who)
    return who


def open_for_days(**changed: Any) -> Posting:
    return posting(**{"expires_at": HOUR + timedelta(days=3), "starts_at": None, "ends_at": None, **changed})


async def overflowed(desk: MatchingDesk, citizen: str, count: int = 1, **changed: Any) -> list[Posting]:
    """Two alerts use the budget up, further ones go to the digest."""
    for _ in range(2):
        await desk.tell(citizen, open_for_days())
    left = [open_for_days(**changed) for _ in range(count)]
    for about in left:
        await desk.tell(citizen, about)
    return left


async def sends(desk: MatchingDesk, now: datetime) -> None:
    """As the inbox worker does, for everybody."""
    await send_due(desk.database, desk.settings.digest_hour, now)


async def days_of(desk: MatchingDesk, citizen: str) -> list[date]:
    rows = await desk.rows("SELECT day FROM digest WHERE citizen_id = :id ORDER BY day", id=citizen)
    return [row.day for row in rows]


async def digests(tap: Tap, citizen: str, count: int = 1) -> list[Digest]:
    await tap.wait_for(lambda _: len(tap.of(citizen)) >= count)
    found = [open_envelope(record) for record in tap.of(citizen)]
    assert all(envelope.id == envelope.data.id for envelope in found if isinstance(envelope.data, Digest))
    return [envelope.data for envelope in found if isinstance(envelope.data, Digest)]


async def states(desk: MatchingDesk, citizen: str) -> list[str]:
    return [item["state"] for item in reversed(await desk.inbox(citizen))]


async def streamed(desk: MatchingDesk, citizen: str) -> int:
    return len(await Feed(desk.database, desk.clock).since(citizen, 0))


async def test_beyond_the_budget_alerts_wait_in_the_inbox_and_not_on_the_stream(
    desk: MatchingDesk, citizen: str
) -> None:
    with desk.clock.at(MORNING):
        await overflowed(desk, citizen, 2)
        assert await states(desk, citizen) == ["open", "open", "digest", "digest"]
        assert await streamed(desk, citizen) == 2
        await desk.tell(citizen, open_for_days(urgent=True))
        await desk.tell(citizen, open_for_days(urgent=True))
        assert (await states(desk, citizen))[4:] == ["open", "digest"], "urgent ones have a reserve, and one only"
    with desk.clock.at("2027-03-03T00:00:00+09:00"):
        await desk.tell(citizen, open_for_days())
        assert (await states(desk, citizen))[-1] == "open", "a new day in Seoul"


async def test_what_quiet_hours_held_back_counts_when_it_is_told(desk: MatchingDesk, citizen: str) -> None:
    from services.matching.digests.domain import Budget
    from services.matching.digests.handlers import keep_budget

    with desk.clock.at(MORNING):
        for _ in range(3):
            await desk.tell(citizen, open_for_days(), deferred_until=desk.now + timedelta(hours=1))
        async with desk.database.transaction() as tx:
            later = desk.now + timedelta(hours=2)
            told = await keep_budget(tx, await inbox.release_due(tx, later), Budget(2, 1), later)
        assert told == {citizen}
        assert sorted(await states(desk, citizen)) == ["digest", "open", "open"]


async def test_a_digest_has_the_newest_version_and_nothing_closed_or_expired(desk: MatchingDesk, citizen: str) -> None:
    async with tapping(desk.settings.kafka_url, Digest.TOPIC) as tap:
        with desk.clock.at(MORNING):
            edited, closed, again = await overflowed(desk, citizen, 3)
            await desk.tell(citizen, open_for_days(expires_at=HOUR - timedelta(minutes=1)))
            await desk.tell(citizen, again.model_copy(update={"version": 2, "urgency_epoch": 1}))
            await desk.posted(
                edited.model_copy(update={"version": 7, "headline": "시간이 바뀌었습니다"}),
                closed.model_copy(update={"version": 2, "status": "closed", "closed_because": "다 찼습니다"}),
            )
        await sends(desk, HOUR - timedelta(seconds=1))
        assert await days_of(desk, citizen) == [], "not before the hour"
        await sends(desk, HOUR)
        (told,) = await digests(tap, citizen)
    assert (told.id, told.day, told.more) == (digest_id(citizen, DAY), DAY, 0)
    by_posting = {item.posting_id: item for item in told.items}
    assert set(by_posting) == {edited.id, again.id}
    assert (by_posting[edited.id].posting_version, by_posting[edited.id].headline) == (7, "시간이 바뀌었습니다")
    assert len(told.items) == 2, "one item per posting, of its newest epoch"


async def test_once_per_citizen_and_day_whoever_is_killed_and_however_often_it_is_tried(
    desk: MatchingDesk, citizen: str
) -> None:
    class Killed(Exception):  # noqa: N818
        """As if the process had ended before the commit."""

    async with tapping(desk.settings.kafka_url, Digest.TOPIC) as tap:
        with desk.clock.at(MORNING):
            await overflowed(desk, citizen)
        with suppress(Killed):
            async with desk.database.transaction() as tx:
                due = [row for row in await waiting(tx, HOUR, desk.settings.digest_hour, "", 1_000) if row.due]
                assert citizen in {row.citizen_id for row in due}
                await send_lot(tx, due, HOUR)
                raise Killed
        assert await days_of(desk, citizen) == []
        await asyncio.gather(*[sends(desk, HOUR + timedelta(minutes=n)) for n in range(4)])
        with desk.clock.at("2027-03-02T19:00:00+09:00"):
            (late,) = (await overflowed(desk, citizen))[-1:]
        await sends(desk, HOUR + timedelta(hours=2))
        assert await days_of(desk, citizen) == [DAY], "what overflows later waits for tomorrow"
        await sends(desk, HOUR + timedelta(days=1))
        told = await digests(tap, citizen, 2)
    assert [digest.day for digest in told] == [DAY, DAY + timedelta(days=1)]
    assert late.id in {item.posting_id for item in told[1].items}
    assert not {i.alert_id for i in told[0].items} & {i.alert_id for i in told[1].items}
    records = (await desk.get("/location-records", citizen)).json()
    assert sum(r["times"] for r in records if r["how"] == "digest") == sum(len(d.items) for d in told)


async def test_each_citizen_s_own_hour_and_none_while_paused_or_without_consent(
    desk: MatchingDesk, citizen: str
) -> None:
    early, paused, gone = (f"citizen:{uuid4().hex[:8]}" for _ in range(3))
    await desk.consents(early, digest_hour=12)
    for who in (paused, gone):
        await desk.consents(who)
    with desk.clock.at(MORNING):
        for who in (citizen, early, paused, gone):
            await overflowed(desk, who)
    await desk.wants(paused, paused=True)
    await desk.http.delete("/consents/location", headers=desk.bearer(gone))
    made: list[set[str]] = []
    for now in (HOUR - timedelta(hours=6), HOUR):
        await sends(desk, now)
        rows = await desk.rows(
            "SELECT citizen_id FROM digest WHERE citizen_id = ANY(:who)", who=[citizen, early, paused, gone]
        )
        made.append({row.citizen_id for row in rows})
    assert made == [{early}, {early, citizen}]
    assert not await desk.rows("SELECT 1 FROM inbox_item WHERE citizen_id = :id", id=gone)


async def test_the_inbox_worker_sends_what_is_due(desk: MatchingDesk, citizen: str) -> None:
    with desk.clock.at(MORNING):
        await overflowed(desk, citizen)

    async def made() -> bool:
        return bool(await desk.rows("SELECT 1 FROM digest WHERE citizen_id = :id", id=citizen))

    with desk.clock.at("2027-03-02T18:00:00+09:00"):
        worker = InboxWorker(desk.settings, clock=desk.clock)
        running = asyncio.create_task(worker.run())
        try:
            assert await until(made, 20, what="the digest of the hour that has struck")
        finally:
            worker.stop()
            await running


async def test_the_migration_keeps_states_to_those_that_are_known(desk: MatchingDesk, citizen: str) -> None:
    await desk.tell(citizen, open_for_days())
    with pytest.raises(Exception, match="inbox_item_state_check"):
        async with desk.database.transaction() as tx:
            await tx.execute(text("UPDATE inbox_item SET state = 'lost' WHERE citizen_id = :id"), {"id": citizen})


async def test_what_no_position_made_needs_no_consent_and_leaves_no_record_of_one(desk: MatchingDesk) -> None:
    """위치정보법 §16②: a digest of one's own 동 and channels provides no location to anybody."""
    settled, both = (f"citizen:{uuid4().hex[:8]}" for _ in range(2))
    by_hand = Why(cause="posting_changed", watch_version=1, rule="home_dong")
    await desk.wants(settled, home_dongs=[district().dongs[5].code])
    await desk.consents(both)
    async with tapping(desk.settings.kafka_url, Digest.TOPIC) as tap:
        with desk.clock.at(MORNING):
            for _ in range(4):
                await desk.tell(settled, open_for_days(), why=by_hand)
            for why in (by_hand, by_hand, by_hand, Why(cause="citizen_moved", watch_version=2, rule="within_radius")):
                await desk.tell(both, open_for_days(), why=why)
        await sends(desk, HOUR)
        items = [[item.located for item in (await digests(tap, who))[0].items] for who in (settled, both)]
    assert [sorted(located) for located in items] == [[False, False], [False, True]]
    query = "SELECT citizen_id, times FROM location_record WHERE how = 'digest' AND citizen_id = ANY(:who)"
    assert [tuple(row) for row in await desk.rows(query, who=[settled, both])] == [(both, 1)]
