"""Topics as declared: created once, verified always, differences told and never silently used."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest

from shared.contracts import TOPICS
from shared.contracts.base import Topic
from shared.messaging import kafka, topics
from tests.stacks import Addresses

pytestmark = pytest.mark.integration


def declared() -> Topic:
    return Topic(
        f"t-{uuid4().hex}", 3, "anything", ("tests",), ("tests",), compacted=True, extra={"segment.ms": "60000"}
    )


async def test_creating_the_topics_again_changes_and_reports_nothing(stack: Addresses) -> None:
    assert await topics.ensure(stack.kafka_url) == []
    assert await topics.ensure(stack.kafka_url) == []


async def test_a_missing_topic_is_created_as_declared(stack: Addresses) -> None:
    topic = declared()
    assert await topics.ensure(stack.kafka_url, topics=(t for t in [topic])) == []
    assert await topics.ensure(stack.kafka_url, topics=(t for t in [topic])) == []


async def test_each_difference_is_told_with_both_values(stack: Addresses) -> None:
    topic = declared()
    await topics.ensure(stack.kafka_url, topics=[topic])
    changed = replace(topic, partitions=5, compacted=False, retention_ms=1000, extra={"segment.ms": "70000"})
    told = {d.setting: (d.declared, d.actual) for d in await topics.ensure(stack.kafka_url, topics=[changed])}
    assert told == {
        "partitions": ("5", "3"),
        "cleanup.policy": ("delete", "compact"),
        "retention.ms": ("1000", "-1"),
        "segment.ms": ("70000", "60000"),
    }


async def test_a_broker_that_does_not_know_the_topic_yet_is_asked_again(stack: Addresses) -> None:
    topic = declared()
    admin = kafka.admin(stack.kafka_url)
    await admin.start()
    try:
        asking = asyncio.create_task(topics.settings_of(admin, topic.name))
        await topics.ensure(stack.kafka_url, topics=[topic])
        assert (await asking)["segment.ms"] == "60000"
    finally:
        await admin.close()


async def test_too_few_replicas_are_a_difference(stack: Addresses) -> None:
    topic = declared()
    await topics.ensure(stack.kafka_url, topics=[topic])
    (difference,) = await topics.ensure(stack.kafka_url, topics=[topic], replication=3)
    assert str(difference) == f"{topic.name}: replication is 1, declared 3"


def test_every_topic_says_who_writes_reads_and_keys_it() -> None:
    for topic in TOPICS:
        assert topic.owners, topic.name
        assert topic.consumers or topic.external, topic.name
        assert topic.key, topic.name
        assert topic.description, topic.name
