"""The consumer boundary while the database or the broker is away, and the truth it tells about its health."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from shared.database import Database
from shared.messaging.consumer import STOP_WITHIN_S
from tests.databases import Databases
from tests.integration.conftest import PrivatePart
from tests.integration.groups import POISON, Group, fresh_topic, running
from tests.samples import posting
from tests.waiting import until

pytestmark = pytest.mark.integration


async def test_with_the_database_down_events_wait_and_none_is_given_up(
    group: Group, private_postgres: PrivatePart
) -> None:
    own = Databases(private_postgres.url)
    database = Database(await own.platform())
    waiting = Group(group.settings.model_copy(update={"stale_after_s": 1.0}), database, group.topic)
    await waiting.prepare()
    before, bad, after = posting(), posting(headline=POISON), posting()
    async with running(waiting.consumer()) as consumer:
        await waiting.publish(before)
        await until(lambda: waiting.did([before]))
        await asyncio.to_thread(private_postgres.kill)
        await waiting.publish_raw((b"k", b"no event", []))
        await waiting.publish(bad, after)
        assert "made no progress" in await until(consumer.progress.problem, 20)
        assert [letter.error for letter in await waiting.letters()] == ["BadRecordError"], "this one needs no database"
        await asyncio.to_thread(private_postgres.start)
        await until(lambda: waiting.did([after]), 30)
        await until(lambda: consumer.progress.problem() is None)
        assert [letter.attempts for letter in await until(lambda: waiting.letters_are(2))] == [1, 2]
    assert await waiting.once_each([before, after])
    await database.close()


async def test_a_consumer_that_gets_nowhere_is_unready_until_it_does(group: Group) -> None:
    impatient = Group(group.settings.model_copy(update={"stale_after_s": 0.5}), group.database, group.topic, group.name)
    event = posting()
    async with running(impatient.consumer()) as consumer:
        assert "not joined" in (consumer.progress.problem() or "")
        await until(lambda: consumer.progress.problem() is None)
        async with group.database.transaction() as held:
            await held.execute(text("LOCK TABLE effect IN SHARE MODE"))
            await group.publish(event)
            assert "made no progress" in await until(consumer.progress.problem)
        await until(lambda: consumer.progress.problem() is None)
    assert await group.once_each([event])


@pytest.mark.timeout(120)
async def test_with_the_broker_down_a_consumer_is_unready_and_goes_on_after(
    group: Group, private_kafka: PrivatePart
) -> None:
    settings = group.settings.model_copy(update={"stale_after_s": 1.0, "kafka_url": private_kafka.url})
    there = Group(settings, group.database, await fresh_topic(private_kafka.url))
    before, after = posting(), posting()
    await there.publish(before)
    async with running(there.consumer()) as consumer:
        await until(lambda: there.did([before]), 20)
        await until(lambda: consumer.progress.problem() is None)
        await asyncio.to_thread(private_kafka.kill)
        assert "made no progress" in await until(consumer.progress.problem, 20)
        await asyncio.to_thread(private_kafka.start)
        await there.publish(after)
        await until(lambda: there.did([after]), 40)
        await until(lambda: consumer.progress.problem() is None, 20)
    assert await there.once_each([before, after])


async def test_a_consumer_stops_in_time_though_the_broker_is_gone(group: Group, private_kafka: PrivatePart) -> None:
    settings = group.settings.model_copy(update={"kafka_url": private_kafka.url})
    there = Group(settings, group.database, await fresh_topic(private_kafka.url))
    consumer = there.consumer()
    run = asyncio.create_task(consumer.run())
    await until(lambda: consumer.progress.problem() is None, 20)
    await asyncio.to_thread(private_kafka.kill)
    consumer.stop()
    done, _ = await asyncio.wait([run], timeout=STOP_WITHIN_S + 5)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    assert done, "the consumer did not stop"
