"""Every SQL statement about institutions, officers, channels and following."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notices.channels.domain import Channel, Following, Institution, Profile

_INSTITUTION = text("SELECT verified_at IS NOT NULL FROM institution WHERE name = :name")
_OFFICERS = text("SELECT * FROM officer WHERE institution = :name ORDER BY subject")
_VERIFY = text("""
    INSERT INTO institution (name, verified_at, verified_by, changed_at) VALUES (:name, :at, :by, :now)
    ON CONFLICT (name) DO UPDATE SET changed_at = :now,
        verified_at = CASE WHEN CAST(:at AS timestamptz) IS NULL THEN NULL ELSE coalesce(institution.verified_at, :at) END,
        verified_by = CASE WHEN CAST(:at AS timestamptz) IS NULL THEN NULL ELSE coalesce(institution.verified_by, :by) END
    RETURNING *
""")
_INSTITUTIONS = text("SELECT * FROM institution ORDER BY name LIMIT 1000")
_NAME = text("""
    INSERT INTO officer (institution, subject, roles, named_by, named_at) VALUES (:institution, :subject, :roles, :by, :now)
    ON CONFLICT (institution, subject) DO UPDATE SET roles = :roles, named_by = :by, named_at = :now RETURNING *
""")
_UNNAME = text("DELETE FROM officer WHERE institution = :institution AND subject = :subject RETURNING subject")

_CHANNEL = """
    SELECT c.*, (SELECT verified_at IS NOT NULL FROM institution i WHERE i.name = c.institution) AS verified,
        (SELECT count(*) FROM following f WHERE f.channel_id = c.id) AS followers
    FROM channel c
"""
_GET = text(f"{_CHANNEL} WHERE c.id = :id")
_TAKE = text("SELECT * FROM channel WHERE id = :id FOR UPDATE")
_PAGE = text(
    f"{_CHANNEL} WHERE (CAST(:institution AS text) IS NULL OR c.institution = :institution) "
    "AND (CAST(:at AS timestamptz) IS NULL OR (c.created_at, c.id) < (:at, :id)) "
    "ORDER BY c.created_at DESC, c.id DESC LIMIT :limit"
)
_ADD = text("""
    INSERT INTO channel (id, name, institution, version, about, contact, home_url, topics, created_at, changed_at)
    VALUES (:id, :name, :institution, 1, :about, :contact, :home_url, :topics, :now, :now)
    ON CONFLICT (name) DO NOTHING RETURNING id
""")
_SAVE = text("""
    UPDATE channel SET version = :version, about = :about, contact = :contact, home_url = :home_url, topics = :topics, changed_at = :now
    WHERE id = :id
""")
_ONE_LIST = text("SELECT pg_advisory_xact_lock(hashtextextended('follows/' || :citizen, 0))")
_FOLLOWING = text("""
    SELECT c.id, c.name FROM following f JOIN channel c ON c.id = f.channel_id WHERE f.citizen_id = :citizen ORDER BY f.since, c.id
""")
_VERSION = text("SELECT version FROM follow_version WHERE citizen_id = :citizen")
_FOLLOWERS = text(
    "SELECT citizen_id FROM follow_version WHERE CAST(:after AS text) IS NULL OR citizen_id > :after "
    "ORDER BY citizen_id LIMIT :limit"
)
_FOLLOW = text("INSERT INTO following (citizen_id, channel_id, since) VALUES (:citizen, :channel, :now)")
_LEAVE = text("DELETE FROM following WHERE citizen_id = :citizen AND channel_id = :channel")
_NEXT = text("""
    INSERT INTO follow_version (citizen_id, version) VALUES (:citizen, :version)
    ON CONFLICT (citizen_id) DO UPDATE SET version = :version
