"""Three brokers on loopback: the embedded one three times over. Each keeps every partition, and leads a third of them."""

from __future__ import annotations

import asyncio
import base64
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import AdminClient

from deploy.local import artifacts, ports
from deploy.local.fleet import Fleet
from deploy.local.home import Home
from deploy.local.kafka import SMALL, Kafka
from deploy.local.probes import kafka_ready
from deploy.local.processes import Launch, Process
from deploy.local.report import Quiet
from deploy.local.sweeper import sweeping
from tests.stacks import recorded

BROKERS = 3
ALIKE = {
    "broker.session.timeout.ms": "3000",
    # Who comes back leads again at once what it led before.
    "leader.imbalance.check.interval.seconds": "1",
    "leader.imbalance.per.broker.percentage": "0",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "default.replication.factor": "3",
}


@dataclass(frozen=True)
class Broker(Kafka):
    """One of them. The first is the controller too, and is not to be stopped."""

    number: int

    @property
    def name(self) -> str:
        return f"kafka-{self.number}"

    @property
    def folder(self) -> Path:
        return self.home.folder / self.name

    def process(self) -> Process:
        return Process(self.name, self._prepare, kafka_ready(self.url), port=self.port, wave=2, stop_s=20, ready_s=180)

    def _prepare(self) -> Launch:
        return self._launch(artifacts.kafka(self.report), SMALL)

    def _configure(self) -> Path:
        config, other = super()._configure(), {"node.id": str(self.number)}
        if self.number > 1:
            other |= {"process.roles": "broker", "listeners": f"PLAINTEXT://{self.url}"}
        with config.open("a", encoding="utf-8") as more:
            more.writelines(f"{name}={value}\n" for name, value in (ALIKE | other).items())
        return config


@dataclass(frozen=True)
class Brokers:
    """Stopped, killed and started by name: kafka-1, kafka-2, kafka-3."""

    kafka_url: str
    fleet: Fleet

    async def leads(self, number: int, topic: str) -> int:
        """How many of the topic's partitions that broker leads now."""
        admin = AdminClient({"bootstrap.servers": self.kafka_url})
        told = await asyncio.to_thread(admin.list_topics, topic, timeout=30)
        return sum(partition.leader == number for partition in told.topics[topic].partitions.values())


@contextmanager
def brokers() -> Iterator[Brokers]:
    place = Home(Path(tempfile.mkdtemp(prefix="gwangsan-tests-")).resolve())
    place.prepare()
    taken: list[int] = []
    for _ in range(BROKERS + 1):
        taken.append(ports.pick(None, taken))
    all_of_them = [Broker(place, taken[number], taken[0], Quiet(), number) for number in range(1, BROKERS + 1)]
    fleet = Fleet(place, [one.process() for one in all_of_them], Quiet(), lambda: recorded(place, fleet))
    try:
        with sweeping(place):
            cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            for one in all_of_them:
                one.format(cluster)
            try:
                fleet.start_all()
                yield Brokers(",".join(one.url for one in all_of_them), fleet)
            finally:
                fleet.stop_all()
    finally:
        shutil.rmtree(place.folder, ignore_errors=True)
