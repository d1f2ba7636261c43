"""`follows.v1`: which channels a citizen follows, as they chose it at the notices service (N2, N8)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import AwareDatetime, Field

from shared.contracts.base import CitizenId, Event, Line, Topic

FOLLOWS = Topic(
    name="follows.v1",
    partitions=8,
    key="citizen id",
    owners=("notices",),
    consumers=("matching",),
    compacted=True,
    description="The channels each citizen follows, whole; matching makes them part of the citizen's watch.",
    extra={"min.cleanable.dirty.ratio": "0.1", "segment.ms": "3600000"},
)


class Follows(Event):
    """All the channels of one citizen; `version` rises by one with each change."""

    TYPE: ClassVar[str] = "kr.gwangsan.follows.v1"
    TOPIC: ClassVar[str] = FOLLOWS.name

    citizen_id: CitizenId
    version: int = Field(ge=1)
    channels: tuple[Line, ...] = Field(default=(), max_length=200)
    changed_at: AwareDatetime

    def topic_key(self) -> str:
        return self.citizen_id
