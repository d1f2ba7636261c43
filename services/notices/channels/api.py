"""Routes of channels: institutions and their officers (admin), profiles (officers), following (citizens)."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.notices.channels import domain, handlers, store
from services.notices.channels.models import (
    ChannelDraft,
    ChannelEdit,
    ChannelView,
    FollowingView,
    InstitutionName,
    InstitutionView,
    Naming,
    OfficerView,
    RolesView,
    Subject,
    Verification,
)
from services.notices.limits import limited
from services.notices.parts import UseNotices
from shared.auth import Admin, Citizen, Officer
from shared.rules import Conflict
from shared.web.etags import IfMatch, etag, expected_version, stale, versioned
from shared.web.idempotency import IdempotencyKey, once
from shared.web.paging import Cursor, Limit, Page, decode_cursor, page_of
from shared.web.problems import not_found

router = APIRouter(tags=["채널 channels"])


@router.get("/channels", summary="채널 목록 Channels, newest first")
async def list_channels(
    parts: UseNotices, institution: Annotated[str | None, Query(max_length=100)] = None, limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ChannelView]:  # fmt: skip
    after, least = decode_cursor(cursor), parts.settings.notices_count_least
    wanted = institution.replace("\0", "") if institution is not None else None
    async with parts.database.transaction() as tx:
        rows = await store.page(tx, wanted, after, limit)
    return page_of([ChannelView.of(row, least) for row in rows], limit, [(row.created_at, row.id) for row in rows])


@router.post("/channels", status_code=201, response_model=ChannelView, summary="채널 열기 Open a channel",
             dependencies=[limited("writes")])  # fmt: skip
async def post_channel(draft: ChannelDraft, officer: Officer, key: IdempotencyKey, parts: UseNotices) -> Response:
    async with once(parts.database, principal=officer.subject, key=key, route="POST /channels", body=draft) as claim:
        if claim.response is not None:
            return claim.response
        institution = await handlers.entitled(claim.tx, officer, "approver")
        domain.check_name(draft.name, institution.name)
        id_ = await store.add(claim.tx, draft.name, institution.name, parts.clock(), draft.profile())
        row = None if id_ is None else await store.get(claim.tx, id_)
        if row is None:
            raise Conflict("name", "exists", "there is a channel of this name")
        view = ChannelView.of(row, parts.settings.notices_count_least)
        return await claim.answer(201, view, {"ETag": etag(1), "Location": f"/api/notices/channels/{id_}"})


@router.get("/channels/{channel_id}", summary="채널 하나 One channel")
async def get_channel(channel_id: UUID, parts: UseNotices, response: Response) -> ChannelView:
    async with parts.database.transaction() as tx:
        row = await store.get(tx, channel_id)
    if row is None:
        raise not_found("channel")
    response.headers["ETag"] = etag(row.version)
    return ChannelView.of(row, parts.settings.notices_count_least)


@router.patch("/channels/{channel_id}", response_model=ChannelView, summary="채널 소개 수정 Edit a channel's profile",
              dependencies=[limited("writes")])  # fmt: skip
async def edit_channel(
    channel_id: UUID, edit: ChannelEdit, officer: Officer, parts: UseNotices, if_match: IfMatch = None
) -> Response:
    version = expected_version(if_match)
    async with parts.database.transaction() as tx:
        await handlers.entitled(tx, officer, "approver")
        before = await handlers.own_channel(tx, channel_id, officer)
        if before.version != version:
            raise stale(before.version)
        after = domain.edited(before, edit.changes(), parts.clock())
        await store.save(tx, after)
        row = await store.get(tx, channel_id)
    if row is None:
        raise not_found("channel")
    return versioned(ChannelView.of(row, parts.settings.notices_count_least), after.version)


@router.get("/follows", summary="내가 팔로우하는 채널 Channels I follow")
async def list_follows(citizen: Citizen, parts: UseNotices) -> FollowingView:
    async with parts.database.transaction() as tx:
        return FollowingView.of(await store.following(tx, citizen.subject))


@router.put("/channels/{channel_id}/follow", summary="팔로우 Follow", dependencies=[limited("follows")])
async def follow_channel(channel_id: UUID, citizen: Citizen, parts: UseNotices) -> FollowingView:
    async with parts.database.transaction() as tx:
        after = await handlers.change_following(tx, citizen.subject, channel_id, handlers.follow, parts.clock())
    return FollowingView.of(after)


@router.delete("/channels/{channel_id}/follow", summary="팔로우 그만 Leave", dependencies=[limited("follows")])
async def leave_channel(channel_id: UUID, citizen: Citizen, parts: UseNotices) -> FollowingView:
    async with parts.database.transaction() as tx:
        after = await handlers.change_following(tx, citizen.subject, channel_id, handlers.leave, parts.clock())
    return FollowingView.of(after)


@router.get("/institutions", summary="기관 목록 Institutions and whether they are verified")
async def list_institutions(_: Admin, parts: UseNotices) -> list[InstitutionView]:
    async with parts.database.transaction() as tx:
        return [InstitutionView.model_validate(row, from_attributes=True) for row in await store.institutions(tx)]


@router.put("/institutions/{institution}", summary="기관 확인 Verify an institution, or take that back")
async def put_institution(
    institution: InstitutionName, body: Verification, admin: Admin, parts: UseNotices
) -> InstitutionView:
    """A verified institution has its channel from then on."""
    now = parts.clock()
    async with parts.database.transaction() as tx:
        row = await store.verify(tx, institution, body.verified, admin.subject, now)
        if body.verified:
            await store.add(tx, institution, institution, now)
    return InstitutionView.model_validate(row, from_attributes=True)


@router.get("/institutions/{institution}/officers", summary="담당자 목록 Who was named, and for what")
async def list_officers(institution: InstitutionName, _: Admin, parts: UseNotices) -> list[OfficerView]:
    async with parts.database.transaction() as tx:
        return [OfficerView.model_validate(row, from_attributes=True) for row in await store.officers(tx, institution)]


@router.put("/institutions/{institution}/officers/{subject}", summary="담당자 지정 Name an officer")
async def put_officer(
    institution: InstitutionName, subject: Subject, naming: Naming, admin: Admin, parts: UseNotices
) -> OfficerView:
    """`subject` is the officer's in their token; their institution must be this one's too."""
    roles = sorted(set(naming.roles))
    values = {"institution": institution, "subject": subject, "roles": roles, "by": admin.subject, "now": parts.clock()}
    async with parts.database.transaction() as tx:
        return OfficerView.model_validate(await store.name_officer(tx, values), from_attributes=True)


@router.delete("/institutions/{institution}/officers/{subject}", status_code=204, summary="담당자 해제 Unname")
async def delete_officer(institution: InstitutionName, subject: Subject, _: Admin, parts: UseNotices) -> Response:
    async with parts.database.transaction() as tx:
        if not await store.unname_officer(tx, institution, subject):
            raise not_found("officer")
    return Response(status_code=204)


@router.get("/my-roles", summary="내 역할 What I may do for my institution")
async def get_my_roles(officer: Officer, parts: UseNotices) -> RolesView:
    async with parts.database.transaction() as tx:
        found = await store.institution(tx, str(officer.institution))
    roles = tuple(sorted(found.roles_of(officer.subject)))
    return RolesView(institution=found.name, verified=found.verified, roles=roles, named=bool(found.officers))
