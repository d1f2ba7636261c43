"""Every SQL statement about reviews."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.jobs.trust.domain import Review

_COLUMNS = tuple(field.name for field in fields(Review))
_SET = ", ".join(f"{name} = :{name}" for name in _COLUMNS if name != "id")
_ADD = text(f"INSERT INTO review ({', '.join(_COLUMNS)}) VALUES ({', '.join(':' + c for c in _COLUMNS)})")  # noqa: S608
_SAVE = text(f"UPDATE review SET {_SET} WHERE id = :id")  # noqa: S608
_OF_CLAIM = text("SELECT * FROM review WHERE claim_id = :claim ORDER BY created_at, id FOR UPDATE")
_GET = text("SELECT * FROM review WHERE id = :id FOR UPDATE")
_DUE = text(
    "SELECT * FROM review WHERE state = 'sealed' AND created_at <= :before ORDER BY created_at LIMIT 1 "
    "FOR UPDATE SKIP LOCKED"
)
_APPEALS = text(
    "SELECT * FROM review WHERE appealed_at IS NOT NULL AND decided_because IS NULL AND (CAST(:at AS timestamptz) IS NULL "
    "OR (appealed_at, id) > (:at, :id)) ORDER BY appealed_at, id LIMIT :limit"
)


def _review(row: Row[Any]) -> Review:
    values: dict[str, Any] = {name: getattr(row, name) for name in _COLUMNS}
    return Review(**{**values, "tags": tuple(row.tags)})


def _row(review: Review) -> dict[str, Any]:
    return asdict(review) | {"tags": list(review.tags)}


async def add(tx: AsyncConnection, review: Review) -> None:
    await tx.execute(_ADD, _row(review))


async def save(tx: AsyncConnection, review: Review) -> None:
    await tx.execute(_SAVE, _row(review))


async def of_claim(tx: AsyncConnection, claim_id: UUID) -> list[Review]:
    """Both sides' reviews, locked."""
    return [_review(row) for row in await tx.execute(_OF_CLAIM, {"claim": claim_id})]


async def take(tx: AsyncConnection, id_: UUID) -> Review | None:
    row = (await tx.execute(_GET, {"id": id_})).first()
    return None if row is None else _review(row)


async def due(tx: AsyncConnection, before: datetime) -> Review | None:
    """A sealed review whose time to be shown has come."""
    row = (await tx.execute(_DUE, {"before": before})).first()
    return None if row is None else _review(row)


async def appeals(tx: AsyncConnection, after: tuple[datetime, UUID] | None, limit: int) -> list[Review]:
    """What awaits a moderator, the oldest first."""
    at, id_ = after or (None, None)
    return [_review(row) for row in await tx.execute(_APPEALS, {"at": at, "id": id_, "limit": limit + 1})]
