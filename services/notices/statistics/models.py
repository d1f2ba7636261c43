"""What the API of statistics takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from services.notices.publishing.models import Channel, Link
from services.notices.statistics.domain import (
    MOST_POINTS,
    About,
    Cell,
    Every,
    Line,
    Measure,
    Point,
    Statistic,
    headline,
    period_of,
)
from services.notices.statistics.files import RowError, group_of, value_of
from shared.web.bodies import Body

Mode = Literal["dry-run", "all-or-nothing", "valid-rows"]
SHOWN_ERRORS = 1_000
Short = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]


class PointBody(Body):
    """A figure; the group left out is all together."""

    period: Annotated[str, Field(min_length=4, max_length=20, description="2026, 2026-Q1, 2026-03 or 2026-03-05")]
    group: Annotated[str, Field(max_length=60)] = ""
    value: (
        Annotated[str, Field(min_length=1, max_length=30, description="as text, so that no digit is lost")]
        | int
        | float
    )

    def point(self, every: Every) -> Point:
        return Point(period_of(self.period, every), group_of(self.group), value_of(str(self.value)))


class StatisticBody(Body):
    """A card with its whole series. Counts under the limit may be given: they are kept and not shown."""

    channel: Channel | None = Field(default=None, description="the institution when left out")
    title: Short
    unit: Annotated[str, StringConstraints(min_length=1, max_length=20, strip_whitespace=True)]
    measure: Measure = Field(
        "count", description="count: of people or cases, small ones hidden; number: rates, amounts"
    )
    every: Every
    source: Short
    source_url: Link | None = None
    note: Annotated[str, StringConstraints(max_length=1_000, strip_whitespace=True)] = ""
    as_of: date
    points: Annotated[tuple[PointBody, ...], Field(min_length=1, max_length=MOST_POINTS)]

    def about(self) -> About:
        return About(self.title, self.unit, self.measure, self.every, self.source, self.source_url, self.note)

    def series(self) -> list[Point]:
        return [point.point(self.every) for point in self.points]


class CellView(BaseModel):
    """`hidden`: not shown, so that nobody can be made out (under the limit, or beside such a figure)."""

    value: float | None
    hidden: bool

    @classmethod
    def of(cls, cell: Cell) -> Self:
        return cls(value=None if cell.value is None else float(cell.value), hidden=cell.hidden)


class LineView(BaseModel):
    period: str
    total: CellView
    groups: dict[str, CellView]

    @classmethod
    def of(cls, line: Line) -> Self:
        groups = {name: CellView.of(cell) for name, cell in line.groups.items()}
        return cls(period=line.period, total=CellView.of(line.total), groups=groups)


class CardView(BaseModel):
    """A statistic card: its newest figure, where it is from and of when."""

    id: UUID
    institution: str
    channel: str
    version: int
    title: str
    unit: str
    measure: Measure
    every: Every
    source: str
    source_url: str | None
    note: str
    as_of: date
    period: str | None
    value: CellView | None
    created_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, statistic: Statistic, lines: Sequence[Line]) -> Self:
        newest = headline(lines)
        period, value = (None, None) if newest is None else (newest[0], CellView.of(newest[1]))
        same = {name: getattr(statistic, name) for name in cls.model_fields if hasattr(statistic, name)}
        return cls(**{**same, **vars(statistic.about), "period": period, "value": value})


class StatisticView(CardView):
    table: list[LineView] = []


class RevisionView(BaseModel):
    """What the card said in a version."""

    version: int
    at: datetime
    as_of: date
    title: str
    period: str | None
    value: CellView | None


class RowErrorView(BaseModel):
    line: int
    column: str
    rule: str
    detail: str

    @classmethod
    def of(cls, error: RowError) -> Self:
        return cls(line=error.line, column=error.column, rule=error.rule, detail=error.detail)


class SeriesReport(BaseModel):
    """What a file did, or would do. `errors` are the first thousand; `refused` counts the rows."""

    mode: Mode
    applied: bool
    rows: int
    added: int
    changed: int
    unchanged: int
    refused: int
    version: int
    errors: list[RowErrorView]


def points_of(stored: Sequence[Sequence[str]]) -> tuple[Point, ...]:
    """As the store keeps them: [period, group, figure as text]."""
    return tuple(Point(period, group, Decimal(value)) for period, group, value in stored)
