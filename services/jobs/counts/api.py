"""Routes of counts: a citizen looks, an officer sees how many did."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel

from services.jobs.counts import store
from services.jobs.limits import limited
from services.jobs.parts import UseJobs
from services.jobs.postings.handlers import desk
from shared.auth import Citizen, Officer
from shared.contracts.posting import veiled

router = APIRouter(prefix="/postings/{posting_id}", tags=["집계 counts"])


class Counts(BaseModel):
    """How many: alerts made, people who looked, claims ever made and what became of them."""

    alerted: int
    viewed: int
    claimed: int
    placed: int
    pending: int
    waiting: int
    dropped: int
    no_shows: int


@router.put("/seen", status_code=204, summary="봤음 I looked at it", dependencies=[limited("claims")])
async def put_seen(posting_id: UUID, citizen: Citizen, parts: UseJobs) -> Response:
    async with parts.database.transaction() as tx:
        await desk.find(tx, posting_id)
        await store.add_seen(tx, posting_id, veiled(posting_id, citizen.subject))
    return Response(status_code=204)


@router.get("/counts", summary="집계 Counts for the posting's institution")
async def get_counts(posting_id: UUID, officer: Officer, parts: UseJobs) -> Counts:
    async with parts.database.transaction() as tx:
        await desk.take(tx, posting_id, officer)
        return Counts.model_validate(await store.counts_of(tx, posting_id), from_attributes=True)
