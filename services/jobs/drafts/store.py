"""Every SQL statement about drafts."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_ADD = text(
    "INSERT INTO draft (id, institution, name, keep, version, body, changed_at, changed_by) "
    "VALUES (:id, :institution, :name, :keep, 1, CAST(:body AS jsonb), :now, :by) RETURNING *"
)
_SAVE = text(
    "UPDATE draft SET name = :name, keep = :keep, body = CAST(:body AS jsonb), version = version + 1, changed_at = :now, "
    "changed_by = :by WHERE id = :id RETURNING *"
)
_GET = text("SELECT * FROM draft WHERE id = :id AND institution = :institution FOR UPDATE")
_PAGE = text(
    "SELECT * FROM draft WHERE institution = :institution AND (CAST(:at AS timestamptz) IS NULL "
    "OR (changed_at, id) < (:at, :id)) ORDER BY changed_at DESC, id DESC LIMIT :limit"
)
_DROP = text("DELETE FROM draft WHERE id = :id")


async def add(tx: AsyncConnection, values: dict[str, Any]) -> Row[Any]:
    return (await tx.execute(_ADD, values)).one()


async def save(tx: AsyncConnection, values: dict[str, Any]) -> Row[Any]:
    return (await tx.execute(_SAVE, values)).one()


async def take(tx: AsyncConnection, id_: UUID, institution: str) -> Row[Any] | None:
    """The institution's own draft, locked."""
    return (await tx.execute(_GET, {"id": id_, "institution": institution})).first()


async def page(
    tx: AsyncConnection, institution: str, after: tuple[datetime, UUID] | None, limit: int
) -> list[Row[Any]]:
    at, id_ = after or (None, None)
    return list(await tx.execute(_PAGE, {"institution": institution, "at": at, "id": id_, "limit": limit + 1}))


async def drop(tx: AsyncConnection, id_: UUID) -> None:
    await tx.execute(_DROP, {"id": id_})
