"""A consumer's records by whole batches, fetched by itself.

aiokafka's own fetcher passes a fetch on from one task to the next: for one fix that is half of what it costs. It still finds out where
to begin; members, assignments, positions, pauses and commits are the consumer's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition, errors
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.consumer.subscription_state import Assignment, TopicPartitionState
from aiokafka.record.memory_records import MemoryRecords

from shared.messaging.fetch_session import FETCH, Fetched, FetchSession, Limits
from shared.messaging.record_batches import Item, RecordBatch, next_offset, plain_batches
from shared.messaging.requests import ask, connection_to

log = structlog.get_logger()

LOOK_EVERY_S = 0.1  # for partitions that have been resumed, or have a position now
MUCH = 1_000  # records: while they are handled the broker can look for the next


@dataclass
class _Held:
    """Fetched of a partition at position `at` and not taken yet; what comes after it is at `ends`."""

    node_id: int
    at: int
    items: list[Item]
    ends: int

    def take(self, most: int) -> list[Item]:
        """The first batches, together about `most` records and at least one."""
        count = 0
        for nth, item in enumerate(self.items):
            count += _count(item)
            if count >= most:
                some, self.items = self.items[: nth + 1], self.items[nth + 1 :]
                break
        else:
            some, self.items = self.items, []
        self.at = next_offset(some[-1]) if self.items else self.ends
        return some


class BatchConsumer:
    """Of a consumer that has started and is not asked for records in another way any more."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self.consumer = consumer
        self._client, self._fetcher = consumer._client, consumer._fetcher
        fetcher = self._fetcher
        self._limits = Limits(
            fetcher._fetch_max_wait_ms, fetcher._fetch_min_bytes, fetcher._fetch_max_bytes, fetcher._max_partition_fetch_bytes,
            fetcher._isolation_level,
        )  # fmt: skip
        self._sessions: dict[int, FetchSession] = {}
        self._asked: set[int] = set()
        self._held: dict[TopicPartition, _Held] = {}
        self._assignment: Assignment | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._fault: Exception | None = None
        self._trying: set[asyncio.Task[None]] = set()
        _only_finds_positions(consumer)

    async def take(self, most: int, wait_s: float) -> dict[TopicPartition, list[Item]]:
        """What has come, about `most` records of it; waits up to `wait_s` for the first."""
        self.consumer._coordinator.check_errors()
        with self.consumer._subscription.fetch_context():  # or the group would hold us for dead
            ends = time.monotonic() + wait_s
            self._ask()
            while not self._held and self._fault is None and (left_s := ends - time.monotonic()) > 0:
                await self._arrival(min(left_s, LOOK_EVERY_S))
                self._ask()
            if self._fault is not None:
                raise self._fault
            taken = self._hand_out(most)
        if sum(map(_count, (item for items in taken.values() for item in items))) >= MUCH:
            self._ask()
        return taken

    async def _arrival(self, at_most_s: float) -> None:
        waiter = self._waiter = self._fetcher._create_fetch_waiter()
        timer = asyncio.get_running_loop().call_later(at_most_s, self._fetcher._notify, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _current(self) -> Assignment:
        """What is assigned now; what was fetched for an assignment before it is nobody's, nor is anything while the group shares out."""
        subscribed = self.consumer._subscription
        assignment: Assignment = None
        if subscribed.subscription is not None and not subscribed.reassignment_in_progress:
            assignment = subscribed.subscription.assignment
        if assignment is not self._assignment:
            self._assignment = assignment
            self._held.clear()
        return assignment

    def _ask(self) -> None:
        """Every broker that is not being asked and of which nothing waits to be taken."""
        assignment = self._current()
        if assignment is None:
            return
        busy = self._asked.union(held.node_id for held in self._held.values())
        wanted: dict[int, dict[TopicPartition, int]] = {}
        for where in assignment.tps:
            state = assignment.state_value(where)
            if state is None or state.paused or not state.has_valid_position:
                continue
            leader = self._client.cluster.leader_for_partition(where)
            if leader is None or leader < 0:
                self._client.force_metadata_update()
            elif leader not in busy:
                wanted.setdefault(leader, {})[where] = state.position
        for node_id, positions in wanted.items():
            self._fetch(node_id, positions, assignment)

    def _fetch(self, node_id: int, positions: Mapping[TopicPartition, int], assignment: Assignment) -> None:
        self._asked.add(node_id)
        connection = connection_to(self._client, node_id)
        if connection is None:
            self._try_again(node_id, 0.0)
            return
        session = self._sessions.setdefault(node_id, FetchSession(self._limits))
        within_s = self._client._request_timeout_ms / 1000
        then = partial(self._answered, node_id, positions, assignment)
        ask(connection, FETCH, session.request(positions), within_s, then)

    def _answered(
        self,
        node_id: int,
        positions: Mapping[TopicPartition, int],
        assignment: Assignment,
        answer: memoryview | errors.KafkaError,
    ) -> None:
        session = self._sessions[node_id]
        if isinstance(answer, errors.KafkaError):
            session.forget()
            self._try_again(node_id, self._client._retry_backoff, answer)
            return
        began = session.begins
        error_code, fetched = session.answered(answer)
        if error_code:  # a session that the broker does not know any more is begun anew at once
            self._try_again(node_id, self._client._retry_backoff if began else 0.0, errors.for_code(error_code)())
            return
        self._asked.discard(node_id)
        if assignment is not self._current():
            self._ask()
            return
        self._fetcher._records.clear()  # of a fetch of its own that was under way
        now_ms = int(time.time() * 1000)
        for where in positions:  # of whom nothing is said there is nothing new
            assignment.state_value(where).timestamp = now_ms
        try:
            refused = self._keep(node_id, positions, fetched, assignment)
        except errors.KafkaError as error:
            self._fault = error
        else:
            if refused:
                self._asked.add(node_id)
                self._try_again(node_id, self._client._retry_backoff)
        if self._held or self._fault is not None:
            self._fetcher._notify(self._waiter)
        else:
            self._ask()

    def _keep(
        self,
        node_id: int,
        positions: Mapping[TopicPartition, int],
        fetched: Collection[Fetched],
        assignment: Assignment,
    ) -> bool:
        """Whether some of it was refused for now."""
        refused = False
        for one in fetched:
            state = assignment.state_value(one.where)
            if one.error_code:
                self._refused(one, state)
                refused = True
                continue
            state.highwater, state.lso = one.high_watermark, one.last_stable_offset
            at = positions[one.where]
            if not one.raw or not _is_at(state, at):
                continue
            held = self._opened(one, node_id, at)
            if held.items:
                self._held[one.where] = held
            elif held.ends > at:  # nothing but what transactions leave behind
                state.consumed_to(held.ends)
        return refused

    def _opened(self, one: Fetched, node_id: int, at: int) -> _Held:
        batches = plain_batches(one.raw, one.where, at)
        if batches is not None:
            return _Held(node_id, at, [*batches], batches[-1].last_offset + 1 if batches else at)
        fetcher = self._fetcher
        records = PartitionRecords(
            one.where, MemoryRecords(one.raw), one.aborted, at, fetcher._key_deserializer, fetcher._value_deserializer, True,
            self._limits.isolation,
        )  # fmt: skip
        return _Held(node_id, at, list(records), records.next_fetch_offset)

    def _refused(self, one: Fetched, state: TopicPartitionState) -> None:
        """Raises what does not pass by itself."""
        error = errors.for_code(one.error_code)
        if error is errors.OffsetOutOfRangeError:
            log.warning("offset_out_of_range", topic=one.where.topic, partition=one.where.partition)
            state.await_reset(self._fetcher._default_reset_strategy)
        elif error.retriable or error.invalid_metadata:
            self._client.force_metadata_update()
        else:
            raise error(one.where)

    def _try_again(self, node_id: int, after_s: float, why: errors.KafkaError | None = None) -> None:
        if why is not None and after_s and not self.consumer._closed:
            log.warning("fetch_failed", node=node_id, error=type(why).__name__, detail=str(why)[:200])
        task = asyncio.create_task(self._ready_again(node_id, after_s))
        self._trying.add(task)
        task.add_done_callback(self._trying.discard)

    async def _ready_again(self, node_id: int, after_s: float) -> None:
        """A broker that is away is tried until it is back, or until it leads nothing of ours any more."""
        await asyncio.sleep(after_s)
        if self.consumer._closed:
            return
        if not await self._client.ready(node_id):
            await asyncio.sleep(self._client._retry_backoff)
        self._asked.discard(node_id)
        if not self.consumer._closed:
            self._ask()

    def _hand_out(self, most: int) -> dict[TopicPartition, list[Item]]:
        assignment = self._current()
        if assignment is None or not self._held:
            return {}
        taken, each = {}, max(1, most // len(self._held))
        for where, held in [*self._held.items()]:
            state = assignment.state_value(where)
            if state.paused or not _is_at(state, held.at):
                del self._held[where]  # it is asked for again where it is wanted
                continue
            taken[where] = held.take(each)
            state.consumed_to(held.at)
            if not held.items:
                del self._held[where]
        return taken


def _count(item: Item) -> int:
    return item.count if isinstance(item, RecordBatch) else 1


def _is_at(state: TopicPartitionState, position: int) -> bool:
    return bool(state.has_valid_position and state.position == position)


def _only_finds_positions(consumer: AIOKafkaConsumer) -> None:
    """From now on the consumer's own fetcher resets positions, and fetches nothing."""
    fetcher = consumer._fetcher
    all_actions = fetcher._get_actions_per_node
    fetcher._get_actions_per_node = lambda assignment: ([], *all_actions(assignment)[1:])
