"""What the API of calendar links and imported calendars takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from shared.web.bodies import Body

LinkKind = Literal["bookings", "space"]
Mode = Literal["dry-run", "apply"]
SHOWN = 1_000


class LinkBody(Body):
    """A feed of one's own bookings, or of a space's free/busy."""

    kind: LinkKind
    space_id: UUID | None = None

    @model_validator(mode="after")
    def names_what_it_shows(self) -> LinkBody:
        if (self.space_id is not None) != (self.kind == "space"):
            raise PydanticCustomError("space", "a feed of a space names the space, one of bookings does not")
        return self


class LinkView(BaseModel):
    """A link. `url` is shown once, when it is made: only its hash is kept."""

    id: UUID
    kind: LinkKind
    space_id: UUID | None
    made_at: datetime
    revoked_at: datetime | None
    url: str | None = None


class EventErrorView(BaseModel):
    """`number` counts the events of the file from 1."""

    number: int
    uid: str
    rule: str
    detail: str


class TakenBooking(BaseModel):
    """A booking that a new busy time overlaps; it stands until an officer settles it."""

    id: UUID
    starts_at: datetime
    ends_at: datetime
    state: str


class CalendarImport(BaseModel):
    """What a calendar did to a space, or would do. Times count occurrences, events are those of the file."""

    space_id: UUID
    mode: Mode
    applied: bool
    events: int
    added: int
    lifted: int
    unchanged: int
    cancelled: int
    free: int
    past: int
    stale: list[str] = Field(description="UIDs of which a newer SEQUENCE is known")
    errors: list[EventErrorView]
    affected: list[TakenBooking]
