"""Create the declared topics and verify those that exist: a topic that differs is reported, never silently used."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from shared.contracts import TOPICS, Topic
from shared.messaging import kafka
from shared.settings import PlatformSettings

VISIBLE_TRY_EVERY_S = 0.1
VISIBLE_WITHIN_TRIES = 100


@dataclass(frozen=True)
class Difference:
    """One way in which a topic on the broker is not as declared."""

    topic: str
    setting: str
    declared: str
    actual: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.setting} is {self.actual}, declared {self.declared}"


async def ensure(kafka_url: str, *, replication: int = 1, topics: Iterable[Topic] = TOPICS) -> list[Difference]:
    """Create what is missing, then verify all; return every difference. Safe when several processes try at once."""
    wanted = list(topics)
    admin = kafka.admin(kafka_url)
    await admin.start()
    try:
        present = set(await admin.list_topics())
        await _create(admin, [topic for topic in wanted if topic.name not in present], replication)
        return [d for topic in wanted for d in await _differences(admin, topic, replication)]
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, topics: list[Topic], replication: int) -> None:
    if not topics:
        return
    durable = {"min.insync.replicas": "2"} if replication >= 3 else {}
    wanted = [NewTopic(t.name, t.partitions, replication, topic_configs={**t.config(), **durable}) for t in topics]
    response = await admin.create_topics(wanted)
    for name, code, *_ in response.topic_errors:
        error = for_code(code)
        if code != 0 and error is not TopicAlreadyExistsError:
            raise error(f"topic {name} could not be created")


async def _differences(admin: AIOKafkaAdminClient, topic: Topic, replication: int) -> list[Difference]:
    partitions = await _partitions(admin, topic.name)
    actual, found = await settings_of(admin, topic.name), []
    if len(partitions) != topic.partitions:
        found.append(Difference(topic.name, "partitions", str(topic.partitions), str(len(partitions))))
    fewest = min(len(partition["replicas"]) for partition in partitions)
    if fewest < replication:
        found.append(Difference(topic.name, "replication", str(replication), str(fewest)))
    for setting, declared in topic.config().items():
        value = actual.get(setting, "")
        if set(value.split(",")) != set(declared.split(",")):
            found.append(Difference(topic.name, setting, declared, value))
    return found


async def _partitions(admin: AIOKafkaAdminClient, name: str) -> list[dict[str, Any]]:
    """The topic's partitions. One created a moment ago may not be known to every broker yet."""
    for _ in range(VISIBLE_WITHIN_TRIES):
        described = (await admin.describe_topics([name]))[0]
        if described["error_code"] == 0 and described["partitions"]:
            return list(described["partitions"])
        await asyncio.sleep(VISIBLE_TRY_EVERY_S)
    raise UnknownTopicOrPartitionError(f"topic {name} was created but cannot be seen")


async def settings_of(admin: AIOKafkaAdminClient, name: str) -> dict[str, str]:
    """Asked of whichever broker; one that does not know the topic yet has none to tell."""
    for _ in range(VISIBLE_WITHIN_TRIES):
        responses = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
        (told,) = (resource for response in responses for resource in response.resources)
        error_code, entries = told[0], told[4]
        if error_code == 0:
            return {entry[0]: entry[1] for entry in entries}
        error = for_code(error_code)
        if not error.retriable:
            raise error(f"the settings of topic {name}")
        await asyncio.sleep(VISIBLE_TRY_EVERY_S)
    raise UnknownTopicOrPartitionError(f"topic {name} was created but its settings cannot be seen")


def main(arguments: list[str]) -> int:
    """`python -m shared.messaging.topics ensure [--replication N]`: exit 1 if a topic differs from its declaration."""
    if not arguments or arguments[0] != "ensure":
        sys.stderr.write("usage: python -m shared.messaging.topics ensure [--replication N]\n")
        return 2
    replication = int(arguments[2]) if arguments[1:2] == ["--replication"] else 1
    try:
        differences = asyncio.run(ensure(PlatformSettings().kafka_url, replication=replication))
    except KafkaError as error:
        sys.stderr.write(f"Kafka did not answer as needed: {type(error).__name__}: {error}\n")
        return 1
    for difference in differences:
        sys.stderr.write(f"{difference}\n")
    if not differences:
        sys.stdout.write(f"{len(TOPICS)} topics as declared\n")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
