"""Every SQL statement about drafts and about who did what to them."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notices.drafts.domain import Draft, State

_COLUMNS = tuple(field.name for field in fields(Draft))
_VALUES = ", ".join("CAST(:content AS jsonb)" if name == "content" else f":{name}" for name in _COLUMNS)
_ADD = text(f"INSERT INTO notice_draft ({', '.join(_COLUMNS)}) VALUES ({_VALUES})")  # noqa: S608 - constants
_SAVE = text("""
    UPDATE notice_draft SET version = :version, state = :state, content = CAST(:content AS jsonb), emergency = :emergency,
        publish_at = :publish_at, writers = :writers, submitted_by = :submitted_by, approved_by = :approved_by, because = :because,
        changed_at = :changed_at
    WHERE id = :id
""")
_GET = text("SELECT * FROM notice_draft WHERE id = :id AND institution = :institution")
_TAKE = text("SELECT * FROM notice_draft WHERE id = :id AND institution = :institution FOR UPDATE")
_PAGE = text("""
    SELECT * FROM notice_draft
    WHERE institution = :institution AND (CAST(:state AS text) IS NULL OR state = :state)
        AND (CAST(:at AS timestamptz) IS NULL OR (created_at, id) < (:at, :id))
    ORDER BY created_at DESC, id DESC LIMIT :limit
""")
_DUE = text("""
    SELECT * FROM notice_draft WHERE state = 'approved' AND publish_at <= :now ORDER BY publish_at, id LIMIT :limit
    FOR UPDATE SKIP LOCKED
""")
_NOTE = text("INSERT INTO notice_act (draft_id, act, by_whom, note, at) VALUES (:draft, :act, :by, :note, :at)")
_ACTS = text("SELECT act, by_whom, note, at FROM notice_act WHERE draft_id = :draft ORDER BY seq")


def _draft(row: Row[Any]) -> Draft:
    values = {name: getattr(row, name) for name in _COLUMNS}
    return Draft(**values | {"writers": tuple(row.writers)})


def _row(draft: Draft) -> dict[str, Any]:
    return asdict(draft) | {"content": json.dumps(draft.content), "writers": list(draft.writers)}


async def add(tx: AsyncConnection, draft: Draft) -> None:
    await tx.execute(_ADD, _row(draft))


async def save(tx: AsyncConnection, draft: Draft) -> None:
    await tx.execute(_SAVE, _row(draft))


async def get(tx: AsyncConnection, id_: UUID, institution: str, *, for_update: bool = False) -> Draft | None:
    """The institution's own draft."""
    row = (await tx.execute(_TAKE if for_update else _GET, {"id": id_, "institution": institution})).first()
    return None if row is None else _draft(row)


async def page(
    tx: AsyncConnection, institution: str, state: State | None, after: tuple[datetime, UUID] | None, limit: int
) -> list[Draft]:
    at, id_ = after or (None, None)
    values = {"institution": institution, "state": state, "at": at, "id": id_, "limit": limit + 1}
    return [_draft(row) for row in await tx.execute(_PAGE, values)]


async def due(tx: AsyncConnection, now: datetime, limit: int) -> list[Draft]:
    """Approved drafts whose hour has come, locked; those that somebody else has in hand are left to them."""
    return [_draft(row) for row in await tx.execute(_DUE, {"now": now, "limit": limit})]


async def note(tx: AsyncConnection, draft: Draft, act: str, by: str, note: str = "") -> None:
    """One line of who did what to a draft."""
    await tx.execute(_NOTE, {"draft": draft.id, "act": act, "by": by, "note": note, "at": draft.changed_at})


async def acts(tx: AsyncConnection, id_: UUID) -> list[Row[Any]]:
    return list(await tx.execute(_ACTS, {"draft": id_}))
