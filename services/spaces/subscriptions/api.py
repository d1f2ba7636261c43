"""Routes of plans, subscriptions, their ledger, and the quote: what a time would cost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.bookings.domain import Wish
from services.spaces.bookings.models import Because
from services.spaces.calendars.domain import Span
from services.spaces.parts import SpacesParts, UseSpaces
from services.spaces.subscriptions import domain, store
from services.spaces.subscriptions.domain import Plan, Subscription
from services.spaces.subscriptions.handlers import end, pause, resume, subscribe
from services.spaces.subscriptions.models import (
    LineView,
    PlanBody,
    PlanEdit,
    PlanView,
    QuoteQuery,
    QuoteView,
    SubscriptionView,
)
from services.spaces.subscriptions.quotes import quote
from shared.auth import Citizen, Officer, Principal
from shared.web.etags import IfMatch, etag, expected_version, stale, versioned
from shared.web.idempotency import IdempotencyKey, Once, once
from shared.web.paging import Cursor, Limit, Page, decode_cursor, encode_cursor, page_of
from shared.web.problems import Problem, not_found

router = APIRouter(tags=["구독 subscriptions"])
Institution = Annotated[str | None, Query(max_length=100)]
Act = Callable[[AsyncConnection], Awaitable[Subscription]]


@router.post("/plans", status_code=201, response_model=PlanView, summary="요금제 만들기 Offer a plan")
async def post_plan(body: PlanBody, officer: Officer, key: IdempotencyKey, parts: UseSpaces) -> Response:
    async with once(parts.database, principal=officer.subject, key=key, route="POST /plans", body=body) as kept:
        if kept.response is not None:
            return kept.response
        now, said = parts.clock(), body.model_dump()
        plan = domain.check_plan(
            Plan(uuid4(), str(officer.institution), **said, status="open", version=1, created_at=now, changed_at=now)
        )
        await store.put_plan(kept.tx, plan)
        headers = {"ETag": etag(1), "Location": f"/api/spaces/plans/{plan.id}"}
        return await kept.answer(201, PlanView.of(plan), headers)


async def _own_plan(tx: AsyncConnection, plan_id: UUID, officer: Principal) -> Plan:
    """Locked; only its own institution may change it."""
    plan = await store.get_plan(tx, plan_id, for_update=True)
    if plan is None:
        raise not_found("plan")
    if plan.institution != officer.institution:
        raise Problem(403, "not-yours", "다른 기관의 요금제입니다 / This plan belongs to another institution")
    return plan


@router.get("/plans", summary="요금제 목록 Plans that are offered, newest first")
async def list_plans(
    citizen: Citizen, parts: UseSpaces, institution: Institution = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[PlanView]:
    after = decode_cursor(cursor)
    async with parts.database.transaction() as tx:
        found = await store.plans(tx, institution, after, limit)
    return page_of([PlanView.of(plan) for plan in found], limit, [(plan.created_at, plan.id) for plan in found])


@router.patch(
    "/plans/{plan_id}", response_model=PlanView, summary="요금제 바꾸기 Change a plan, from the next month on"
)
async def patch_plan(
    plan_id: UUID, edit: PlanEdit, officer: Officer, parts: UseSpaces, if_match: IfMatch = None
) -> Response:
    version, changes = expected_version(if_match), edit.changes()
    async with parts.database.transaction() as tx:
        before = await _own_plan(tx, plan_id, officer)
        if before.version != version:
            raise stale(before.version)
        after = domain.check_plan(replace(before, **changes))
        if after != before:
            after = replace(after, version=before.version + 1, changed_at=parts.clock())
            await store.put_plan(tx, after)
    return versioned(PlanView.of(after), after.version)


@router.post("/plans/{plan_id}/close", response_model=PlanView, summary="요금제 닫기 No new subscriptions")
async def close_plan(plan_id: UUID, officer: Officer, key: IdempotencyKey, parts: UseSpaces) -> Response:
    """Those who have it keep it."""
    route = f"POST /plans/{plan_id}/close"
    async with once(parts.database, principal=officer.subject, key=key, route=route) as kept:
        if kept.response is not None:
            return kept.response
        plan = await _own_plan(kept.tx, plan_id, officer)
        if plan.status == "open":
            plan = replace(plan, status="closed", version=plan.version + 1, changed_at=parts.clock())
            await store.put_plan(kept.tx, plan)
        return await kept.answer(200, PlanView.of(plan), {"ETag": etag(plan.version)})


async def _view(tx: AsyncConnection, subscription: Subscription, parts: SpacesParts) -> SubscriptionView:
    lots, owed = await store.lots_of(tx, subscription.id), await store.owed(tx, subscription.id)
    return SubscriptionView.of(subscription, lots, owed, parts.clock())


async def _answer(kept: Once, subscription: Subscription, parts: SpacesParts, status: int = 200) -> Response:
    headers = {
        "ETag": etag(subscription.version), "Location": f"/api/spaces/subscriptions/{subscription.id}"
    }  # fmt: skip
    return await kept.answer(status, await _view(kept.tx, subscription, parts), headers)


@router.post(
    "/plans/{plan_id}/subscriptions", status_code=201, response_model=SubscriptionView, summary="구독 Subscribe"
)
async def post_subscription(plan_id: UUID, citizen: Citizen, key: IdempotencyKey, parts: UseSpaces) -> Response:
    """From today on; the first month is prorated by its days."""
    route = f"POST /plans/{plan_id}/subscriptions"
    async with once(parts.database, principal=citizen.subject, key=key, route=route) as kept:
        if kept.response is not None:
            return kept.response
        return await _answer(kept, await subscribe(kept.tx, plan_id, citizen.subject, parts), parts, 201)


@router.get("/subscriptions", summary="내 구독 My subscriptions, newest first")
async def list_subscriptions(
    citizen: Citizen, parts: UseSpaces, limit: Limit = 50, cursor: Cursor = None
) -> Page[SubscriptionView]:
    after = decode_cursor(cursor)
    async with parts.database.transaction() as tx:
        found = await store.mine(tx, citizen.subject, after, limit)
        views = [await _view(tx, one, parts) for one in found]
    return page_of(views, limit, [(one.created_at, one.id) for one in found])


async def _own(tx: AsyncConnection, id_: UUID, citizen: Principal) -> Subscription:
    found = await store.get(tx, id_)
    if found is None or found.citizen_id != citizen.subject:
        raise not_found("subscription")
    return found


@router.get("/subscriptions/{subscription_id}", summary="내 구독 하나 One of my subscriptions, with what is left")
async def get_subscription(subscription_id: UUID, citizen: Citizen, parts: UseSpaces) -> SubscriptionView:
    async with parts.database.transaction() as tx:
        return await _view(tx, await _own(tx, subscription_id, citizen), parts)


@router.get("/subscriptions/{subscription_id}/ledger", summary="내 이용권 장부 Every entry of mine, newest first")
async def list_ledger(
    subscription_id: UUID, citizen: Citizen, parts: UseSpaces, limit: Limit = 50, cursor: Cursor = None
) -> Page[LineView]:
    after = decode_cursor(cursor)
    # The ledger is in order of entry: the cursor's name is the entry's number.
    before = None if after is None else min(after[1].int, 2**62)
    async with parts.database.transaction() as tx:
        await _own(tx, subscription_id, citizen)
        rows = await store.ledger(tx, subscription_id, before, limit)
    last = rows[limit - 1] if len(rows) > limit else None
    following = None if last is None else encode_cursor(last.entered_at, UUID(int=last.seq))
    return Page(items=[LineView.of(row) for row in rows[:limit]], next_cursor=following)


async def _change(
    parts: SpacesParts, citizen: Principal, key: str, route: str, body: Because | None, act: Act
) -> Response:
    async with once(parts.database, principal=citizen.subject, key=key, route=route, body=body) as kept:
        if kept.response is not None:
            return kept.response
        return await _answer(kept, await act(kept.tx), parts)


@router.post("/subscriptions/{subscription_id}/pause", response_model=SubscriptionView, summary="구독 멈춤 Pause")
async def post_pause(subscription_id: UUID, citizen: Citizen, key: IdempotencyKey, parts: UseSpaces) -> Response:
    """Nothing is given, charged or booked meanwhile."""
    route = f"POST /subscriptions/{subscription_id}/pause"
    return await _change(
        parts, citizen, key, route, None, lambda tx: pause(tx, subscription_id, citizen.subject, parts)
    )


@router.post("/subscriptions/{subscription_id}/resume", response_model=SubscriptionView, summary="구독 다시 Resume")
async def post_resume(subscription_id: UUID, citizen: Citizen, key: IdempotencyKey, parts: UseSpaces) -> Response:
    """What was left is good for as many days longer as the pause was long."""
    route = f"POST /subscriptions/{subscription_id}/resume"
    return await _change(
        parts, citizen, key, route, None, lambda tx: resume(tx, subscription_id, citizen.subject, parts)
    )


@router.post("/subscriptions/{subscription_id}/end", response_model=SubscriptionView, summary="구독 해지 End")
async def post_end(
    subscription_id: UUID, body: Because, citizen: Citizen, key: IdempotencyKey, parts: UseSpaces
) -> Response:
    """Fees go back by the rule; bookings that were made stay."""
    route = f"POST /subscriptions/{subscription_id}/end"
    return await _change(
        parts, citizen, key, route, body, lambda tx: end(tx, subscription_id, citizen.subject, body.reason, parts)
    )


@router.get("/spaces/{space_id}/quote", summary="얼마인가요 What a time would cost, before it is booked")
async def get_quote(
    space_id: UUID, citizen: Citizen, parts: UseSpaces, wanted: Annotated[QuoteQuery, Query()]
) -> QuoteView:
    wish = Wish(Span(wanted.starts_at, wanted.ends_at), wanted.people)
    async with parts.database.engine.connect() as tx:  # never committed: asking changes nothing
        return await quote(tx, space_id, citizen.subject, wish, parts)
