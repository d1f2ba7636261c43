"""Before a deadline those are told once more who were told in time and have opened nothing of it; nobody else, and once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from services.matching.reminders.handlers import remind_due
from services.matching.settings import Settings
from shared.contracts import Alert, Posting
from shared.contracts.alert import Why, reminder_id
from shared.contracts.posting import Audience
from shared.messaging.envelope import open_envelope
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.desk_of_matching import MatchingDesk, open_matching
from tests.issuer import Issuer
from tests.samples import posting
from tests.tap import Tap, tapping

pytestmark = pytest.mark.component
DEADLINE = datetime(2027, 3, 5, 9, tzinfo=UTC)
A_DAY = timedelta(hours=24)
DUE = DEADLINE - A_DAY
BY_HAND = Why(cause="posting_changed", watch_version=1, rule="home_dong")


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[MatchingDesk]:

    settings = settings_for(Settings, budget_per_day=1_000)
    async with open_matching(databases, issuer, settings) as made:
        yield made


def somebody() -> str:
    return f"citizen:{uuid4().hex[:8]}"


def notice(**changed: Any) -> Posting:
    return posting(
        kind="notice", headline="신청하세요", starts_at=None, ends_at=None, changed_at=DUE - timedelta(days=9),
        audience=Audience(channel="수완동", interests=("health",)),
        **{"deadline": DEADLINE, "expires_at": DEADLINE + timedelta(days=5), **changed},
    )  # fmt: skip


async def told(
    desk: MatchingDesk, about: Posting, *, at: datetime = DUE - timedelta(hours=1), **wants: Any
) -> tuple[str, Alert]:
    """A citizen with settings of their own, and the alert that they had at that time."""
    who = somebody()
    await desk.wants(who, **wants)
    with desk.clock.at(at.isoformat()):
        return who, await desk.tell(who, about, why=BY_HAND)


@dataclass
class Reminders:
    """Looks for what is to be reminded of, and hears on Kafka what was told."""

    desk: MatchingDesk
    tap: Tap
    made: int = 0

    async def look(self, now: datetime = DUE) -> None:
        self.made += await remind_due(self.desk.database, A_DAY, now)

    async def of(self, about: Posting, now: datetime = DUE) -> list[Alert]:
        """Every reminder of it since the test began, after another look at that time."""
        await self.look(now)
        await self.tap.wait_for(lambda _: len(self._heard()) >= self.made)
        return [alert for alert in self._heard() if alert.posting_id == about.id]

    def _heard(self) -> list[Alert]:
        heard = [open_envelope(record).data for record in self.tap.records]
        return [alert for alert in heard if isinstance(alert, Alert) and alert.reminder]


@pytest_asyncio.fixture
async def reminders(desk: MatchingDesk) -> AsyncIterator[Reminders]:
    async with tapping(desk.settings.kafka_url, Alert.TOPIC) as tap:
        yield Reminders(desk, tap)


async def test_who_has_opened_nothing_is_told_once_more_and_nobody_else(
    desk: MatchingDesk, reminders: Reminders
) -> None:
    about = notice()
    await desk.posted(about)
    (unopened, first), (opened, seen), (acted, done) = [await told(desk, about) for _ in range(3)]
    late, _ = await told(desk, about, at=DUE + timedelta(seconds=1))
    for wants in ({"muted_channels": ["수완동"]}, {"muted_topics": ["health"]}, {"paused": True}, {"kinds": ["job"]},
                  {"muted_postings": [str(about.id)]}):  # fmt: skip
        await told(desk, about, **wants)
    await desk.mark(opened, seen.id, read=True)
    await desk.mark(opened, seen.id, read=False)  # unread again, but it was opened
    await desk.mark(acted, done.id, acted=True)
    assert await reminders.of(about, DUE - timedelta(seconds=1)) == [], "not before its time"
    (alert,) = await reminders.of(about)
    assert (alert.citizen_id, alert.reminder, alert.id) == (unopened, True, reminder_id(first.id, DEADLINE))
    assert (alert.urgency_epoch, alert.expires_at, alert.why.rule) == (0, DEADLINE, "home_dong")
    assert late not in {alert.citizen_id}, "told less than a day before"


async def test_it_is_told_once_however_often_and_by_however_many_it_is_looked_for(
    desk: MatchingDesk, reminders: Reminders
) -> None:
    about = notice()
    await desk.posted(about)
    crowd = {(await told(desk, about))[0] for _ in range(5)}
    await asyncio.gather(*(reminders.look() for _ in range(4)))
    alerts = await reminders.of(about, DUE + timedelta(hours=1))
    assert {alert.citizen_id for alert in alerts} == crowd
    assert len({alert.id for alert in alerts}) == len(crowd), (
        "whoever else looked made the same ids, which are one alert"
    )
    with desk.clock.at((DUE + timedelta(hours=1)).isoformat()):
        await desk.alerted(*alerts)
        await desk.alerted(*alerts)
        for who in crowd:
            assert [item["reminder"] for item in await desk.inbox(who)] == [True, False]


async def test_a_deadline_that_moves_reminds_anew_and_one_that_passed_reminds_nobody(
    desk: MatchingDesk, reminders: Reminders
) -> None:
    about, later = notice(), DEADLINE + timedelta(days=2)
    await desk.posted(about)
    who, first = await told(desk, about)
    (once,) = await reminders.of(about)
    with desk.clock.at(DUE.isoformat()):
        await desk.alerted(once)
    await desk.posted(about.model_copy(update={"version": 2, "deadline": later}))
    assert len(await reminders.of(about, DEADLINE)) == 1
    again = (await reminders.of(about, later - A_DAY))[1:]
    assert [(alert.citizen_id, alert.id) for alert in again] == [(who, reminder_id(first.id, later))], (
        "not of the reminder"
    )
    passed = notice()
    await desk.posted(passed)
    await told(desk, passed)
    assert await reminders.of(passed, DEADLINE) == []


async def test_what_a_position_made_is_not_told_again_without_consent(desk: MatchingDesk, reminders: Reminders) -> None:
    about, who = notice(), somebody()
    await desk.posted(about)
    with desk.clock.at((DUE - timedelta(hours=2)).isoformat()):
        await desk.consents(who)
        await desk.tell(who, about)
        assert len(await desk.inbox(who)) == 1, "listed, so it stays when consent is withdrawn"
        await desk.http.delete("/consents/location", headers=desk.bearer(who))
    assert await reminders.of(about) == []


async def test_quiet_hours_hold_a_reminder_back_but_not_beyond_the_deadline(
    desk: MatchingDesk, reminders: Reminders
) -> None:
    about = notice()
    await desk.posted(about)
    who, _ = await told(desk, about, quiet={"starts": "17:00", "ends": "20:00"})
    (alert,) = await reminders.of(about)
    assert alert.deferred_until == DUE + timedelta(hours=2)
    with desk.clock.at(DUE.isoformat()):
        await desk.alerted(alert.model_copy(update={"deferred_until": DEADLINE + timedelta(seconds=1)}))
        assert len(await desk.inbox(who)) == 1
    query = "SELECT state, expires_at FROM inbox_item WHERE citizen_id = :id AND reminder"
    await desk.posted(about.model_copy(update={"version": 2, "expires_at": DEADLINE + timedelta(days=9)}))
    assert [tuple(row) for row in await desk.rows(query, id=who)] == [("deferred", DEADLINE)], "over at the deadline"
