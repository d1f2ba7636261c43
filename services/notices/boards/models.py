"""What the API of boards takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import Row

from services.notices.boards.domain import Kind
from services.notices.publishing.models import Channel, DongCode
from shared.offers.models import Interests
from shared.web.bodies import Body


class BoardBody(Body):
    """A board to be read. What comes becomes drafts of the channel, for the 행정동 named, else for its followers."""

    url: Annotated[str, Field(min_length=10, max_length=1_000, description="of its RSS or Atom, or of 재난문자")]
    kind: Kind = "feed"
    channel: Channel | None = Field(default=None, description="the institution when left out")
    dongs: tuple[DongCode, ...] = Field(default=(), max_length=42)
    topics: Interests = ()


class BoardView(BaseModel):
    """`state` failing: it did not answer as a board does so often in a row that somebody should look."""

    id: UUID
    url: str
    kind: Kind
    channel: str
    dongs: list[str]
    topics: list[str]
    state: Literal["new", "ok", "failing"]
    failures: int
    failed_because: str | None
    failed_at: datetime | None
    read_at: datetime | None
    due_at: datetime
    created_at: datetime

    @classmethod
    def of(cls, row: Row[Any], failing_after: int) -> Self:
        state = "failing" if row.failures >= failing_after else "new" if row.read_at is None else "ok"
        return cls.model_validate({**row._asdict(), "state": state}, extra="ignore")


class BoardItemView(BaseModel):
    """What came, and its draft; `skipped` says why there is none."""

    headline: str
    draft_id: UUID | None
    skipped: str | None
    seen_at: datetime
    changed_at: datetime


class ReadReport(BaseModel):
    """What a look at a board, or a file of it, brought."""

    items: int
    new: int
    changed: int
    unchanged: int
    skipped: int
