"""An alert as its citizen sees it, in the inbox and on the live stream alike."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, model_validator
from sqlalchemy import Row

from services.matching.alerts.domain import Language, Made, explain
from services.matching.watches.domain import Muted
from shared.contracts.alert import Cause, Rule, Why
from shared.contracts.base import Kind
from shared.contracts.posting import Shows
from shared.web.bodies import Body, YesNo


class InboxItem(BaseModel):
    """`state`: open, updated (수정됨), closed (마감), or digest: beyond the day's budget, so not streamed. A `reminder` tells
    again, before its deadline, of what was told and not opened.

    `distance_m` is a bucket, straight line (직선거리).
    """

    id: UUID
    posting_id: UUID
    posting_version: int
    urgency_epoch: int
    urgent: bool
    emergency: bool
    reminder: bool
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
    state: Literal["open", "updated", "closed", "digest"]
    closed_because: str | None
    read: bool
    made_at: datetime
    told_at: datetime | None
    changed_at: datetime

    @classmethod
    def of(cls, row: Row[Any]) -> InboxItem:
        return cls.model_validate({**row._asdict(), "read": row.read_at is not None})


class Marking(Body):
    """What a citizen may say of an alert: read or not, acted upon (its link was followed), or not of this kind again."""

    read: YesNo | None = None
    acted: Literal[True] | None = None
    muted: Muted | None = None

    @model_validator(mode="after")
    def says_something(self) -> Self:
        if self.read is None and self.acted is None and self.muted is None:
            raise ValueError("one of read, acted, muted is needed")
        if self.acted and self.read is False:
            raise ValueError("what was acted upon was read")
        return self


class WhyView(BaseModel):
    """Answers "왜 받았나요?": the rule that made it, one's own settings as they were, and the posting's version."""

    alert_id: UUID
    text: str
    ko: list[str]
    en: list[str]
    rule: Rule
    cause: Cause
    reach_m: int | None
    matched_interests: tuple[str, ...]
    window_starts_at: datetime | None
    window_ends_at: datetime | None
    watch_version: int
    settings: dict[str, Any] | None
    posting_id: UUID
    posting_version: int
    made_at: datetime

    @classmethod
    def of(cls, row: Row[Any], settings: dict[str, Any] | None, language: Language) -> WhyView:
        why = Why.model_validate(row.why)
        made = Made(
            why, row.distance_m, row.dong, row.made_of_version, row.posting_version, settings, row.reminder, row.emergency
        )  # fmt: skip
        words = {"ko": explain(made, "ko"), "en": explain(made, "en")}
        told = why.model_dump(exclude={"rule"})
        return cls.model_validate({
            **told, **words, "alert_id": row.id, "text": " ".join(words[language]), "settings": settings,
            "rule": why.rule or ("in_dong" if row.distance_m is None else "within_radius"),
            "posting_id": row.posting_id, "posting_version": row.made_of_version, "made_at": row.made_at,
        })  # fmt: skip
