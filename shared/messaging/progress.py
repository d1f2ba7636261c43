"""Health of a consumer by progress, not by liveness: a dead loop with lag is unready, whatever the process says."""

from __future__ import annotations

import time

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared import telemetry


class Progress:
    """When the consumer last got on, how much waits for it, and whether it was halted."""

    def __init__(self, group: str, *, stale_after_s: float) -> None:
        self.group = group
        self._stale_after_s = stale_after_s
        self._at = time.monotonic()
        self._halted: str | None = None
        self._polled = False
        self._handled: dict[TopicPartition, int] = {}
        self.lag = 0

    def handled(self, partition: TopicPartition, next_offset: int) -> None:
        """Everything before `next_offset` has taken effect."""
        self._handled[partition] = next_offset
        self._at = time.monotonic()

    def seen(self, consumer: AIOKafkaConsumer) -> None:
        """A poll came back and its batch was handled."""
        self._at = time.monotonic()
        self._polled = True
        by_topic: dict[str, int] = dict.fromkeys((p.topic for p in consumer.assignment()), 0)
        for partition in consumer.assignment():
            high, handled = consumer.highwater(partition), self._handled.get(partition)
            if high is not None and handled is not None:
                by_topic[partition.topic] += max(0, high - handled)
        self.lag = sum(by_topic.values())
        for topic, behind in by_topic.items():
            telemetry.CONSUMER_LAG.labels(self.group, topic).set(behind)
        telemetry.CONSUMER_PROGRESS_AGE_S.labels(self.group).set(0)

    def waiting(self) -> None:
        """The batch in hand waits for the infrastructure; the age goes on rising."""
        telemetry.CONSUMER_PROGRESS_AGE_S.labels(self.group).set(self.age_s)

    def halt(self, reason: str) -> None:
        self._halted = reason

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._at

    def problem(self) -> str | None:
        """None when healthy, else one sentence."""
        if self._halted:
            return f"{self.group} halted: {self._halted}"
        if not self._polled:
            return f"{self.group} has not joined its group yet"
        if self.age_s > self._stale_after_s:
            return f"{self.group} made no progress for {self.age_s:.0f} s"
        return None
