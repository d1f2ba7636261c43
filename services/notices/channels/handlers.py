"""What happens to channels and to who follows them, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.notices.channels import domain, store
from services.notices.channels.domain import Channel, Following, Institution, Role
from services.notices.parts import SOURCE, NoticesParts
from shared.auth import Principal
from shared.contracts import Follows
from shared.messaging.outbox import emit
from shared.web.problems import Problem, not_found

Change = Callable[[Following, UUID, str], Following]


async def entitled(tx: AsyncConnection, officer: Principal, *roles: Role) -> Institution:
    """The officer's institution, in which they hold all these roles; a 403 problem otherwise."""
    found = await store.institution(tx, str(officer.institution))
    missing = set(roles) - found.roles_of(officer.subject)
    if missing:
        title = "이 기관에서 그 역할이 없습니다 / You do not hold that role in this institution"
        raise Problem(403, "role-needed", title, needs=sorted(missing))
    return found


async def entitled_to_publish(
    tx: AsyncConnection, officer: Principal, parts: NoticesParts, *roles: Role
) -> Institution:
    """As `entitled`; and verified, where the settings ask for it."""
    found = await entitled(tx, officer, *roles)
    if parts.settings.notices_verified_only and not found.verified:
        raise Problem(403, "not-verified", "확인되지 않은 기관입니다 / This institution is not verified yet")
    return found


async def own_channel(tx: AsyncConnection, id_: UUID, officer: Principal) -> Channel:
    """The channel, locked; only its own institution may change it."""
    channel = await store.take(tx, id_)
    if channel is None:
        raise not_found("channel")
    if channel.institution != officer.institution:
        raise Problem(403, "not-yours", "다른 기관의 채널입니다 / This channel belongs to another institution")
    return channel


async def change_following(
    tx: AsyncConnection, citizen_id: str, channel_id: UUID, change: Change, now: datetime
) -> Following:
    """Follow or leave; the citizen's whole list goes out when it changed."""
    channel = await store.get(tx, channel_id)
    if channel is None:
        raise not_found("channel")
    before = await store.following(tx, citizen_id, to_change=True)
    after = change(before, channel_id, channel.name)
    if after.version != before.version:
        await store.keep_following(tx, before, after, now)
        await emit(tx, as_follows(after, now), source=SOURCE, now=now)
    return after


def as_follows(following: Following, now: datetime) -> Follows:
    """What the platform sees of a citizen's list."""
    channels = tuple(following.channels.values())
    return Follows(citizen_id=following.citizen_id, version=following.version, channels=channels, changed_at=now)


def follow(before: Following, id_: UUID, name: str) -> Following:
    return domain.followed(before, id_, name)


def leave(before: Following, id_: UUID, _: str) -> Following:
    return domain.left(before, id_)
