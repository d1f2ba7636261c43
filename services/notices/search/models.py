"""What search gives."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Row

from services.notices.search.domain import Query, highlighted, snippet
from shared.offers.domain import Status


class PieceView(BaseModel):
    """A stretch of plain text; `found` is to be marked."""

    text: str
    found: bool


class FoundView(BaseModel):
    """A notice that holds every word that was asked for."""

    id: UUID
    headline: list[PieceView]
    snippet: list[PieceView]
    institution: str
    channel: str
    status: Status
    emergency: bool
    urgent: bool
    created_at: datetime
    edited_at: datetime | None
    expires_at: datetime

    @classmethod
    def of(cls, row: Row[Any], query: Query) -> FoundView:
        body = "\n".join(filter(None, (row.body, row.summary)))
        pieces = {"headline": highlighted(row.headline, query), "snippet": snippet(body, query)}
        return cls.model_validate({**row._asdict(), **pieces}, from_attributes=True)
