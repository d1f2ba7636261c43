"""Create the declared topics and verify those that exist: a topic that differs is reported, never silently used."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from shared.contracts import TOPICS, Topic
from shared.messaging import kafka
from shared.settings import PlatformSettings


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
    """Create what is missing; return every difference of what was there already."""
    admin = kafka.admin(kafka_url)
    await admin.start()
    try:
        present = set(await admin.list_topics())
        await _create(admin, [topic for topic in topics if topic.name not in present], replication)
        return [d for topic in topics if topic.name in present for d in await _differences(admin, topic)]
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


async def _differences(admin: AIOKafkaAdminClient, topic: Topic) -> list[Difference]:
    described = (await admin.describe_topics([topic.name]))[0]
    actual_partitions = len(described["partitions"])
    found = []
    if actual_partitions != topic.partitions:
        found.append(Difference(topic.name, "partitions", str(topic.partitions), str(actual_partitions)))
    responses = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name)])
    actual = {entry[0]: entry[1] for response in responses for resource in response.resources for entry in resource[4]}
    for setting, declared in topic.config().items():
        value = actual.get(setting, "")
        if set(value.split(",")) != set(declared.split(",")):
            found.append(Difference(topic.name, setting, declared, value))
    return found


def main(arguments: list[str]) -> int:
    """`python -m shared.messaging.topics ensure [--replication N]`: exit 1 if a topic differs from its declaration."""
    if not arguments or arguments[0] != "ensure":
        sys.stderr.write("usage: python -m shared.messaging.topics ensure [--replication N]\n")
        return 2
    replication = int(arguments[2]) if arguments[1:2] == ["--replication"] else 1
    differences = asyncio.run(ensure(PlatformSettings().kafka_url, replication=replication))
    for difference in differences:
        sys.stderr.write(f"{difference}\n")
    if not differences:
        sys.stdout.write(f"{len(TOPICS)} topics as declared\n")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
