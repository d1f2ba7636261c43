"""신고: what moderation may do with a report and with the posting it is about. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.jobs.postings.domain import FILLED, JobPosting
from shared.contracts.job import ReportChanged
from shared.rules import Conflict

Reason = Literal["false-ad", "sales", "hidden-employer", "unsafe", "unpaid", "harassment", "other"]
Act = Literal["hold", "release", "remove"]
State = Literal["open", "held", "released", "removed"]
HELD = "검토 중: 신고가 들어왔습니다"
REMOVED = "운영 규칙에 맞지 않아 내렸습니다"
NEXT: dict[Act, tuple[frozenset[State], State]] = {
    "hold": (frozenset({"open", "released"}), "held"),
    "release": (frozenset({"open", "held"}), "released"),
    "remove": (frozenset({"open", "held"}), "removed"),
}


@dataclass(frozen=True)
class Report:
    """One person's report. Who reported is for nobody but moderation."""

    id: UUID
    posting_id: UUID
    institution: str
    reporter: str
    reason: Reason
    detail: str
    state: State
    created_at: datetime
    changed_at: datetime


def moderated(report: Report, act: Act, now: datetime) -> Report:
    """The report after a moderator's act. Raises Conflict where the act does not fit."""
    allowed, state = NEXT[act]
    if report.state not in allowed:
        raise Conflict("state", "not-now", f"a report that is {report.state} cannot be followed by {act}")
    return replace(report, state=state, changed_at=now)


def held(posting: JobPosting, now: datetime) -> JobPosting:
    """Nobody is told of it while moderation looks; the same posting if that is so already."""
    if posting.closed_because == HELD or posting.terms.cancelled:
        return posting
    return replace(posting, status="closed", closed_because=HELD, version=posting.version + 1, changed_at=now)


def released(posting: JobPosting, was_status: str, was_because: str | None, taken: int, now: datetime) -> JobPosting:
    """As it was before, by what became of its places meanwhile."""
    if posting.closed_because != HELD:
        return posting
    was_open = was_status == "open" or was_because == FILLED
    full = taken >= posting.terms.slots
    after = replace(posting, version=posting.version + 1, changed_at=now)
    if was_open and not full:
        return replace(after, status="open", closed_because=None)
    return replace(after, status="closed", closed_because=FILLED if was_open else was_because)


def removed(posting: JobPosting, now: datetime) -> JobPosting:
    """Off for good."""
    if posting.terms.cancelled:
        return posting
    terms = replace(posting.terms, cancelled=True, widening=None)
    version = posting.version + 1
    return replace(posting, status="closed", closed_because=REMOVED, terms=terms, version=version, changed_at=now)


def as_event(report: Report) -> ReportChanged:
    return ReportChanged(
        id=report.id, posting_id=report.posting_id, institution=report.institution, state=report.state,
        reason=report.reason, changed_at=report.changed_at,
    )  # fmt: skip
