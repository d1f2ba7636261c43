"""What the API of imports gives."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from shared.web.bodies import Body

Mode = Literal["dry-run", "all-or-nothing", "valid-rows"]
SourceName = Literal["facilities", "libraries"]
SHOWN_ERRORS = 1_000


class RowErrorView(BaseModel):
    line: int
    column: str
    rule: str
    detail: str


class NearView(BaseModel):
    """A row that is nearly something known, within 25 m: an officer decides."""

    line: int
    name: str
    near_id: UUID
    near_name: str
    distance_m: float


class ImportReport(BaseModel):
    """What a file did, or would do. `errors` and `notes` are the first thousand; the numbers count rows.

    `elsewhere` are rows of the nation's file outside the district; `offered` wait for an officer as near-duplicates.
    """

    id: UUID
    source: SourceName
    mode: Mode
    applied: bool
    rows: int
    created: int
    changed: int
    unchanged: int
    offered: int
    elsewhere: int
    refused: int
    errors: list[RowErrorView]
    notes: list[RowErrorView]
    near: list[NearView]


class ImportView(BaseModel):
    id: UUID
    source: SourceName
    at: datetime
    rolled_back_at: datetime | None
    report: ImportReport


class KeptThing(BaseModel):
    id: UUID
    why: str


class RollbackView(BaseModel):
    """What was taken back; what is booked, or closed meanwhile, stays as it is."""

    id: UUID
    removed: int
    restored: int
    kept: list[KeptThing]


class OfferView(BaseModel):
    """A near-duplicate that waits for a decision, or had one."""

    id: UUID
    source: SourceName
    name: str
    near_id: UUID
    near_name: str
    distance_m: float
    at: datetime
    decided: Literal["merge", "separate", "withdrawn"] | None
    decided_at: datetime | None


class Decision(Body):
    """`merge`: the row is the known one from now on. `separate`: it is made a thing of its own."""

    decision: Literal["merge", "separate"]


class FeedView(BaseModel):
    """When a source last had rows and last had anything new or changed. `stale`: rows, but no news for too long."""

    source: SourceName
    last_at: datetime
    last_rows: int
    news_at: datetime
    stale: bool
