"""With Kafka's data lost everything that holds now is told anew, as it was told last, and nothing that is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlalchemy import text

from deploy.republish import SERVICES
from services.matching.settings import Settings as MatchingSettings
from services.notices.settings import Settings as NoticesSettings
from services.spaces.settings import Settings as SpacesSettings
from shared.clock import Clock, utc_now
from shared.contracts import Follows, Posting, Watch
from shared.contracts.watch import WATCHES
from shared.database import Database
from shared.republish import republish
from shared.settings import PlatformSettings
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.desk_of_matching import open_matching
from tests.issuer import Issuer
from tests.notices import NoticesDesk, open_notices, somebody
from tests.publishers import NOBODY_LISTENS, Desk
from tests.spaces import SpacesDesk, minutes_after, open_spaces
from tests.stacks import Addresses
from tests.tap import tapping
from tests.waiting import until

pytestmark = pytest.mark.component


async def told_anew(
    service: str, database: Database, settings: PlatformSettings, clock: Clock = utc_now, page_size: int = 500
) -> int:
    everything = SERVICES[service][1](settings).values()
    source = f"/services/{service}"
    return sum([await republish(database, one, source=source, clock=clock, page_size=page_size) for one in everything])


@pytest_asyncio.fixture(scope="module")
async def notices(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[NoticesDesk]:
    settings = settings_for(NoticesSettings, kafka_url=NOBODY_LISTENS, notices_tick_s=3_600)
    async with open_notices(databases, issuer, settings) as desk:
        yield desk


@pytest_asyncio.fixture(scope="module")
async def spaces(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[SpacesDesk]:
    settings = settings_for(SpacesSettings, kafka_url=NOBODY_LISTENS, spaces_tick_s=3_600)
    async with open_spaces(databases, issuer, settings) as desk:
        yield desk


async def test_what_is_open_is_told_in_its_newest_version_and_what_is_closed_is_not(
    desk: Desk, settings_for: SettingsFor
) -> None:
    edited, closed = await desk.opened(), await desk.opened()
    assert (await desk.edit(edited["id"], {"headline": "고친 제목"}, 1)).status_code == 200
    assert (await desk.end(closed["id"])).status_code == 200
    before = await desk.events(edited["id"])
    assert await told_anew(desk.service.name, desk.database, settings_for(desk.service.settings)) >= 1
    told = await desk.events(edited["id"])
    assert [event.version for event in told] == [1, 2, 2]
    assert told[-1] == before[-1]
    assert len(await desk.events(closed["id"])) == 2


async def test_what_has_expired_is_not_told(desk: Desk, settings_for: SettingsFor) -> None:
    made = await desk.opened()
    with desk.clock.at("2030-01-01T00:00:00+09:00"):
        await told_anew(desk.service.name, desk.database, settings_for(desk.service.settings), desk.clock)
    assert len(await desk.events(made["id"])) == 1


async def test_more_than_a_page_is_told_once_each(desk: Desk, settings_for: SettingsFor) -> None:
    made = {(await desk.opened())["id"] for _ in range(7)}
    await told_anew(desk.service.name, desk.database, settings_for(desk.service.settings), page_size=3)
    assert [len(await desk.events(id_)) for id_ in made] == [2] * len(made)


async def test_a_change_made_meanwhile_is_told_after(desk: Desk, settings_for: SettingsFor) -> None:
    """Or the older state would be the last that a compacted topic keeps."""
    made = await desk.opened()
    (pages, *_) = SERVICES[desk.service.name][1](settings_for(desk.service.settings)).values()
    async with desk.database.transaction() as tx:
        await pages(tx, None, 500, utc_now())
        edit = asyncio.create_task(desk.edit(made["id"], {"headline": "나중 제목"}, 1))

        async def waits() -> bool:
            async with desk.database.transaction() as look:
                query = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
                return bool((await look.execute(query)).scalar_one())

        await until(waits, what="the edit waits for the page")
        assert not edit.done()
    assert (await edit).status_code == 200


async def test_the_channels_that_are_followed_are_told(notices: NoticesDesk, settings_for: SettingsFor) -> None:
    office, who = await notices.institution(), somebody()
    channel = await notices.channel(office.name)
    await notices.good("PUT", f"/channels/{channel['id']}/follow", as_=who)
    await told_anew("notices", notices.database, settings_for(NoticesSettings))
    told = await notices.events(who, Follows)
    assert [(event.version, event.channels) for event in told] == [(1, (office.name,))] * 2


async def test_a_gap_that_is_free_is_told_while_it_lasts(spaces: SpacesDesk, settings_for: SettingsFor) -> None:
    room, me = await spaces.opened(), f"citizen:{uuid4().hex[:8]}"
    mine = await spaces.booked(room, me)
    with spaces.clock.at(minutes_after(mine["starts_at"], -60)):
        await spaces.does(mine, "cancel", me, {"reason": "못 감"})
        await spaces.chores()
        (gap,) = await spaces.rows("SELECT id FROM gap WHERE space_id = :id", id=room["id"])
        await told_anew("spaces", spaces.database, settings_for(SpacesSettings), spaces.clock)
        first, again = await spaces.events(gap.id, Posting)
        assert first == again
    with spaces.clock.at(mine["ends_at"]):
        await told_anew("spaces", spaces.database, settings_for(SpacesSettings), spaces.clock)
    assert len(await spaces.events(gap.id, Posting)) == 2


async def test_what_citizens_want_to_hear_of_goes_out_again(
    databases: Databases, issuer: Issuer, settings_for: SettingsFor, stack: Addresses
) -> None:
    who, settings = f"citizen:{uuid4().hex[:8]}", settings_for(MatchingSettings)
    async with open_matching(databases, issuer, settings) as desk, tapping(stack.kafka_url, WATCHES.name) as tap:
        await desk.wants(who, interests=["library"])
        await tap.wait_for(lambda _: len(tap.of(who)) == 1)
        assert await told_anew("matching", desk.database, settings) >= 1
        await tap.wait_for(lambda _: len(tap.of(who)) == 2)
    first, again = (Watch.model_validate_json(record.value or b"") for record in tap.of(who))
    assert first == again
