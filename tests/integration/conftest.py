"""What the tests of several processes share: children that can be killed, and parts of a stack that can be taken down."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import text

from deploy.local.fleet import Fleet
from shared.database import Database
from shared.messaging import topics
from shared.settings import PlatformSettings
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.integration.groups import Group, fresh_topic
from tests.processes import Nursery, nursery
from tests.stacks import embedded

QUICK = {"retry_attempts": 2, "retry_backoff_s": 0.01}


@dataclass(frozen=True)
class PrivatePart:
    """A broker or database of one test's own."""

    name: str
    url: str
    fleet: Fleet

    def kill(self) -> None:
        self.fleet.kill(self.name, signal.SIGKILL)

    def start(self) -> None:
        self.fleet.start(self.name)


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Nursery]:
    with nursery(tmp_path) as made:
        yield made


@pytest.fixture
def outage_s(request: pytest.FixtureRequest) -> float:
    return float(request.config.getoption("--outage-s"))


@pytest_asyncio.fixture
async def private_kafka() -> AsyncIterator[PrivatePart]:
    with embedded("kafka") as (addresses, fleet):
        await topics.ensure(addresses.kafka_url)
        yield PrivatePart("kafka", addresses.kafka_url, fleet)


@pytest.fixture
def private_postgres() -> Iterator[PrivatePart]:
    with embedded("postgres") as (addresses, fleet):
        yield PrivatePart("postgres", addresses.postgres_url, fleet)


@pytest_asyncio.fixture
async def group(databases: Databases, settings_for: SettingsFor) -> AsyncIterator[Group]:
    settings: PlatformSettings = settings_for(PlatformSettings, **QUICK)
    database = Database(await databases.platform())
    made = Group(settings, database, await fresh_topic(settings.kafka_url))
    await made.prepare()
    yield made
    async with database.transaction() as tx:
        await tx.execute(text("TRUNCATE effect, processed_event"))
    await database.close()
