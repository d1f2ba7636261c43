"""What the API of statistics takes and gives."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from functools import partial
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StringConstraints
from pydantic_core import PydanticCustomError

from services.notices.publishing.models import Channel, Link
from services.notices.statistics.domain import MOST_FIGURES, About, Figure, Measure, Statistic
from services.notices.statistics.figures import MOST_GROUP, group_of, value_of
from services.notices.statistics.files import RowError
from services.notices.statistics.periods import Every, period_of
from services.notices.statistics.revisions import Change, Revision
from services.notices.statistics.table import Card, Cell, Line
from shared.rules import Refused
from shared.web.bodies import Body, YesNo

Mode = Literal["dry-run", "all-or-nothing", "valid-rows"]
SHOWN_ERRORS = 1_000


def _printable(text: str) -> str:
    """Nothing that turns the direction of a line, hides in it, or cannot be written into XML."""
    text = unicodedata.normalize("NFC", text)
    if not text.replace("\n", "").isprintable():
        raise PydanticCustomError("printable", "text holds characters that cannot be seen")
    return text


_stripped = partial(StringConstraints, strip_whitespace=True)
_Printable = AfterValidator(_printable)
Title = Annotated[str, _stripped(min_length=1, max_length=100), _Printable]
Unit = Annotated[str, _stripped(min_length=1, max_length=20), _Printable]
Note = Annotated[str, _stripped(max_length=1_000), _Printable]
Reason = Annotated[str, _stripped(max_length=300), _Printable]
AsOf = Annotated[date, Field(description="the day of which the figures are, in Seoul; not in the future")]


class PointBody(Body):
    """A figure; the group left out is all together."""

    period: Annotated[
        str, Field(min_length=4, max_length=20, description="2026, 2026-H1, 2026-Q1, 2026-03 or 2026-03-05")
    ]
    group: Annotated[str, Field(max_length=MOST_GROUP)] = ""
    value: Annotated[str, Field(min_length=1, max_length=30, description="as text no digit is lost")] | int | float
    provisional: YesNo = Field(default=False, description="잠정: expected to change")

    def figure(self, every: Every) -> Figure:
        period, group = period_of(self.period, every), group_of(self.group)
        return Figure(period, group, value_of(str(self.value)), self.provisional)


class SeriesBody(Body):
    """A whole series: what is not in it is taken out. Counts under the limit are given as they are; they are not shown."""

    title: Title
    unit: Unit
    source: Title
    source_url: Link | None = None
    note: Note = ""
    as_of: AsOf
    points: Annotated[tuple[PointBody, ...], Field(min_length=1, max_length=MOST_FIGURES)]

    def figures(self, every: Every) -> list[Figure]:
        """Raises Refused, naming the point."""
        found = []
        for n, point in enumerate(self.points):
            try:
                found.append(point.figure(every))
            except Refused as refused:
                raise Refused(f"points.{n}.{refused.field}", refused.rule, refused.detail) from None
        return found


class StatisticBody(SeriesBody):
    """A new card. `measure`, `every` and `adds_up` stay what they are; what they decide was told."""

    channel: Channel | None = Field(default=None, description="the institution when left out")
    measure: Measure = Field(
        "count", description="count: of people or cases, small ones hidden; number: rates, amounts, all shown"
    )
    every: Every
    adds_up: YesNo = Field(default=False, description="the figures of a year's parts make the year's")

    def about(self) -> About:
        return About(
            self.title, self.unit, self.measure, self.every, self.source, self.source_url, self.note, self.adds_up
        )


class StatisticEdit(SeriesBody):
    """The card as it is to be, and why."""

    reason: Reason = ""


class CellView(BaseModel):
    """`hidden`: not shown, so that nobody can be made out (under the limit, or beside such a figure)."""

    value: float | None
    hidden: bool
    provisional: bool

    @classmethod
    def of(cls, cell: Cell) -> Self:
        value = None if cell.value is None else float(cell.value)
        return cls(value=value, hidden=cell.hidden, provisional=cell.provisional)


def cell_view(cell: Cell | None) -> CellView | None:
    return None if cell is None else CellView.of(cell)


class LineView(BaseModel):
    period: str
    total: CellView | None
    groups: dict[str, CellView]

    @classmethod
    def of(cls, line: Line) -> Self:
        groups = {name: CellView.of(cell) for name, cell in line.groups.items()}
        return cls(period=line.period, total=cell_view(line.total), groups=groups)


class CardView(BaseModel):
    """A statistic card: its newest figure, where it is from and of when. `edited_at`: what it had said was changed (수정됨)."""

    id: UUID
    institution: str
    channel: str
    version: int
    title: str
    unit: str
    measure: Measure
    every: Every
    adds_up: bool
    source: str
    source_url: str | None
    note: str
    as_of: date
    least: int
    period: str | None
    value: CellView | None
    created_at: datetime
    changed_at: datetime
    edited_at: datetime | None

    @classmethod
    def told(cls, card: Card) -> dict[str, Any]:
        statistic: Statistic = card.statistic
        period, value = card.headline or (None, None)
        same = {name: getattr(statistic, name) for name in cls.model_fields if hasattr(statistic, name)}
        return {**same, **asdict(statistic.about), "period": period, "value": cell_view(value)}

    @classmethod
    def of(cls, card: Card) -> Self:
        return cls(**cls.told(card))


class StatisticView(CardView):
    """The card with its table. `sums`: of whole years, where the figures add up."""

    groups: tuple[str, ...]
    table: list[LineView]
    sums: list[LineView]

    @classmethod
    def of(cls, card: Card) -> Self:
        lines, sums = ([LineView.of(line) for line in some] for some in (card.lines, card.sums))
        return cls(**cls.told(card), table=lines, sums=sums)


class ChangeView(BaseModel):
    """A figure that was told otherwise before; null where there was or is none."""

    period: str
    group: str
    before: CellView | None
    after: CellView | None

    @classmethod
    def of(cls, change: Change) -> Self:
        before, after = cell_view(change.before), cell_view(change.after)
        return cls(period=change.period, group=change.group, before=before, after=after)


class RevisionView(BaseModel):
    """A version: what it changed of what was said, and how much it added. `changes` are the first five hundred."""

    version: int
    at: datetime
    as_of: date
    channel: str
    institution: str
    reason: str
    kind: Literal["first", "correction", "final", "addition", "words"]
    words: list[str]
    added: int
    changed: int
    changes: list[ChangeView]

    @classmethod
    def of(cls, revision: Revision, statistic: Statistic) -> Self:
        told = {name: getattr(revision, name) for name in cls.model_fields if hasattr(revision, name)}
        changes = [ChangeView.of(change) for change in revision.changes[:500]]
        whose = {"channel": statistic.channel, "institution": statistic.institution}
        return cls(**{**told, **whose, "changed": len(revision.changes), "changes": changes})


class RowErrorView(BaseModel):
    line: int
    column: str
    rule: str
    detail: str

    @classmethod
    def of(cls, error: RowError) -> Self:
        return cls(**asdict(error))


class SeriesReport(BaseModel):
    """What a file did, or would do. `errors` are the first thousand; `refused` counts the rows, `missing` those without a
    figure, `hidden` the figures that the card does not show.
    """

    mode: Mode
    applied: bool
    rows: int
    added: int
    changed: int
    unchanged: int
    refused: int
    missing: int
    hidden: int
    version: int
    errors: list[RowErrorView]


def errors_of(errors: Sequence[RowError]) -> list[RowErrorView]:
    return [RowErrorView.of(error) for error in errors[:SHOWN_ERRORS]]
