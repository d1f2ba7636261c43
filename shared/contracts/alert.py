"""`alerts.v1`: what was told to whom and why. Delivery, digests and your own consumer start here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar, Literal
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import AwareDatetime, Field

from shared.contracts.base import DAY_MS, CitizenId, Event, Kind, Part, Text, Topic
from shared.contracts.posting import Shows

ALERTS = Topic(
    name="alerts.v1",
    partitions=8,
    key="citizen id",
    owners=("matching",),
    consumers=("matching", "jobs", "delivery", "examples"),
    retention_ms=7 * DAY_MS,
    external=True,
    description="One alert per (citizen, posting, urgency epoch). At least once: dedupe by id.",
)

ALERT_NAMESPACE = uuid5(NAMESPACE_URL, "urn:gwangsan:alert")
DISTANCE_STEP_M = 100

Cause = Literal["citizen_moved", "posting_changed", "watch_changed", "window_began", "caught_up"]
Rule = Literal["within_radius", "in_dong", "home_dong", "following"]


def alert_id(citizen_id: str, posting_id: UUID, urgency_epoch: int) -> UUID:
    """The same citizen, posting and urgency epoch always give the same id, whoever computes it and however often."""
    return uuid5(ALERT_NAMESPACE, f"{citizen_id}\n{posting_id}\n{urgency_epoch}")


def reminder_id(alert: UUID, deadline: datetime) -> UUID:
    """Of the alert that reminds of another one's deadline: another one only for another deadline."""
    return uuid5(ALERT_NAMESPACE, f"{alert}\nreminder\n{deadline.astimezone(UTC).isoformat()}")


def distance_bucket_m(distance_m: float) -> int:
    """Straight-line distance rounded up to the next 100 m step, at least one step (J3, M10)."""
    return max(1, -(-int(distance_m * 1000) // (DISTANCE_STEP_M * 1000))) * DISTANCE_STEP_M


class Why(Part):
    """Enough to answer "왜 받았나요?" (M8): the rule and the cause, and the version of the settings that were met.

    `reach_m` is how far the posting could reach this citizen: its widest circle then, at most the citizen's own radius.
    It is a setting of theirs, never a distance. None where the rule is the 행정동 they are in, the one they chose as home, or
    the channel they follow. `asked`: an institution answered what they asked it; the rule is then `following`, as no position and
    no consent to location has a part in it.
    """

    cause: Cause
    watch_version: int = Field(ge=0)
    rule: Rule | None = None
    reach_m: int | None = Field(default=None, ge=50)
    matched_interests: tuple[str, ...] = ()
    window_starts_at: AwareDatetime | None = None
    window_ends_at: AwareDatetime | None = None
    asked: bool = False


class Alert(Event):
    """One alert. `distance_m` is a bucket (100 m steps, straight line); None where the posting names 행정동, not a point.

    A `reminder` tells again, before the deadline, of what was told and not opened; it has an id of its own (`reminder_id`).
    `deferred_until` is set in the citizen's quiet hours: nothing may be shown before, and the posting is checked again.
    """

    TYPE: ClassVar[str] = "kr.gwangsan.alert.v1"
    TOPIC: ClassVar[str] = ALERTS.name

    id: UUID
    citizen_id: CitizenId
    posting_id: UUID
    posting_version: int = Field(ge=1)
    urgency_epoch: int = Field(ge=0)
    urgent: bool = False
    emergency: bool = False
    reminder: bool = False
    kind: Kind
    headline: Text
    institution: str
    distance_m: int | None = Field(default=None, ge=DISTANCE_STEP_M)
    dong: str | None = None
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None
    expires_at: AwareDatetime
    shows: Shows = Shows()
    link: str
    why: Why
    deferred_until: AwareDatetime | None = None
    caused_at: AwareDatetime
    made_at: AwareDatetime

    def topic_key(self) -> str:
        return self.citizen_id
