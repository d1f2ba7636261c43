"""What the API of work takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from services.jobs.claims.models import Reason
from services.jobs.work.domain import MOST_MINUTES, Line
from shared.web.bodies import Body, Moment, Number

Minutes = Annotated[int, Field(ge=0, le=MOST_MINUTES), Number]


class CheckBody(Body):
    code: Annotated[str, StringConstraints(min_length=1, max_length=40, strip_whitespace=True)]
    scanned_at: Moment | None = Field(default=None, description="when it was read, where it is sent later")


class HoursBody(Body):
    minutes: Minutes


class SettleBody(Body):
    minutes: Minutes
    reason: Reason


class CodeView(BaseModel):
    """The code to show at the place now; `qr` is the text of the QR."""

    code: str
    qr: str
    until: datetime
    step_s: int


class LineView(BaseModel):
    id: UUID
    claim_id: UUID
    posting_id: UUID
    month: str
    minutes: int
    pay_krw: int
    reverses: UUID | None
    because: str | None
    entered_at: datetime

    @classmethod
    def of(cls, line: Line) -> LineView:
        return cls(**{name: getattr(line, name) for name in cls.model_fields})


class LedgerView(BaseModel):
    """A month of one's own: its lines, their sums, and what the month allows."""

    month: str
    lines: list[LineView]
    minutes: int
    pay_krw: int
    cap_minutes: int
    cap_krw: int
