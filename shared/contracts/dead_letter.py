"""`dead-letters.v1`: records a consumer could not handle, as they came, with the reason in the headers."""

from __future__ import annotations

from shared.contracts.base import DAY_MS, Topic

# Whatever a topic takes (1 MB), and the description beside it.
MAX_BYTES = 2_000_000

DEAD_LETTERS = Topic(
    name="dead-letters.v1",
    partitions=1,
    key="group/topic/partition/offset of the failed record",
    owners=("any consumer",),
    consumers=("./dev dead-letters",),
    compacted=True,
    retention_ms=30 * DAY_MS,
    description="Original key, value and headers; dl_* headers say group, place, reason, attempts. A tombstone drops it.",
    extra={"max.message.bytes": str(MAX_BYTES + 100_000), "segment.ms": "3600000"},
)
