"""Places that are open to everybody and not booked: libraries. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal
from uuid import UUID

from services.spaces.calendars.domain import Hours

PlaceKind = Literal["library"]


@dataclass(frozen=True)
class Place:
    """One place with its hours; `seats` 0 means not told."""

    id: UUID
    kind: PlaceKind
    name: str
    about: str
    address: str | None
    lat: float
    lon: float
    seats: int
    phone: str
    homepage: str
    hours: Hours
    rest_text: str

    def as_row(self) -> dict[str, Any]:
        """As the table holds it: hours as pairs of minutes."""
        return {**asdict(self), "hours": self.hours.as_kept()}
