"""Routes of spaces: parse, decide, save, emit, render."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Response

from services.spaces.bookings.resizing import fit_bookings
from services.spaces.facilities import domain
from services.spaces.facilities.models import SpaceDraft, SpaceEdit, SpaceView
from services.spaces.facilities.store import spaces
from services.spaces.parts import UseSpaces
from shared.auth import Officer
from shared.offers.desk import Desk
from shared.offers.models import Closing, Wanted
from shared.publishing import UseParts
from shared.web.etags import IfMatch, etag, expected_version, versioned
from shared.web.idempotency import IdempotencyKey, once
from shared.web.paging import Page, decode_cursor, page_of

Affected = Annotated[
    Literal["refuse", "cancel"],
    Query(description="bookings that no longer fit: refuse the edit, or cancel and tell them"),
]
router = APIRouter(prefix="/spaces", tags=["공간 spaces"])
desk = Desk("space", source="/services/spaces", store=spaces, as_posting=domain.as_posting)


@router.post("", status_code=201, response_model=SpaceView, summary="공간 열기 Open a space")
async def open_space(draft: SpaceDraft, officer: Officer, key: IdempotencyKey, parts: UseParts) -> Response:
    async with once(parts.database, principal=officer.subject, key=key, route="POST /spaces", body=draft) as claim:
        if claim.response is not None:
            return claim.response
        now = parts.clock()
        space = domain.open_space(
            uuid4(), draft.terms(now), institution=str(officer.institution), posted_by=officer.subject, now=now
        )
        await desk.open(claim.tx, space)
        headers = {"ETag": etag(1), "Location": f"/api/spaces/spaces/{space.id}"}
        return await claim.answer(201, SpaceView.of(space), headers)


@router.get("", summary="공간 목록 List spaces, newest first")
async def list_spaces(parts: UseParts, wanted: Wanted) -> Page[SpaceView]:
    after = decode_cursor(wanted.cursor)
    async with parts.database.transaction() as tx:
        found = await spaces.newest(tx, wanted, after=after, now=parts.clock())
    return page_of([SpaceView.of(space) for space in found], wanted.limit, [(s.created_at, s.id) for s in found])


@router.get("/{space_id}", summary="공간 하나 One space")
async def get_space(space_id: UUID, parts: UseParts, response: Response) -> SpaceView:
    async with parts.database.transaction() as tx:
        space = await desk.find(tx, space_id)
    response.headers["ETag"] = etag(space.version)
    return SpaceView.of(space)


@router.patch("/{space_id}", response_model=SpaceView, summary="공간 수정 Edit a space")
async def edit_space(
    space_id: UUID, edit: SpaceEdit, officer: Officer, parts: UseSpaces, if_match: IfMatch = None,
    affected: Affected = "refuse",
) -> Response:  # fmt: skip
    """Where the space becomes too small for what is booked, 409 lists whom that affects; nothing is changed then."""
    version = expected_version(if_match)
    async with parts.database.transaction() as tx:
        before = await desk.take(tx, space_id, officer, version=version)
        after = domain.edit(before, edit.of_terms(), parts.clock())
        await desk.change(tx, before, after)
        if (after.terms.units, after.terms.capacity) != (before.terms.units, before.terms.capacity):
            await fit_bookings(tx, after, parts, cancel=affected == "cancel")
    return versioned(SpaceView.of(after), after.version)


@router.post("/{space_id}/close", response_model=SpaceView, summary="공간 닫기 Close a space")
async def close_space(
    space_id: UUID, closing: Closing, officer: Officer, key: IdempotencyKey, parts: UseParts
) -> Response:
    route = f"POST /spaces/{space_id}/close"
    async with once(parts.database, principal=officer.subject, key=key, route=route, body=closing) as claim:
        if claim.response is not None:
            return claim.response
        before = await desk.take(claim.tx, space_id, officer)
        after = domain.close(before, closing.reason, parts.clock())
        await desk.change(claim.tx, before, after)
        return await claim.answer(200, SpaceView.of(after), {"ETag": etag(after.version)})
