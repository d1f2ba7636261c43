"""`digests.v1`: what a citizen's daily budget left over, once a day at their hour. Sending it anywhere starts here."""

from __future__ import annotations

from datetime import date
from typing import ClassVar
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import AwareDatetime, Field

from shared.contracts.alert import DISTANCE_STEP_M
from shared.contracts.base import DAY_MS, CitizenId, Event, Kind, Part, Text, Topic
from shared.contracts.posting import Shows

DIGESTS = Topic(
    name="digests.v1",
    partitions=8,
    key="citizen id",
    owners=("matching",),
    consumers=("delivery",),
    retention_ms=7 * DAY_MS,
    external=True,
    description="At most one digest per citizen and day (Asia/Seoul). At least once: dedupe by id.",
)

DIGEST_NAMESPACE = uuid5(NAMESPACE_URL, "urn:gwangsan:digest")
MOST_ITEMS = 100


def digest_id(citizen_id: str, day: date) -> UUID:
    """The same citizen and day always give the same id."""
    return uuid5(DIGEST_NAMESPACE, f"{citizen_id}\n{day.isoformat()}")


class DigestItem(Part):
    """One posting in its newest version, open when the digest was made. `distance_m` is a bucket, as in an alert.

    `located`: told because of where the citizen was, not by their home 동, a channel they follow or what they asked.
    """

    alert_id: UUID
    posting_id: UUID
    posting_version: int = Field(ge=1)
    urgent: bool = False
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
    located: bool = True


class Digest(Event):
    """One citizen's digest of one day: urgent ones first, then the newest. `more` are in the inbox and not listed here."""

    TYPE: ClassVar[str] = "kr.gwangsan.digest.v1"
    TOPIC: ClassVar[str] = DIGESTS.name

    id: UUID
    citizen_id: CitizenId
    day: date
    items: tuple[DigestItem, ...] = Field(min_length=1, max_length=MOST_ITEMS)
    more: int = Field(default=0, ge=0)
    made_at: AwareDatetime

    def topic_key(self) -> str:
        return self.citizen_id
