"""Routes of claims: take a place, give it up, choose among those who apply."""

from __future__ import annotations

from collections.abc import Sequence
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
    claim_places,
    drop_claim,
    keep,
    locked_claim,
)
from services.jobs.claims.models import Applicant, Because, ClaimBody, ClaimView, WorkerBody
from services.jobs.claims.rush import AT_ONCE, Answer, Asking, Decide
from services.jobs.claims.store import Look
from services.jobs.limits import limited
from services.jobs.parts import JobsParts, UseJobs
from services.jobs.postings.domain import FILLED, JobPosting
from services.jobs.postings.handlers import desk
from shared.auth import Citizen, Officer, Principal
from shared.rules import Refused
from shared.together import Together
from shared.web.etags import etag
from shared.web.idempotency import IdempotencyKey, Keyed, answer_many, claim_many, once, release_many, request_hash
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


async def _glance(parts: JobsParts, posting_id: UUID, keyed: Keyed, *, may_wait: bool) -> bool:
    """Whether the request was made before. Most of a crowd comes too late: they are told so without waiting for a lock."""
    seen = await parts.glances(Look(posting_id, keyed.principal, keyed.key))
    if seen is None:
        raise not_found("posting")
    if not (may_wait or seen.known or (seen.status == "open" and seen.coming)):
        full = seen.closed_because == FILLED and seen.coming
        raise NoPlace("posting_id", "full" if full else "closed", "nobody else is wanted here")
    return bool(seen.known)


@router.post(
    "/postings/{posting_id}/claims", status_code=201, response_model=ClaimView, summary="자리 신청 Claim a place",
    dependencies=[limited("claims")],
)  # fmt: skip
async def post_claim(
    posting_id: UUID, body: ClaimBody, citizen: Citizen, key: IdempotencyKey, parts: UseJobs
) -> Response:
    """201 with a place, a pending application or a place in the waiting line; 409 with the nearest alternatives."""
    route = f"POST /postings/{posting_id}/claims"
    asking = Asking(Keyed(citizen.subject, key, request_hash(route, body)), body.wait)
    try:
        known = await _glance(parts, posting_id, asking.keyed, may_wait=body.wait)
        answer = None if known else await parts.rush.ask(posting_id, asking, lambda: deciding(posting_id, parts))
        if isinstance(answer, Refused):
            raise answer
        if answer is not None:
            return answer
        async with once(parts.database, principal=citizen.subject, key=key, route=route, body=body) as claim:
            if claim.response is not None:
                return claim.response
            made = await claim_place(claim.tx, posting_id, citizen.subject, body, parts)
            return await claim.answer(201, ClaimView.of(made), headers_of(made))
    except NoPlace as why:
        raise await _no_place(parts, posting_id, why) from None


def headers_of(claim: Claim) -> dict[str, str]:
    return {"ETag": etag(claim.version), "Location": f"/api/jobs/claims/{claim.id}"}


def deciding(posting_id: UUID, parts: JobsParts) -> Decide:
    """Decides about those who ask for a posting at the same time, a citizen once in a transaction."""

    async def decide(asked: Sequence[Asking]) -> list[Answer]:
        answers: dict[Asking, Answer] = {}
        while left := [one for one in asked if one not in answers]:
            citizens: dict[str, Asking] = {}
            for one in left:
                citizens.setdefault(one.keyed.principal, one)
            answers |= await _decided(posting_id, list(citizens.values()), parts)
        return [answers[one] for one in asked]

    return Together(decide, most=AT_ONCE)


async def _decided(posting_id: UUID, asked: Sequence[Asking], parts: JobsParts) -> dict[Asking, Answer]:
    answers: dict[Asking, Answer] = dict.fromkeys(asked)
    async with parts.database.transaction() as tx:
        claimed = await claim_many(tx, [one.keyed for one in asked])
        fresh = [one for one in asked if one.keyed in claimed]
        may_wait = {one.keyed.principal: one.may_wait for one in fresh}
        decided = await claim_places(tx, posting_id, may_wait, parts) if fresh else []
        told = list(zip(fresh, decided, strict=True))
        placed = [(one, what) for one, what in told if isinstance(what, Claim)]
        await release_many(tx, [one.keyed for one, what in told if isinstance(what, Refused)])
        made = await answer_many(
            tx, [(one.keyed, 201, ClaimView.of(claim), headers_of(claim)) for one, claim in placed]
        )
    answers |= {one: what for one, what in told if isinstance(what, Refused)}
    return answers | {one: response for (one, _), response in zip(placed, made, strict=True)}


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
