"""Routes of recurring shifts: one posting a day under one series, with a result for each day."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from services.jobs.limits import limited
from services.jobs.parts import UseJobs
from services.jobs.postings.handlers import desk, open_job
from services.jobs.postings.models import JobView, PostingDraft
from services.jobs.rules.api import BrokenView
from services.jobs.rules.checking import broken_by
from services.jobs.shifts import store
from services.jobs.shifts.domain import MOST_SHIFTS, recurring
from shared.auth import Officer
from shared.web.bodies import Body, Number, YesNo
from shared.web.idempotency import IdempotencyKey, once
from shared.web.problems import invalid, not_found

router = APIRouter(prefix="/shifts", tags=["반복 근무 recurring shifts"], dependencies=[limited("writes")])

Weekday = Annotated[int, Field(ge=0, le=6, description="0 is Monday"), Number]


class ShiftsBody(Body):
    """The first shift, and on which weekdays until when the same is wanted again."""

    first: PostingDraft
    weekdays: Annotated[tuple[Weekday, ...], Field(min_length=1, max_length=7)]
    until: date
    skip_refused: YesNo = Field(default=True, description="false: one refused day and nothing is posted")


class ShiftResult(BaseModel):
    """What became of one day: a posting, or the rules that it would break."""

    starts_at: datetime
    posting_id: UUID | None
    broken: list[BrokenView] = []


class ShiftsView(BaseModel):
    series_id: UUID
    results: list[ShiftResult]


@router.post("", status_code=201, response_model=ShiftsView, summary="반복 근무 등록 Post recurring shifts")
async def post_shifts(body: ShiftsBody, officer: Officer, key: IdempotencyKey, parts: UseJobs) -> Response:
    async with once(parts.database, principal=officer.subject, key=key, route="POST /shifts", body=body) as claim:
        if claim.response is not None:
            return claim.response
        shifts = recurring(body.first.starts_at, body.first.ends_at, body.weekdays, body.until)
        if not 0 < len(shifts) <= MOST_SHIFTS:
            raise invalid("body.until", "shift-count", f"1 to {MOST_SHIFTS} shifts within a year")
        series_id, results = uuid4(), []
        for shift in shifts:
            day = {"starts_at": shift.starts_at, "ends_at": shift.ends_at, "expires_at": None}
            draft, now = body.first.model_copy(update=day), parts.clock()
            broken = [] if not body.skip_refused else await broken_by(
                claim.tx, draft.terms(), str(officer.institution), now, new=not draft.not_a_duplicate
            )  # fmt: skip
            job = None if broken else await open_job(claim.tx, draft, officer, parts, series_id=series_id)
            told = [BrokenView.model_validate(one, from_attributes=True) for one in broken]
            results.append(ShiftResult(starts_at=shift.starts_at, posting_id=job and job.id, broken=told))
        return await claim.answer(201, ShiftsView(series_id=series_id, results=results))


@router.get("/{series_id}", summary="반복 근무 하나 The postings of a series")
async def get_shifts(series_id: UUID, officer: Officer, parts: UseJobs) -> list[JobView]:
    async with parts.database.transaction() as tx:
        ids = await store.of_series(tx, series_id, str(officer.institution))
        jobs = [await desk.find(tx, id_) for id_ in ids]
    if not jobs:
        raise not_found("series")
    return [JobView.of(job) for job in jobs]
