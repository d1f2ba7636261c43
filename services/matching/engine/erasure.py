"""Withdrawn consent reaches the log of fixes too: what the engine has taken of that partition is deleted from Kafka (M9).

A topic cannot forget one citizen, only everything before an offset. Nobody loses by it: up to the committed offset every
fix was taken, and where the others stand is in this worker's memory and in Redis.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import RecordsToDelete
from aiokafka.errors import KafkaError
from numpy.typing import NDArray

from services.matching.engine import kernel
from services.matching.engine.fixes import Fixes
from shared.contracts import Watch
from shared.contracts.location import LOCATIONS
from shared.messaging import kafka

log = structlog.get_logger()

# Longer than the topic keeps a fix, the broker's own slack included; what was withdrawn before that is gone by itself.
LATELY = timedelta(hours=1)


class Erasure:
    """Partitions from which fixes must go, until they are gone. `covered` is asked before the positions are written to
    Redis and `erase` called after, so that no other citizen's position is ever only in the log that is deleted.
    """

    def __init__(self, kafka_url: str, fixes: AIOKafkaConsumer) -> None:
        self._kafka_url, self._fixes = kafka_url, fixes
        self._until: dict[TopicPartition, int | None] = {}

    def withdrawn(self, watch: Watch, partition: int, now: datetime) -> None:
        """A citizen of the partition withdrew (or is found, after a restart, to have done so lately)."""
        if now - watch.changed_at < LATELY:
            self._until[TopicPartition(LOCATIONS.name, partition)] = None

    def refused(self, fixes: Fixes, outcome: NDArray[np.int8]) -> None:
        """Fixes that came in after all, taken in under a consent that is over."""
        for partition in np.unique(fixes.rows["partition"][outcome == kernel.REFUSED]).tolist():
            self._until[TopicPartition(LOCATIONS.name, partition)] = None

    async def covered(self, welcomed: set[int]) -> dict[TopicPartition, int]:
        """Of each partition in question the offset up to which this worker has taken and committed its fixes. One whose
        citizens are still being restored waits: until then the log may be the only one that knows where they are.
        """
        mine = self._fixes.assignment()
        self._until = {tp: until for tp, until in self._until.items() if tp in mine}
        ready = [tp for tp in self._until if tp.partition in welcomed]
        try:
            await self._ask_ends([tp for tp in ready if self._until[tp] is None])
            return {tp: await self._fixes.committed(tp) or 0 for tp in ready}
        except KafkaError as error:
            log.warning("erasure_waits", error=type(error).__name__)
            return {}

    async def _ask_ends(self, unknown: list[TopicPartition]) -> None:
        """What is noted while this waits stays unknown: it may lie behind the end that is being told."""
        for tp in unknown:
            del self._until[tp]
        ends: dict[TopicPartition, int | None] = dict.fromkeys(unknown)
        try:
            if unknown:
                ends.update(await self._fixes.end_offsets(unknown))
        finally:
            self._until = {**ends, **self._until}

    async def erase(self, covered: dict[TopicPartition, int]) -> None:
        """Delete up to there. A partition is done when all that it held at the withdrawal is gone."""
        wanted = {tp: RecordsToDelete(offset) for tp, offset in covered.items() if offset > 0}
        if not covered:
            return
        try:
            await self._delete(wanted)
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("erasure_waits", error=type(error).__name__)
            return
        for tp, offset in covered.items():
            until = self._until.get(tp)
            if until is not None and offset >= until:
                del self._until[tp]
                log.info("fixes_erased", partition=tp.partition)

    async def _delete(self, wanted: dict[TopicPartition, RecordsToDelete]) -> None:
        if not wanted:
            return
        admin = kafka.admin(self._kafka_url)
        await admin.start()
        try:
            await admin.delete_records(wanted)
        finally:
            await admin.close()
