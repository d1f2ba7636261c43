"""What moderation does, in the caller's transaction: the report, its posting and the audit trail together."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.jobs.claims.handlers import cancel_claims, locked_posting
from services.jobs.events import tell, tell_poster
from services.jobs.postings.domain import JobPosting
from services.jobs.postings.handlers import desk
from services.jobs.postings.store import taken_of
from services.jobs.reports import domain, store
from services.jobs.reports.domain import Act, Report
from services.jobs.reports.models import ReportBody
from shared.auth import Principal
from shared.rules import Conflict
from shared.web.problems import not_found


async def take_report(
    tx: AsyncConnection, id_: UUID, posting_id: UUID, reporter: str, body: ReportBody, now: datetime
) -> Report:
    posting = await desk.find(tx, posting_id)
    report = Report(id_, posting_id, posting.institution, reporter, body.reason, body.detail, "open", now, now)
    if not await store.add(tx, report):
        raise Conflict("posting_id", "reported-already", "this posting was reported by you already")
    await tell(tx, domain.as_event(report), now)
    return report


async def moderate(
    tx: AsyncConnection, report_id: UUID, act: Act, reason: str, moderator: Principal, now: datetime
) -> Report:
    """The posting is locked first, as everywhere, then the report."""
    seen = await store.get(tx, report_id)
    if seen is None:
        raise not_found("report")
    posting = await locked_posting(tx, seen.posting_id)
    report = await store.get(tx, report_id, for_update=True) or seen
    after = domain.moderated(report, act, now)
    await store.save(tx, after)
    await tell(tx, domain.as_event(after), now)
    await _do(tx, posting, act, now)
    await store.note(tx, moderator=moderator.subject, act=act, subject=f"posting:{posting.id}", reason=reason, at=now)
    await tell_poster(tx, posting, after.state if after.state != "open" else "held", now, because=reason)
    return after


async def _do(tx: AsyncConnection, posting: JobPosting, act: Act, now: datetime) -> None:
    if act == "hold":
        await store.hold(tx, posting.id, posting.status, posting.closed_because)
        await desk.change(tx, posting, domain.held(posting, now))
    elif act == "release":
        was = await store.unhold(tx, posting.id)
        if was is not None:
            taken = await taken_of(tx, posting.id)
            await desk.change(tx, posting, domain.released(posting, *was, taken, now))
    else:
        await store.unhold(tx, posting.id)
        after = domain.removed(posting, now)
        await desk.change(tx, posting, after)
        await cancel_claims(tx, after, domain.REMOVED, now)
