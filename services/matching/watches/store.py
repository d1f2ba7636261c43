"""Every SQL statement about watches. Settings are one JSON document: they are only ever read and written whole.

Each version's settings are kept for as long as an alert may ask for them ("왜 받았나요?"), without what was muted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts import Watch

_GET = text("SELECT settings FROM watch WHERE citizen_id = :citizen")
_MANY = text("SELECT settings FROM watch WHERE citizen_id = ANY(CAST(:citizens AS text[])) ORDER BY citizen_id")
_CITIZENS = text(
    "SELECT citizen_id FROM watch WHERE CAST(:after AS text) IS NULL OR citizen_id > :after ORDER BY citizen_id LIMIT :limit"
)
_SAVE = text(
    "INSERT INTO watch (citizen_id, version, settings, changed_at) "
    "VALUES (:citizen, :version, CAST(:settings AS jsonb), :changed_at) "
    "ON CONFLICT (citizen_id) DO UPDATE SET version = excluded.version, settings = excluded.settings, changed_at = excluded.changed_at"
)
_BEGIN = text(
    "WITH before AS (UPDATE watch_version SET ended_at = :changed_at WHERE citizen_id = :citizen AND ended_at IS NULL) "
    "INSERT INTO watch_version (citizen_id, version, settings, begun_at) "
    "VALUES (:citizen, :version, CAST(:settings AS jsonb), :changed_at)"
)
_AS_OF = text("SELECT settings FROM watch_version WHERE citizen_id = :citizen AND version = :version")
_FORGET = text("DELETE FROM watch_version WHERE ended_at < :before")
_TAKE_FOLLOWS = text("""
    INSERT INTO follows_taken (citizen_id, version) VALUES (:citizen, :version)
    ON CONFLICT (citizen_id) DO UPDATE SET version = excluded.version WHERE follows_taken.version < excluded.version
    RETURNING version
""")
REMEMBERED = ("paused", "kinds", "interests", "radius_m", "birth_year", "windows", "weekly", "quiet", "home_dongs")


async def get(tx: AsyncConnection, citizen_id: str) -> Watch | None:
    row: Any = (await tx.execute(_GET, {"citizen": citizen_id})).first()
    return None if row is None else Watch.model_validate(row.settings)


async def citizens_after(tx: AsyncConnection, after: str | None, limit: int) -> list[str]:
    """Who has settings, in ascending order."""
    return list((await tx.execute(_CITIZENS, {"after": after, "limit": limit})).scalars())


async def many(tx: AsyncConnection, citizens: Sequence[str]) -> list[Watch]:
    rows = await tx.execute(_MANY, {"citizens": list(citizens)})
    return [Watch.model_validate(row.settings) for row in rows]


async def save(tx: AsyncConnection, watch: Watch) -> None:
    named = {"citizen": watch.citizen_id, "version": watch.version, "changed_at": watch.changed_at}
    await tx.execute(_SAVE, {**named, "settings": watch.model_dump_json()})
    remembered = watch.model_dump(mode="json", include=set(REMEMBERED))
    await tx.execute(_BEGIN, {**named, "settings": json.dumps(remembered)})


async def as_of(tx: AsyncConnection, citizen_id: str, version: int) -> dict[str, Any] | None:
    """The settings of one version, unless they are forgotten by now."""
    row: Any = (await tx.execute(_AS_OF, {"citizen": citizen_id, "version": version})).first()
    return None if row is None else dict(row.settings)


async def forget_versions(tx: AsyncConnection, now: datetime, kept_days: int) -> None:
    """Versions that were replaced so long ago; the one in force stays, however old."""
    await tx.execute(_FORGET, {"before": now - timedelta(days=kept_days)})


async def take_follows(tx: AsyncConnection, citizen_id: str, version: int) -> bool:
    """Whether this version of a citizen's follows is news."""
    return (await tx.execute(_TAKE_FOLLOWS, {"citizen": citizen_id, "version": version})).first() is not None
