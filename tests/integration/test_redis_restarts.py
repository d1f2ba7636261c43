"""A Redis that begins again from an older snapshot shows what is so, and keeps nobody who withdrew."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio
from redis.asyncio import Redis as Client

from deploy.local import ports
from deploy.local.fleet import Fleet
from deploy.local.home import Home
from deploy.local.processes import Launch
from deploy.local.redis import Redis
from deploy.local.report import Quiet
from deploy.local.sweeper import sweeping
from services.matching.settings import Settings
from shared.redis import connect
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.desk_of_matching import MatchingDesk, open_matching
from tests.engines import next_of
from tests.integration.crowds import STEPS, Crowd, Workers, crowd_of
from tests.issuer import Issuer
from tests.processes import nursery
from tests.stacks import Addresses, recorded
from tests.waiting import until

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Snapshotted(Redis):
    """When it begins again it has what it held when it was last told to save."""

    def _prepare(self) -> Launch:
        launch = super()._prepare()
        return replace(launch, command=(*launch.command, "--dir", str(self.home.folder)))


@dataclass(frozen=True)
class Own:
    url: str
    fleet: Fleet


@pytest.fixture(scope="module")
def own() -> Iterator[Own]:
    place = Home(Path(tempfile.mkdtemp(prefix="gwangsan-tests-")).resolve())
    place.prepare()
    redis = Snapshotted(place, ports.pick(None, ()))
    fleet = Fleet(place, [redis.process()], Quiet(), lambda: recorded(place, fleet))
    try:
        with sweeping(place):
            try:
                fleet.start_all()
                yield Own(redis.url, fleet)
            finally:
                fleet.stop_all()
    finally:
        shutil.rmtree(place.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def stack(stack: Addresses, own: Own) -> Addresses:
    return replace(stack, redis_url=own.url)


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[MatchingDesk]:
    async with open_matching(databases, issuer, settings_for(Settings)) as made:
        yield made


@pytest_asyncio.fixture
async def crowd(desk: MatchingDesk) -> AsyncIterator[Crowd]:
    async with crowd_of(desk) as made:
        await made.gathers(10, seed=41)
        yield made


@pytest.fixture
def workers(desk: MatchingDesk, tmp_path: Path) -> Iterator[Workers]:
    with nursery(tmp_path) as children:
        yield Workers(children, desk.settings)


async def positions(redis: Client) -> set[str]:
    """Whose are kept."""
    return {name.decode() async for key in redis.scan_iter("at:*") for name in await redis.hkeys(key)}  # type: ignore[union-attr]


async def test_an_older_snapshot_is_put_right(crowd: Crowd, workers: Workers, own: Own) -> None:
    """What closed since is not shown, what opened since is, and the position of who withdrew since does not come back."""
    redis, (leaving, *staying) = connect(own.url), crowd.walks
    closing, *others = await crowd.opens(10, seed=42)
    workers.start("engine")
    await crowd.walk(0, STEPS)

    async def all_kept() -> bool:
        everything = {offer.id for offer in crowd.offers}
        return await crowd.shown() == everything and await positions(redis) >= set(crowd.walks)

    await until(all_kept, 30, what="the index is whole")
    await redis.execute_command("SAVE")  # type: ignore[no-untyped-call]
    await crowd.publish([next_of(closing, status="closed")])
    late = await crowd.opens(1, seed=43)
    answer = await crowd.desk.http.delete("/consents/location", headers=crowd.desk.bearer(leaving))
    assert answer.status_code == 200
    expected = {offer.id for offer in (*others, *late)}

    async def right() -> bool:
        return await crowd.shown() == expected and leaving not in await positions(redis)

    await until(right, 30, what="what changed is in the index")
    own.fleet.kill("redis")
    own.fleet.start("redis")
    await until(right, 30, what="what changed is in the index again")
    assert await positions(redis) >= set(staying)
    await redis.aclose()
