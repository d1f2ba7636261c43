"""`locations.v1`: fixes of consenting citizens, kept for minutes. The only topic that carries a coordinate of a person."""

from __future__ import annotations

from typing import ClassVar

from pydantic import AwareDatetime, Field

from shared.contracts.base import MINUTE_MS, CitizenId, Event, Lat, Lon, Topic

LOCATIONS = Topic(
    name="locations.v1",
    partitions=8,
    key="citizen id",
    owners=("matching",),
    consumers=("matching",),
    retention_ms=10 * MINUTE_MS,
    private=True,
    description="Accepted fixes, minutes only. `consent_epoch` is the consent under which the fix was taken in.",
    extra={"segment.ms": "60000"},
)


class Fix(Event):
    """One position. `observed_at` is the device's time, already clamped to the server's clock (M3)."""

    TYPE: ClassVar[str] = "kr.gwangsan.fix.v1"
    TOPIC: ClassVar[str] = LOCATIONS.name

    citizen_id: CitizenId
    lat: Lat
    lon: Lon
    accuracy_m: float = Field(ge=0, allow_inf_nan=False)
    observed_at: AwareDatetime
    received_at: AwareDatetime
    consent_epoch: int = Field(ge=1)

    def topic_key(self) -> str:
        return self.citizen_id