""")


def channel_of(row: Row[Any]) -> Channel:
    profile = Profile(row.about, row.contact, row.home_url, tuple(row.topics))
    return Channel(row.id, row.name, row.institution, row.version, profile, row.created_at, row.changed_at)


async def institution(tx: AsyncConnection, name: str) -> Institution:
    """As it is known; one that was never heard of is neither verified nor has named anybody."""
    verified = (await tx.execute(_INSTITUTION, {"name": name})).scalar_one_or_none()
    named = await officers(tx, name)
    return Institution(name, bool(verified), {row.subject: frozenset(row.roles) for row in named})


async def institutions(tx: AsyncConnection) -> list[Row[Any]]:
    return list(await tx.execute(_INSTITUTIONS))


async def verify(tx: AsyncConnection, name: str, verified: bool, by: str, now: datetime) -> Row[Any]:
    values = {"name": name, "at": now if verified else None, "by": by if verified else None, "now": now}
    return (await tx.execute(_VERIFY, values)).one()


async def officers(tx: AsyncConnection, institution: str) -> list[Row[Any]]:
    return list(await tx.execute(_OFFICERS, {"name": institution}))


async def name_officer(tx: AsyncConnection, values: dict[str, Any]) -> Row[Any]:
    return (await tx.execute(_NAME, values)).one()


async def unname_officer(tx: AsyncConnection, institution: str, subject: str) -> bool:
    found = await tx.execute(_UNNAME, {"institution": institution, "subject": subject})
    return found.first() is not None


async def get(tx: AsyncConnection, id_: UUID) -> Row[Any] | None:
    """The channel's row, with `verified` and `followers`."""
    return (await tx.execute(_GET, {"id": id_})).first()


async def take(tx: AsyncConnection, id_: UUID) -> Channel | None:
    """The channel, locked."""
    row = (await tx.execute(_TAKE, {"id": id_})).first()
    return None if row is None else channel_of(row)


async def page(
    tx: AsyncConnection, institution: str | None, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[Row[Any]]:
    at, id_ = after or (None, None)
    values = {"institution": institution, "at": at, "id": id_, "limit": limit + 1}
    return (await tx.execute(_PAGE, values)).all()


async def add(
    tx: AsyncConnection, name: str, institution: str, now: datetime, profile: Profile | None = None
) -> UUID | None:
    """The new channel's id; None where there is one of that name."""
    values = {"id": uuid4(), "name": name, "institution": institution, "now": now, **_row(profile or Profile())}
    return (await tx.execute(_ADD, values)).scalar_one_or_none()


async def save(tx: AsyncConnection, channel: Channel) -> None:
    values = {"id": channel.id, "version": channel.version, "now": channel.changed_at, **_row(channel.profile)}
    await tx.execute(_SAVE, values)


def _row(profile: Profile) -> dict[str, Any]:
    return {**asdict(profile), "topics": list(profile.topics)}


async def following(tx: AsyncConnection, citizen_id: str, *, to_change: bool = False) -> Following:
    """A citizen's whole list; `to_change` makes whoever else changes it wait."""
    if to_change:
        await tx.execute(_ONE_LIST, {"citizen": citizen_id})
    version = (await tx.execute(_VERSION, {"citizen": citizen_id})).scalar_one_or_none()
    rows = await tx.execute(_FOLLOWING, {"citizen": citizen_id})
    return Following(citizen_id, version or 0, {row.id: row.name for row in rows})


async def followers_after(tx: AsyncConnection, after: str | None, limit: int) -> list[str]:
    """Citizens who ever followed a channel, in ascending order."""
    return list((await tx.execute(_FOLLOWERS, {"after": after, "limit": limit})).scalars())


async def keep_following(tx: AsyncConnection, before: Following, after: Following, now: datetime) -> None:
    named = {"citizen": after.citizen_id, "now": now}
    for id_ in after.channels.keys() - before.channels.keys():
        await tx.execute(_FOLLOW, {**named, "channel": id_})
    for id_ in before.channels.keys() - after.channels.keys():
        await tx.execute(_LEAVE, {**named, "channel": id_})
    await tx.execute(_NEXT, {**named, "version": after.version})
