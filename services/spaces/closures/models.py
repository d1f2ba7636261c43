"""What the API of closures takes and gives."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from services.spaces.closures.domain import Fate
from shared.web.bodies import Body, Moment, YesNo

Mode = Literal["dry-run", "apply"]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=150, strip_whitespace=True)]
PlaceName = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


class ClosingBody(Body):
    """Shut spaces, or a whole building by its name, for a span. `rebook`: whoever is affected is moved where that is possible."""

    space_ids: Annotated[tuple[UUID, ...], Field(max_length=200)] = ()
    place: PlaceName | None = None
    starts_at: Moment
    ends_at: Moment
    reason: Reason
    rebook: YesNo = True

    @model_validator(mode="after")
    def names_what_is_shut(self) -> ClosingBody:
        if bool(self.space_ids) == (self.place is not None):
            raise PydanticCustomError("spaces", "either space_ids or the name of a place")
        return self


class HolidayBody(Body):
    """A day declared a public holiday."""

    day: Annotated[date, Field(ge=date(2020, 1, 1), le=date(2099, 12, 31))]
    name: Annotated[str, StringConstraints(min_length=2, max_length=50, strip_whitespace=True)]
    rebook: YesNo = True


class SettlingBody(Body):
    """Settle the bookings that a space's calendar does not allow (any more)."""

    reason: Reason
    rebook: YesNo = True


class AffectedView(BaseModel):
    """One booking and what becomes of it. Somebody who is in the room now is left there."""

    booking_id: UUID
    space_id: UUID
    starts_at: datetime
    ends_at: datetime
    becomes: Literal["moved", "cancelled", "left"]
    moved_to: UUID | None
    moved_to_headline: str | None

    @classmethod
    def of(cls, fate: Fate) -> AffectedView:
        becomes = "left" if fate.after is None else "moved" if fate.space is not None else "cancelled"
        return cls.model_validate({
            "booking_id": fate.before.id, "space_id": fate.before.space_id, "starts_at": fate.before.starts_at,
            "ends_at": fate.before.ends_at, "becomes": becomes, "moved_to": fate.space and fate.space.id,
            "moved_to_headline": fate.space and fate.space.terms.headline,
        })  # fmt: skip


class SettlingReport(BaseModel):
    """What becomes, or would become, of the bookings to come that the calendar does not allow."""

    mode: Mode
    applied: bool
    space_id: UUID
    affected: list[AffectedView]


class ClosedSpace(BaseModel):
    closure_id: UUID
    space_id: UUID


class ClosureReport(BaseModel):
    """What a closure does, or would do: a dry run lists whom it affects and changes nothing."""

    mode: Mode
    applied: bool
    closures: list[ClosedSpace]
    affected: list[AffectedView]


class HolidayReport(BaseModel):
    """What a newly declared holiday does, or would do."""

    mode: Mode
    applied: bool
    day: date
    name: str
    affected: list[AffectedView]


class ClosureView(BaseModel):
    """A closure of one space, as its officers see it."""

    id: UUID
    space_id: UUID
    starts_at: datetime
    ends_at: datetime
    reason: str
    source: Literal["officer", "calendar"]
    made_at: datetime
    lifted_at: datetime | None
