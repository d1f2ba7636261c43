"""Routes of claims: take a place, give it up, choose among those who apply."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from services.jobs.claims import domain, store
from services.jobs.claims.domain import Claim, NoPlace, Worker
from services.jobs.claims.handlers import (
    alternatives_to,
    applicant,
    approve,
    claim_place,
    drop_claim,
    keep,
    locked_claim,
)
from services.jobs.claims.models import Applicant, Because, ClaimBody, ClaimView, WorkerBody
from services.jobs.claims.store import Comer
from services.jobs.limits import limited
from services.jobs.parts import JobsParts, UseJobs
from services.jobs.postings.domain import FILLED, JobPosting
from services.jobs.postings.handlers import desk
from shared.auth import Citizen, Officer, Principal
from shared.web.etags import etag
from shared.web.idempotency import IdempotencyKey, once
from shared.web.paging import Cursor, Limit, Page, decode_cursor, page_of
from shared.web.problems import Problem, not_found, of_refusal

router = APIRouter(tags=["신청 claims"])


async def own_claim(tx: AsyncConnection, claim_id: UUID, citizen: Principal) -> tuple[Claim, JobPosting]:
    """The citizen's own claim, locked; another's is not known to be there."""
    claim, posting = await locked_claim(tx, claim_id)
    if claim.citizen_id != citizen.subject:
        raise not_found("claim")
    return claim, posting


async def institutions_claim(tx: AsyncConnection, claim_id: UUID, officer: Principal) -> tuple[Claim, JobPosting]:
    """A claim to a posting of the officer's institution, locked."""
    claim, posting = await locked_claim(tx, claim_id)
    if posting.institution != officer.institution:
        raise not_found("claim")
    return claim, posting


async def _no_place(parts: JobsParts, posting_id: UUID, why: NoPlace) -> Problem:
    nearest = parts.alternatives.get(posting_id)
    if nearest is None:
        async with parts.database.transaction() as tx:
            nearest = await alternatives_to(tx, posting_id, parts.clock())
        parts.alternatives.put(posting_id, nearest)
    problem = of_refusal(why)
    problem.title = "자리가 없습니다. 가까운 다른 일이 있습니다 / No place here; these are nearest"
    problem.extra["alternatives"] = [one.model_dump(mode="json") for one in nearest]
    return problem


async def _glance(parts: JobsParts, posting_id: UUID, citizen: str, key: str) -> NoPlace | None:
    """Most of a crowd comes too late: they are told so without waiting for anybody's lock."""
    seen = await parts.glances(Comer(posting_id, citizen, key))
    if seen is None:
        raise not_found("posting")
    if seen.known or (seen.status == "open" and seen.coming):
        return None
    full = seen.closed_because == FILLED and seen.coming
    return NoPlace("posting_id", "full" if full else "closed", "nobody else is wanted here")


@router.post(
    "/postings/{posting_id}/claims", status_code=201, response_model=ClaimView, summary="자리 신청 Claim a place",
    dependencies=[limited("claims")],
)  # fmt: skip
async def post_claim(
    posting_id: UUID, body: ClaimBody, citizen: Citizen, key: IdempotencyKey, parts: UseJobs
) -> Response:
    """201 with a place, a pending application or a place in the waiting line; 409 with the nearest alternatives."""
    route = f"POST /postings/{posting_id}/claims"
    try:
        late = None if body.wait else await _glance(parts, posting_id, citizen.subject, key)
        if late is not None:
            raise late
        async with once(parts.database, principal=citizen.subject, key=key, route=route, body=body) as claim:
            if claim.response is not None:
                return claim.response
            made = await claim_place(claim.tx, posting_id, citizen.subject, body, parts)
            headers = {"ETag": etag(1), "Location": f"/api/jobs/claims/{made.id}"}
            return await claim.answer(201, ClaimView.of(made), headers)
    except NoPlace as why:
        raise await _no_place(parts, posting_id, why) from None


@router.get("/claims", summary="내 신청 My claims, newest first")
async def list_claims(citizen: Citizen, parts: UseJobs, limit: Limit = 50, cursor: Cursor = None) -> Page[ClaimView]:
    after = decode_cursor(cursor)
    async with parts.database.transaction() as tx:
        claims = await store.page(tx, citizen.subject, after, limit)
    return page_of([ClaimView.of(c) for c in claims], limit, [(c.created_at, c.id) for c in claims])


