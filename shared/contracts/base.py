"""What a topic and an event are. Every contract module declares its topic beside its events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

MINUTE_MS = 60_000
DAY_MS = 86_400_000

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
NO_NUL = r"^[^\x00]*$"  # PostgreSQL's text cannot hold it; every consumer may keep what it is told
Line = Annotated[str, StringConstraints(pattern=NO_NUL)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True, pattern=NO_NUL)]
CitizenId = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_NUL)]
Lat = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Lon = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Kind = Literal["job", "space", "notice"]


class Part(BaseModel):
    """A value inside an event: frozen; unknown fields are ignored (consumers run ahead of producers), missing refused."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="null")


class Event(Part):
    """The payload of one record. `TYPE` is the CloudEvents type; `topic_key` says which records keep their order."""

    TYPE: ClassVar[str]
    TOPIC: ClassVar[str]

    def topic_key(self) -> str:
        raise TypeError(f"{type(self).__name__} declares no key")


@dataclass(frozen=True)
class Topic:
    """A topic as it must be on the broker. `external` marks topics whose consumers live outside this repository too;
    `private` those that carry a position of a person: nothing of their records is kept anywhere else."""

    name: str
    partitions: int
    key: str
    owners: tuple[str, ...]
    consumers: tuple[str, ...]
    compacted: bool = False
    retention_ms: int | None = None
    external: bool = False
    private: bool = False
    description: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    def config(self) -> dict[str, str]:
        """The broker's settings for this topic: cleanup policy and retention, as strings."""
        policy = "compact" if self.compacted else "delete"
        if self.compacted and self.retention_ms is not None:
            policy = "compact,delete"
        retention = "-1" if self.retention_ms is None else str(self.retention_ms)
        return {"cleanup.policy": policy, "retention.ms": retention, **self.extra}


class Window(Part):
    """A span of time, UTC with zone; the start is inside, the end is not."""

    starts_at: AwareDatetime
    ends_at: AwareDatetime
