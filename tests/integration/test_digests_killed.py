"""The inbox worker killed again and again while digests are due: each citizen still gets one, and one only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest
import pytest_asyncio

from deploy.local import ports
from services.matching.settings import Settings
from shared.contracts import Digest
from shared.messaging.envelope import open_envelope
from tests.conftest import SettingsFor
from tests.databases import Databases
from tests.desk_of_matching import MatchingDesk, open_matching
from tests.issuer import Issuer
from tests.processes import Nursery, Running
from tests.samples import alert, posting
from tests.tap import first_of_each, tapping
from tests.waiting import until

pytestmark = pytest.mark.integration
CITIZENS = 250
KILLS = 3


@pytest_asyncio.fixture(scope="module")
async def desk(databases: Databases, issuer: Issuer, settings_for: SettingsFor) -> AsyncIterator[MatchingDesk]:
    async with open_matching(
        databases, issuer, settings_for(Settings, budget_per_day=0, budget_urgent_reserve=0)
    ) as made:
        yield made


async def crowd(desk: MatchingDesk) -> set[str]:
    """Everybody's two alerts overflowed two days ago."""
    run = uuid4().hex[:8]
    everybody = {f"citizen:{run}-{n}" for n in range(CITIZENS)}
    insert = """
        WITH w AS (INSERT INTO watch (citizen_id, version, settings, changed_at)
            SELECT who, 1, '{"paused": false}', now() FROM unnest(CAST(:who AS text[])) who)
        INSERT INTO consent (citizen_id, purpose, epoch, terms_version, granted_at)
        SELECT who, 'location', 1, '-', now() FROM unnest(CAST(:who AS text[])) who RETURNING 1
    """
    await desk.rows(insert, who=sorted(everybody))
    for _ in range(2):
        about = posting(expires_at=desk.now + timedelta(days=2))
        await desk.alerted(*[alert(who, about, made_at=desk.now) for who in everybody])
    await desk.rows(
        "UPDATE inbox_item SET overflowed_at = now() - interval '2 days' WHERE state = 'digest' RETURNING 1"
    )
    return everybody


async def made(desk: MatchingDesk) -> int:
    return int((await desk.rows("SELECT count(*) AS n FROM digest"))[0].n)


async def test_every_citizen_has_one_digest_however_often_the_worker_is_killed(
    desk: MatchingDesk, children: Nursery
) -> None:
    everybody = await crowd(desk)
    names = ("kafka_url", "postgres_url", "redis_url", "database_prefix", "oidc_issuer", "oidc_audience")
    environment = {f"GWANGSAN_{name.upper()}": str(getattr(desk.settings, name)) for name in names}
    environment["GWANGSAN_PORT"] = str(ports.pick(None, ()))
    async with tapping(desk.settings.kafka_url, Digest.TOPIC) as tap:
        for _ in range(KILLS):
            before = await made(desk)
            worker = children.start("services.matching.worker", "inbox", environment=environment)

            async def further(worker: Running = worker, before: int = before) -> bool:
                assert worker.alive, worker.said()
                return await made(desk) > before

            if before < CITIZENS:
                await until(further, 30)
            worker.kill()
        children.start("services.matching.worker", "inbox", environment=environment)

        async def all_made() -> bool:
            return await made(desk) == CITIZENS

        await until(all_made, 30)
        await tap.wait_for(lambda _: {str(r.key, "utf-8") for r in tap.among(everybody)} == everybody, 30)
        found = [open_envelope(record).data for record in first_of_each(tap.among(everybody))]
    digests = [digest for digest in found if isinstance(digest, Digest)]
    assert sorted(digest.citizen_id for digest in digests) == sorted(everybody)
    assert {len(digest.items) for digest in digests} == {2}
    assert await desk.rows("SELECT 1 FROM inbox_item WHERE state = 'digest' AND digest_id IS NULL") == []