@router.get("/claims/{claim_id}", summary="내 신청 하나 One of my claims")
async def get_claim(claim_id: UUID, citizen: Citizen, parts: UseJobs, response: Response) -> ClaimView:
    async with parts.database.transaction() as tx:
        claim = await store.get(tx, claim_id)
    if claim is None or claim.citizen_id != citizen.subject:
        raise not_found("claim")
    response.headers["ETag"] = etag(claim.version)
    return ClaimView.of(claim)


@router.post(
    "/claims/{claim_id}/drop", response_model=ClaimView, summary="못 가게 됨 Give a place up, with the reason",
    dependencies=[limited("claims")],
)  # fmt: skip
async def post_drop(claim_id: UUID, body: Because, citizen: Citizen, key: IdempotencyKey, parts: UseJobs) -> Response:
    route = f"POST /claims/{claim_id}/drop"
    async with once(parts.database, principal=citizen.subject, key=key, route=route, body=body) as kept:
        if kept.response is not None:
            return kept.response
        claim, posting = await own_claim(kept.tx, claim_id, citizen)
        after = await drop_claim(kept.tx, claim, posting, body.reason, parts)
        return await kept.answer(200, ClaimView.of(after), {"ETag": etag(after.version)})


@router.post("/claims/{claim_id}/confirm", response_model=ClaimView, summary="바뀐 조건 확인 Agree to what changed")
async def post_confirm(claim_id: UUID, citizen: Citizen, key: IdempotencyKey, parts: UseJobs) -> Response:
    route = f"POST /claims/{claim_id}/confirm"
    async with once(parts.database, principal=citizen.subject, key=key, route=route) as kept:
        if kept.response is not None:
            return kept.response
        claim, _ = await own_claim(kept.tx, claim_id, citizen)
        domain.expect(claim, "reconfirm")
        after = domain.moved(claim, "held", parts.clock())
        await keep(kept.tx, after)
        return await kept.answer(200, ClaimView.of(after), {"ETag": etag(after.version)})


@router.get("/postings/{posting_id}/claims", summary="신청자 Who claims, for the posting's institution")
async def list_applicants(posting_id: UUID, officer: Officer, parts: UseJobs) -> list[Applicant]:
    async with parts.database.transaction() as tx:
        await desk.take(tx, posting_id, officer)
        claims = await store.of_posting(tx, posting_id)
        return [await applicant(tx, claim, parts) for claim in claims]


@router.post("/claims/{claim_id}/approve", response_model=Applicant, summary="승인 Give an applicant the place")
async def post_approve(claim_id: UUID, officer: Officer, key: IdempotencyKey, parts: UseJobs) -> Response:
    route = f"POST /claims/{claim_id}/approve"
    async with once(parts.database, principal=officer.subject, key=key, route=route) as kept:
        if kept.response is not None:
            return kept.response
        claim, posting = await institutions_claim(kept.tx, claim_id, officer)
        after = await approve(kept.tx, claim, posting, parts)
        return await kept.answer(200, await applicant(kept.tx, after, parts))


@router.post("/claims/{claim_id}/decline", response_model=Applicant, summary="반려 Decline, with the reason")
async def post_decline(
    claim_id: UUID, body: Because, officer: Officer, key: IdempotencyKey, parts: UseJobs
) -> Response:
    route = f"POST /claims/{claim_id}/decline"
    async with once(parts.database, principal=officer.subject, key=key, route=route, body=body) as kept:
        if kept.response is not None:
            return kept.response
        claim, _ = await institutions_claim(kept.tx, claim_id, officer)
        domain.expect(claim, "pending", "waiting")
        after = domain.moved(claim, "declined", parts.clock(), body.reason)
        await keep(kept.tx, after)
        return await kept.answer(200, await applicant(kept.tx, after, parts))


async def _me(citizen: Citizen, parts: UseJobs) -> Worker:
    async with parts.database.transaction() as tx:
        return await store.worker_of(tx, citizen.subject)


@router.get("/me", summary="일꾼 카드 What I said of myself")
async def get_me(worker: Annotated[Worker, Depends(_me)]) -> WorkerBody:
    return WorkerBody.of(worker)


@router.put("/me", summary="일꾼 카드 바꾸기 Say it anew", dependencies=[limited("claims")])
async def put_me(body: WorkerBody, citizen: Citizen, parts: UseJobs) -> WorkerBody:
    worker = Worker(citizen.subject, body.name, body.birth_year, body.guardian_consent)
    async with parts.database.transaction() as tx:
        await store.put_worker(tx, worker)
    return WorkerBody.of(worker)
