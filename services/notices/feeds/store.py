"""Every SQL statement about feeds: they only read."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notices.feeds.domain import MOST_ENTRIES, Scope, Told
from services.notices.publishing import store as publishing
from services.notices.publishing.domain import Notice
from services.notices.publishing.store import notice, notices

# A transaction may commit after a later one: how many changed lately tells that too.
_VERSION = text("""
    SELECT (SELECT max(changed_at) FROM notice) AS newest, count(*) AS lately FROM notice WHERE changed_at > :since
""")
LATELY = timedelta(minutes=10)
ENDED_KEPT = timedelta(days=1)


async def version(connection: AsyncConnection, now: datetime) -> tuple[datetime | None, int]:
    """Differs when any notice changed."""
    row = (await connection.execute(_VERSION, {"since": now - LATELY})).one()
    return row.newest, int(row.lately)


async def of_scope(tx: AsyncConnection, scope: Scope, now: datetime, *, emergencies: bool) -> list[Notice]:
    """What is open, newest first; of emergencies also those that ended within a day, for whoever repeats them."""
    table = notice.c
    query = select(notice).order_by(table.created_at.desc(), table.id.desc()).limit(MOST_ENTRIES)
    if emergencies:
        ended = (table.status == "closed") & (table.changed_at > now - ENDED_KEPT)
        query = query.where(table.emergency & (((table.status == "open") & (table.expires_at > now)) | ended))
    else:
        query = query.where((table.status == "open") & (table.expires_at > now))
    if scope.channel is not None:
        query = query.where(table.channel == scope.channel)
    if scope.topic is not None:
        query = query.where(table.interests.any(scope.topic))
    if scope.dong is not None:
        query = query.where(table.dongs.any(scope.dong))
    return [notices.offer_of(row) for row in await tx.execute(query)]


async def earlier(tx: AsyncConnection, id_: UUID) -> list[Told]:
    """The versions of a notice that were told, oldest first."""
    found: list[Any] = await publishing.revisions(tx, id_)
    return [Told(version, at, terms) for version, at, terms in reversed(found)]
