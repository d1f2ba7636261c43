"""What a file does, in the caller's transaction: rows checked by every rule, then opened, edited, or left as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row as DbRow
from sqlalchemy.ext.asyncio import AsyncConnection

from services.jobs.claims import store as claims
from services.jobs.claims.domain import OVER
from services.jobs.claims.handlers import follow_edit, locked_posting
from services.jobs.imports import store
from services.jobs.imports.domain import NAMES, Row, RowError, column_of, draft_of
from services.jobs.imports.models import SHOWN_ERRORS, ImportReport, KeptPosting, Mode, RollbackView, RowErrorView
from services.jobs.parts import JobsParts
from services.jobs.postings import domain as posts
from services.jobs.postings.domain import JobPosting, Terms
from services.jobs.postings.handlers import desk, edit_job
from services.jobs.postings.models import PostingDraft, PostingEdit
from services.jobs.rules.checking import broken_by, broken_in_itself, is_suspended
from services.jobs.rules.domain import squeezed
from shared.auth import Principal
from shared.geo import district
from shared.rules import Refused
from shared.web.problems import Problem

ROLLED_BACK = "가져오기를 되돌렸습니다"


@dataclass
class Plan:
    """What the rows come to."""

    new: list[tuple[Row, JobPosting]] = field(default_factory=list)
    changed: list[tuple[Row, PostingDraft, DbRow[Any]]] = field(default_factory=list)
    unchanged: int = 0
    errors: list[RowError] = field(default_factory=list)


async def planned(
    tx: AsyncConnection, rows: Sequence[Row], errors: list[RowError], officer: Principal, parts: JobsParts
) -> Plan:
    """Every row for itself: unchanged, changed, new, or wrong and why."""
    now, institution = parts.clock(), str(officer.institution)
    known = await store.known(tx, institution, [row.external_id for row in rows])
    words = {_words(w.headline, w.place_name, w.starts_at) for w in await store.open_words(tx, institution, now)}
    suspended, plan = await is_suspended(tx, institution), Plan(errors=list(errors))
    for row in rows:
        before = known.get(row.external_id)
        if before is not None and before.digest == row.digest():
            plan.unchanged += 1
            continue
        draft = draft_of(row, district())
        wrong = draft if isinstance(draft, list) else _broken(row, draft.terms(), now, suspended)
        if isinstance(draft, list) or wrong:
            plan.errors += wrong
        elif before is not None:
            plan.changed.append((row, draft, before))
        elif _words(draft.headline, draft.place.name, draft.starts_at) in words:
            plan.errors.append(
                RowError(row.line, NAMES["headline"], "suspected-duplicate", "an open posting says the same")
            )
        else:
            plan.new.append((row, _opened(row, draft, officer, parts, now)))
    return plan


def _words(headline: str, place: str, starts_at: datetime) -> tuple[str, str, datetime]:
    return squeezed(headline), squeezed(place), starts_at


def _broken(row: Row, terms: Terms, now: datetime, suspended: bool) -> list[RowError]:
    return [
        RowError(row.line, column_of(one.field), one.rule, one.detail)
        for one in broken_in_itself(terms, now, suspended=suspended)
    ]


def _opened(row: Row, draft: PostingDraft, officer: Principal, parts: JobsParts, now: datetime) -> JobPosting:
    institution = str(officer.institution)
    return posts.open_posting(
        row.posting_id(institution), draft.terms(), institution=institution, posted_by=officer.subject, now=now,
        plan=parts.settings.widening(),
    )  # fmt: skip


async def applied(
    tx: AsyncConnection, plan: Plan, mode: Mode, source: str, officer: Principal, parts: JobsParts
) -> ImportReport:
    """Do what was planned, as far as the mode says; keep the report with it."""
    now, id_, institution = parts.clock(), uuid4(), str(officer.institution)
    doing = mode == "valid-rows" or (mode == "all-or-nothing" and not plan.errors)
    steps: list[dict[str, Any]] = []
    if doing:
        steps = [_step(row, job.id) for row, job in plan.new]
        await store.open_many(tx, [job for _, job in plan.new], now)
        for row, draft, before in list(plan.changed):
            try:
                await _edit(tx, before.posting_id, draft, parts)
                steps.append(_step(row, before.posting_id, before))
            except (Refused, Problem) as error:
                plan.changed.remove((row, draft, before))
                plan.errors.append(RowError(row.line, "-", getattr(error, "rule", "refused"), str(error)))
        if mode == "all-or-nothing" and plan.errors:
            raise refusal(plan.errors)
    report = _report(id_, plan, mode, source, doing)
    if doing:
        values = {"id": id_, "institution": institution, "source": source, "by": officer.subject, "at": now}
        await store.add_import(tx, values, report.model_dump(mode="json"))
        await store.add_steps(tx, institution, id_, steps)
    return report


def _step(row: Row, posting_id: UUID, before: DbRow[Any] | None = None) -> dict[str, Any]:
    return {
        "external_id": row.external_id, "posting_id": posting_id, "digest": row.digest(), "row": dict(row.cells),
        "before": before and before.row, "before_digest": before and before.digest,
    }  # fmt: skip


async def _edit(tx: AsyncConnection, posting_id: UUID, draft: PostingDraft, parts: JobsParts) -> None:
    """A known posting under the row's terms. Raises Refused or a Problem where that is not possible (any more)."""
    before = await locked_posting(tx, posting_id)
    fields = draft.model_dump(exclude={"not_a_duplicate", "urgent", "approval"})
    edit = PostingEdit.model_validate({**fields, "expires_at": draft.expires_at or draft.starts_at})
    after = await edit_job(tx, before, edit, parts)
    await follow_edit(tx, before, after)


