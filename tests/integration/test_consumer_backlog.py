"""A consumer that finds much at once takes each partition apart: each effect once, each key in its order, the bad one aside."""

from __future__ import annotations

import pytest

from shared.messaging.consumer import MUCH
from shared.messaging.progress import Progress
from tests.integration.groups import POISON, Group, fresh_topic, running
from tests.samples import posting
from tests.waiting import until

pytestmark = pytest.mark.integration


async def test_a_backlog_of_many_partitions_takes_effect_once_and_in_order(group: Group) -> None:
    many = Group(group.settings, group.database, await fresh_topic(group.settings.kafka_url, partitions=4))
    first = [posting() for _ in range(MUCH)]
    second = [made.model_copy(update={"version": 2}) for made in first]
    bad = posting(headline=POISON)
    await many.publish(*first[:700], bad, *first[700:], *second)
    async with running(many.consumer(max_records=4 * MUCH)) as consumer:
        await until(lambda: many.did([*first, *second]), 60)
        (letter,) = await until(lambda: many.letters_are(1))
        assert letter.error == "ValueError"
        progress: Progress = consumer.progress
        assert progress.problem() is None
    assert await many.once_each([*first, *second])
    versions: dict[object, list[int]] = {}
    for id_, version in await many.effects():
        versions.setdefault(id_, []).append(version)
    assert set(map(tuple, versions.values())) == {(1, 2)}, "within a key the older first"
    assert await many.committed() == 2 * MUCH + 1
