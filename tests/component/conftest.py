"""Services with their real stores, as component tests share them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.issuer import Issuer
from tests.publishers import NOBODY_LISTENS, PUBLISHERS, Desk, Service, open_desk


@pytest_asyncio.fixture(scope="module", params=PUBLISHERS, ids=lambda service: service.name)
async def each_desk(
    request: pytest.FixtureRequest, databases: Databases, issuer: Issuer, settings_for: SettingsFor
) -> AsyncIterator[Desk]:
    """Jobs, spaces and notices in turn. No broker answers, so what they tell stays in the outbox to be read."""
    service: Service = request.param
    async with open_desk(service, databases, issuer, settings_for(service.settings, kafka_url=NOBODY_LISTENS)) as desk:
        yield desk


@pytest.fixture
def desk(each_desk: Desk) -> Desk:
    return each_desk
