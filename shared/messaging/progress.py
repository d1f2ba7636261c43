"""Health of a consumer by progress, not by liveness: a dead loop with lag is unready, whatever the process says."""

from __future__ import annotations

import time

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared import telemetry

FETCHED_WITHIN_S = 5.0


class Progress:
    """When the consumer last got on, how much waits for it, and whether it was halted.

    Getting on is: something was settled, or the broker was asked just now and nothing waits. An empty poll alone is
    not: with the broker gone it comes back empty too.
    """

    def __init__(self, group: str, *, stale_after_s: float) -> None:
        self.group = group
        self._stale_after_s = stale_after_s
        self._at = time.monotonic()
        self._halted: str | None = None
        self._joined = False
        self._reading: str | None = None
        self.lag = 0

    def settled(self) -> None:
        """Something took effect or was given up for good."""
        self._at = time.monotonic()

    def handled(self, partition: TopicPartition, next_offset: int) -> None:
        """Everything of the partition before `next_offset` has taken effect."""
        self.settled()

    def seen(self, consumer: AIOKafkaConsumer) -> None:
        """A poll came back and its batches were settled."""
        self._joined = True
        behind: dict[str, int] = {}
        caught_up = True
        for partition in consumer.assignment():
            waiting = _behind(consumer, partition)
            caught_up = caught_up and waiting == 0
            behind[partition.topic] = behind.get(partition.topic, 0) + (waiting or 0)
        if caught_up:
            self._at = time.monotonic()
        self.lag = sum(behind.values())
        for topic, count in behind.items():
            telemetry.CONSUMER_LAG.labels(self.group, topic).set(count)
        telemetry.CONSUMER_PROGRESS_AGE_S.labels(self.group).set(self.age_s)

    def waiting(self) -> None:
        """The batch in hand waits for the infrastructure; the age goes on rising."""
        telemetry.CONSUMER_PROGRESS_AGE_S.labels(self.group).set(self.age_s)

    def reads_back(self, what: str | None, count: int = 0) -> None:
        """How far it is with what it must know before it can begin; None when it knows."""
        self._reading = what and f"{count:,} {what} read back so far"
        self.settled()

    def halt(self, reason: str) -> None:
        self._halted = reason

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._at

    def problem(self) -> str | None:
        """None when healthy, else one sentence."""
        if self._halted:
            return f"{self.group} halted: {self._halted}"
        if self._reading:
            return f"{self.group} is being restored: {self._reading}"
        if not self._joined:
            return f"{self.group} has not joined its group yet"
        if self.age_s > self._stale_after_s:
            return f"{self.group} made no progress for {self.age_s:.0f} s; lag {self.lag}"
        return None


def _behind(consumer: AIOKafkaConsumer, partition: TopicPartition) -> int | None:
    """How many offsets lie ahead of what was read; None where the broker has not told lately.

    Measured from the position, not from the last record: the marker that ends a transaction takes an offset too. The
    state is read directly because `consumer.position` waits, for ever if the broker is away.
    """
    assigned = consumer._subscription.subscription.assignment
    if partition not in assigned.tps:
        return None  # a rebalance took it away meanwhile
    state = assigned.state_value(partition)
    told = state.timestamp is not None and time.time() - state.timestamp / 1000 < FETCHED_WITHIN_S
    if not told or state.highwater is None or not state.has_valid_position:
        return None
    return max(0, int(state.highwater) - int(state.position))
