"""An alert as its citizen sees it, in the inbox and on the live stream alike."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Row

from shared.contracts.alert import Why
from shared.contracts.base import Kind
from shared.contracts.posting import Shows
from shared.web.bodies import Body, YesNo


class InboxItem(BaseModel):
    """`state`: open, updated (수정됨) or closed (마감). `distance_m` is a bucket, straight line (직선거리)."""

    id: UUID
    posting_id: UUID
    posting_version: int
    urgency_epoch: int
    urgent: bool
    kind: Kind
    institution: str
    headline: str
    distance_m: int | None
    dong: str | None
    starts_at: datetime | None
    ends_at: datetime | None
    expires_at: datetime
    shows: Shows
    link: str
    why: Why
    state: Literal["open", "updated", "closed"]
    closed_because: str | None
    read: bool
    made_at: datetime
    told_at: datetime | None
    changed_at: datetime

    @classmethod
    def of(cls, row: Row[Any]) -> InboxItem:
        return cls.model_validate({**row._asdict(), "read": row.read_at is not None})


class Marking(Body):
    """What a citizen may change of an alert."""

    read: YesNo
