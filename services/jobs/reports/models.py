"""What the API of reports and moderation takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, StringConstraints

from services.jobs.reports.domain import Reason, Report, State
from shared.web.bodies import Body

Kind = Literal["citizen", "institution"]


class ReportBody(Body):
    reason: Reason
    detail: Annotated[str, StringConstraints(max_length=1_000, strip_whitespace=True)] = ""


class ReportReceipt(BaseModel):
    """What the reporter is told: that it arrived."""

    id: UUID
    posting_id: UUID
    state: State
    created_at: datetime

    @classmethod
    def of(cls, report: Report) -> ReportReceipt:
        return cls(id=report.id, posting_id=report.posting_id, state=report.state, created_at=report.created_at)


class ReportView(ReportReceipt):
    """As moderation sees it."""

    institution: str
    reporter: str
    reason: Reason
    detail: str
    changed_at: datetime

    @classmethod
    def of(cls, report: Report) -> ReportView:
        return cls(**{name: getattr(report, name) for name in cls.model_fields})


class BlockedView(BaseModel):
    kind: Kind
    name: str
    reason: str
    by_whom: str
    since: datetime


class AuditView(BaseModel):
    id: UUID
    at: datetime
    moderator: str
    act: str
    subject: str
    reason: str
