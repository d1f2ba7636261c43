"""What all tests share: one real stack per run, databases per module, an issuer, settings that point to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeVar

import pytest
import pytest_asyncio

from deploy.local.stack import Stack, running
from shared.messaging import topics
from shared.settings import PlatformSettings
from tests.databases import Databases
from tests.issuer import AUDIENCE, Issuer
from tests.stacks import Addresses, open_stack

S = TypeVar("S", bound=PlatformSettings)
SettingsFor = Callable[..., Any]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--stack",
        choices=("embedded", "containers"),
        default="embedded",
        help="where Kafka, PostgreSQL and Redis run, unless GWANGSAN_KAFKA_URL, _POSTGRES_URL and _REDIS_URL name them",
    )
    parser.addoption(
        "--redis",
        choices=("single", "cluster"),
        default="single",
        help="one embedded Redis, or a Redis Cluster of three masters in its place",
    )
    parser.addoption(
        "--outage-s", type=float, default=6.0, help="how long Kafka is down in the outage test (30 to be thorough)"
    )


@pytest_asyncio.fixture(scope="session")
async def stack(request: pytest.FixtureRequest) -> AsyncIterator[Addresses]:
    """`kafka_url`, `postgres_url`, `redis_url` of one stack for the whole run; the topics exist as declared."""
    with open_stack(request.config.getoption("--stack"), request.config.getoption("--redis")) as addresses:
        assert await topics.ensure(addresses.kafka_url) == []
        yield addresses


@pytest.fixture(scope="session")
def whole_product() -> Iterator[Stack]:
    """Every service, the workers and the gateway, of their own for the whole run: started when a test first asks."""
    with running(services=True) as product:
        yield product


@pytest_asyncio.fixture(scope="module")
async def databases(stack: Addresses) -> AsyncIterator[Databases]:
    """This module's own databases: `await databases.migrated("jobs")`, `await databases.platform()`."""
    made = Databases(stack.postgres_url)
    yield made
    await made.drop()


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    """A real issuer over HTTP; sign with `tests.issuer.token(issuer, "citizen:하늘")`."""
    serving = Issuer()
    yield serving
    serving.stop()


@pytest.fixture(scope="module")
def settings_for(stack: Addresses, issuer: Issuer, databases: Databases) -> SettingsFor:
    """`settings_for(JobsSettings, retry_attempts=2)`: settings that point to the stack, the issuer and own databases."""

    def make(model: type[S], **overrides: Any) -> S:
        pointing = {
            "kafka_url": stack.kafka_url,
            "postgres_url": stack.postgres_url,
            "redis_url": stack.redis_url,
            "database_prefix": databases.prefix,
            "oidc_issuer": issuer.url,
            "oidc_audience": AUDIENCE,
        }
        return model(**{**pointing, **overrides})

    return make
