"""What the API of statistics takes and gives."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field

from services.spaces.bookings.domain import check_years
from services.spaces.calendars.domain import Span
from services.spaces.desk.domain import Usage
from shared.rules import Refused
from shared.web.bodies import Body, Moment

MOST_DAYS = 92
MONTH = timedelta(days=30)


class Wanted(Body):
    """The last 30 days unless said; at most 92 days; of one space, or of all of the institution's."""

    since: Moment | None = None
    until: Moment | None = None
    space_id: UUID | None = None
    format: Literal["json", "csv"] = "json"

    def span(self, now: datetime) -> Span:
        """Raises Refused for a range that is reversed or too long."""
        try:
            until = self.until or (now if self.since is None else self.since + MONTH)
            since = self.since or until - MONTH
        except OverflowError:
            raise Refused("since", "time-range", "달력 밖의 시각입니다 / outside the calendar") from None
        check_years(Span(since, until))
        if until <= since:
            raise Refused("until", "reversed", "끝이 시작보다 늦어야 합니다 / a range ends after it begins")
        if until - since > timedelta(days=MOST_DAYS):
            raise Refused("until", "too-long", f"{MOST_DAYS}일까지 볼 수 있습니다 / at most so many days at once")
        return Span(since, until)


WantedUsage = Annotated[Wanted, Query()]


class CellView(BaseModel):
    """One hour of one weekday, Monday is 0; minutes of all units together."""

    weekday: int
    hour: int
    open_minutes: float
    booked_minutes: float
    rate: float | None


class UsageView(BaseModel):
    since: datetime
    until: datetime
    occupancy: float | None = Field(description="booked of open minutes; null where nothing was open")
    no_show_rate: float | None = Field(description="no-shows among those whose time came")
    states: dict[str, int]
    cells: list[CellView]

    @classmethod
    def of(cls, usage: Usage, span: Span) -> UsageView:
        cells = [CellView(**{name: getattr(cell, name) for name in CellView.model_fields}) for cell in usage.cells]
        return cls(
            since=span.starts_at, until=span.ends_at, occupancy=usage.occupancy, no_show_rate=usage.no_show_rate,
            states=dict(usage.states), cells=cells,
        )  # fmt: skip
