"""Routes of trust: reviews, appeals, the profile and its signed summary."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response

from services.jobs.claims import store as claims
from services.jobs.claims.api import institutions_claim, own_claim
from services.jobs.claims.models import Because
from services.jobs.limits import limited
from services.jobs.parts import UseJobs
from services.jobs.trust import domain, store
from services.jobs.trust.domain import Review, Side
from services.jobs.trust.handlers import appeal, keep, profile_of, shown_after, taken, write_review
from services.jobs.trust.models import (
    Checked,
    Decision,
    JwsBody,
    Keys,
    ProfileView,
    ReviewBody,
    ReviewView,
    SignedSummary,
)
from services.jobs.trust.signing import Signer
from shared.auth import Citizen, Principal, requires
from shared.web.idempotency import IdempotencyKey, once
from shared.web.paging import Cursor, Limit, Page, decode_cursor, page_of
from shared.web.problems import not_found

router = APIRouter(tags=["신뢰 trust"])

EitherSide = Annotated[Principal, requires("citizen", "officer")]
Moderator = Annotated[Principal, requires("moderator", "admin")]


def _side(principal: Principal) -> Side:
    return "institution" if "officer" in principal.roles else "citizen"


def _is(principal: Principal, review: Review, side: Side) -> bool:
    mine = (
        principal.institution == review.institution if side == "institution" else principal.subject == review.citizen_id
    )
    return mine and _side(principal) == side


@router.post(
    "/claims/{claim_id}/review", status_code=201, response_model=ReviewView, summary="후기 쓰기 Review finished work",
    dependencies=[limited("reports")],
)  # fmt: skip
async def post_review(
    claim_id: UUID, body: ReviewBody, principal: EitherSide, key: IdempotencyKey, parts: UseJobs
) -> Response:
    """Shown to the other side together with theirs, or after seven days."""
    route, side = f"POST /claims/{claim_id}/review", _side(principal)
    async with once(parts.database, principal=principal.subject, key=key, route=route, body=body) as kept:
        if kept.response is not None:
            return kept.response
        find = institutions_claim if side == "institution" else own_claim
        claim, _ = await find(kept.tx, claim_id, principal)
        review = await write_review(kept.tx, claim, side, body, parts)
        return await kept.answer(201, ReviewView.of(review, shown=review.state == "revealed"))


@router.get("/claims/{claim_id}/reviews", summary="후기 보기 The reviews of a job, as far as they are shown")
async def list_reviews(claim_id: UUID, principal: EitherSide, parts: UseJobs) -> list[ReviewView]:
    side, now, after = _side(principal), parts.clock(), shown_after(parts)
    async with parts.database.transaction() as tx:
        find = institutions_claim if side == "institution" else own_claim
        await find(tx, claim_id, principal)
        reviews = await store.of_claim(tx, claim_id)
    return [ReviewView.of(r, shown=r.shown(now, after)) for r in reviews if r.by == side or r.shown(now, after)]


@router.post(
    "/reviews/{review_id}/appeal", response_model=ReviewView, summary="후기 이의 Appeal against a review",
    dependencies=[limited("reports")],
)  # fmt: skip
async def post_appeal(
    review_id: UUID, body: Because, principal: EitherSide, key: IdempotencyKey, parts: UseJobs
) -> Response:
    """By whom it is about; a moderator decides."""
    route = f"POST /reviews/{review_id}/appeal"
    async with once(parts.database, principal=principal.subject, key=key, route=route, body=body) as kept:
        if kept.response is not None:
            return kept.response
        review = await taken(kept.tx, review_id)
        if not _is(principal, review, "institution" if review.by == "citizen" else "citizen"):
            raise not_found("review")
        after = await appeal(kept.tx, review, body.reason, parts)
        return await kept.answer(200, ReviewView.of(after, shown=True))


@router.get("/moderation/appeals", summary="후기 이의 목록 Appeals that await a decision")
async def list_appeals(
    moderator: Moderator, parts: UseJobs, limit: Limit = 50, cursor: Cursor = None
) -> Page[ReviewView]:
    after = decode_cursor(cursor)
    async with parts.database.transaction() as tx:
        reviews = await store.appeals(tx, after, limit)
    views = [ReviewView.of(review, shown=True) for review in reviews]
    return page_of(views, limit, [(r.appealed_at or r.changed_at, r.id) for r in reviews])


@router.post("/moderation/reviews/{review_id}/decide", response_model=ReviewView, summary="이의 결정 Decide an appeal")
async def post_decision(
    review_id: UUID, body: Decision, moderator: Moderator, key: IdempotencyKey, parts: UseJobs
) -> Response:
    route = f"POST /moderation/reviews/{review_id}/decide"
    async with once(parts.database, principal=moderator.subject, key=key, route=route, body=body) as kept:
        if kept.response is not None:
            return kept.response
        review = await taken(kept.tx, review_id)
        after = domain.decided(review, hide=body.hide, because=body.reason, now=parts.clock())
        await keep(kept.tx, after)
        return await kept.answer(200, ReviewView.of(after, shown=True))


@router.get("/me/profile", summary="내 경력 My profile")
async def get_profile(citizen: Citizen, parts: UseJobs) -> ProfileView:
    async with parts.database.transaction() as tx:
        return ProfileView.of(await profile_of(tx, citizen.subject, parts))


@router.get("/me/profile/signed", summary="내 경력 요약, 서명 My profile, signed to be shown anywhere")
async def get_signed_profile(citizen: Citizen, parts: UseJobs) -> SignedSummary:
    async with parts.database.transaction() as tx:
        profile = ProfileView.of(await profile_of(tx, citizen.subject, parts))
        worker = await claims.worker_of(tx, citizen.subject)
    summary = {"name": worker.name, **profile.model_dump(exclude={"no_shows", "late_dropouts"})}
    token, expires_at = Signer(parts.settings.jobs_secret).sign(summary, parts.clock())
    return SignedSummary(jws=token, expires_at=expires_at)


@router.get("/profile-keys", summary="서명 확인 열쇠 The key that signs summaries (JWKS)")
async def get_profile_keys(parts: UseJobs) -> Keys:
    return Keys(**Signer(parts.settings.jobs_secret).keys())


@router.post("/profile-summaries/check", summary="경력 요약 확인 Check a signed summary")
async def check_summary(body: JwsBody, parts: UseJobs) -> Checked:
    found = Signer(parts.settings.jobs_secret).read(body.jws, parts.clock())
    return Checked(valid=found is not None, summary=found)