def _report(id_: UUID, plan: Plan, mode: Mode, source: str, doing: bool) -> ImportReport:
    errors = sorted(plan.errors, key=lambda e: (e.line, e.column, e.rule))
    refused = len({error.line for error in errors})
    counts = {"created": len(plan.new), "changed": len(plan.changed), "unchanged": plan.unchanged, "refused": refused}
    shown = [RowErrorView(**asdict(error)) for error in errors[:SHOWN_ERRORS]]
    return ImportReport(
        id=id_, source=source, mode=mode, applied=doing, rows=sum(counts.values()), errors=shown, **counts
    )


def refusal(errors: Sequence[RowError]) -> Problem:
    """All or nothing, and something is wrong: nothing was done."""
    told = [
        {"field": f"line {e.line}, {e.column}", "rule": e.rule, "detail": e.detail}
        for e in sorted(errors, key=lambda e: (e.line, e.column, e.rule))[:SHOWN_ERRORS]
    ]
    title = f"{len({e.line for e in errors})}개 행이 잘못되어 아무것도 올리지 않았습니다 / Nothing was imported"
    return Problem(422, "invalid", title, errors=told)


async def roll_back(tx: AsyncConnection, import_id: UUID, officer: Principal, parts: JobsParts) -> RollbackView:
    """New postings are cancelled, changed ones become what they were; what has claims, or is closed, stays."""
    now, institution = parts.clock(), str(officer.institution)
    view = RollbackView(id=import_id, cancelled=0, restored=0, kept=[])
    for step in await store.steps_of(tx, import_id):
        job = await locked_posting(tx, step.posting_id)
        why = await _stays(tx, job)
        if why is None and step.before is not None:
            draft = draft_of(Row(0, step.before), district())
            broken = [] if isinstance(draft, list) else await broken_by(tx, draft.terms(), institution, now, new=False)
            why = "its former terms no longer pass the rules" if isinstance(draft, list) or broken else None
            if not isinstance(draft, list) and why is None:
                await _edit(tx, job.id, draft, parts)
                view.restored += 1
        elif why is None:
            await desk.change(tx, job, posts.cancel(job, ROLLED_BACK, now))
            view.cancelled += 1
        if why is None:
            await store.restore(tx, institution, step)
        else:
            view.kept.append(KeptPosting(posting_id=job.id, why=why))
    await store.rolled_back(tx, import_id, now)
    return view


async def _stays(tx: AsyncConnection, job: JobPosting) -> str | None:
    if any(claim.state not in OVER for claim in await claims.of_posting(tx, job.id)):
        return "somebody has claimed it"
    return "closed meanwhile" if job.status == "closed" else None
