"""What the API of imports gives."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

Mode = Literal["dry-run", "all-or-nothing", "valid-rows"]
SHOWN_ERRORS = 1_000


class RowErrorView(BaseModel):
    line: int
    column: str
    rule: str
    detail: str


class ImportReport(BaseModel):
    """What a file did, or would do. `errors` are the first thousand; `refused` counts the rows."""

    id: UUID
    source: str
    mode: Mode
    applied: bool
    rows: int
    created: int
    changed: int
    unchanged: int
    refused: int
    errors: list[RowErrorView]


class ImportView(BaseModel):
    id: UUID
    source: str
    at: datetime
    rolled_back_at: datetime | None
    report: ImportReport


class KeptPosting(BaseModel):
    posting_id: UUID
    why: str


class RollbackView(BaseModel):
    """What was taken back; a posting with claims, or changed since, stays as it is."""

    id: UUID
    cancelled: int
    restored: int
    kept: list[KeptPosting]
