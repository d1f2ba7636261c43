"""What happens to a posting, in the caller's transaction: the rules asked, the row saved, the platform told."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from services.jobs.events import tell_poster
from services.jobs.parts import JobsParts
from services.jobs.postings import domain, store
from services.jobs.postings.domain import JobPosting
from services.jobs.postings.models import PostingDraft, PostingEdit
from services.jobs.postings.store import postings
from services.jobs.rules.checking import refuse_broken
from shared.auth import Principal
from shared.offers.desk import Desk

desk = Desk("posting", source="/services/jobs", store=postings, as_posting=domain.as_posting)


async def open_job(
    tx: AsyncConnection,
    draft: PostingDraft,
    officer: Principal,
    parts: JobsParts,
    *,
    id_: UUID | None = None,
    series_id: UUID | None = None,
) -> JobPosting:
    """A new posting. Raises a 422 problem with every rule it breaks."""
    now, institution, terms = parts.clock(), str(officer.institution), draft.terms(series_id)
    await refuse_broken(tx, terms, institution, now, new=not draft.not_a_duplicate)
    job = domain.open_posting(
        id_ or uuid4(), terms, institution=institution, posted_by=officer.subject, now=now,
        plan=parts.settings.widening(),
    )  # fmt: skip
    await desk.open(tx, job)
    return job


async def edit_job(tx: AsyncConnection, before: JobPosting, edit: PostingEdit, parts: JobsParts) -> JobPosting:
    """A locked posting under changed terms. Raises a 422 problem with every rule they break."""
    now, taken = parts.clock(), await store.taken_of(tx, before.id)
    plan, changes = parts.settings.widening(), edit.of_terms()
    terms = domain.edited_terms(before, changes)
    if terms != before.terms:
        await refuse_broken(tx, terms, before.institution, now, except_id=before.id, new=False)
    after = domain.edit(before, changes, now, taken=taken, plan=plan)
    await desk.change(tx, before, after)
    return after


async def remind_posters(tx: AsyncConnection, parts: JobsParts) -> int:
    """Tell those whose posting expires soon with places still free; each once. Returns how many."""
    now, ahead = parts.clock(), timedelta(hours=parts.settings.jobs_remind_before_h)
    ids = await store.expiring(tx, now, now + ahead, now - ahead)
    for id_ in ids:
        await tell_poster(tx, await desk.find(tx, id_), "expiring", now)
    return len(ids)
