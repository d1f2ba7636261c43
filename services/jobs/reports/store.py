"""Every SQL statement about reports, what they hold back, who is blocked, and the audit trail."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.jobs.reports.domain import Report

_COLUMNS = tuple(field.name for field in fields(Report))
_ADD = text(
    f"INSERT INTO report ({', '.join(_COLUMNS)}) VALUES ({', '.join(':' + c for c in _COLUMNS)}) "  # noqa: S608
    "ON CONFLICT (posting_id, reporter) DO NOTHING RETURNING id"
)
_SAVE = text("UPDATE report SET state = :state, changed_at = :changed_at WHERE id = :id")
_GET = text("SELECT * FROM report WHERE id = :id FOR UPDATE")
_FIND = text("SELECT * FROM report WHERE id = :id")
_QUEUE = text(
    "SELECT * FROM report WHERE state = :state AND (CAST(:at AS timestamptz) IS NULL OR (created_at, id) > (:at, :id)) "
    "ORDER BY created_at, id LIMIT :limit"
)
_HOLD = text(
    "INSERT INTO held_posting (posting_id, status, closed_because) VALUES (:posting, :status, :because) ON CONFLICT DO NOTHING"
)
_UNHOLD = text("DELETE FROM held_posting WHERE posting_id = :posting RETURNING status, closed_because")
_AUDIT = text(
    "INSERT INTO audit (id, at, moderator, act, subject, reason) VALUES (gen_random_uuid(), :at, :moderator, :act, :subject, :reason)"
)
_TRAIL = text(
    "SELECT * FROM audit WHERE (CAST(:subject AS text) IS NULL OR subject = :subject) "
    "AND (CAST(:at AS timestamptz) IS NULL OR (at, id) < (:at, :id)) ORDER BY at DESC, id DESC LIMIT :limit"
)
_BLOCK = text("""
    INSERT INTO blocked (kind, name, reason, by_whom, since) VALUES (:kind, :name, :reason, :by, :since)
    ON CONFLICT (kind, name) DO UPDATE SET reason = :reason, by_whom = :by RETURNING *
""")
_UNBLOCK = text("DELETE FROM blocked WHERE kind = :kind AND name = :name RETURNING name")
_BLOCKED = text("SELECT * FROM blocked ORDER BY since DESC, kind, name LIMIT 1000")


def _report(row: Row[Any]) -> Report:
    return Report(**{name: getattr(row, name) for name in _COLUMNS})


async def add(tx: AsyncConnection, report: Report) -> bool:
    """False where this person reported this posting before."""
    return (await tx.execute(_ADD, asdict(report))).first() is not None


async def save(tx: AsyncConnection, report: Report) -> None:
    await tx.execute(_SAVE, {"id": report.id, "state": report.state, "changed_at": report.changed_at})


async def get(tx: AsyncConnection, id_: UUID, *, for_update: bool = False) -> Report | None:
    row = (await tx.execute(_GET if for_update else _FIND, {"id": id_})).first()
    return None if row is None else _report(row)


async def queue(tx: AsyncConnection, state: str, after: tuple[datetime, UUID] | None, limit: int) -> list[Report]:
    """Reports in a state, the oldest first."""
    at, id_ = after or (None, None)
    rows = await tx.execute(_QUEUE, {"state": state, "at": at, "id": id_, "limit": limit + 1})
    return [_report(row) for row in rows]


async def hold(tx: AsyncConnection, posting_id: UUID, status: str, because: str | None) -> None:
    await tx.execute(_HOLD, {"posting": posting_id, "status": status, "because": because})


async def unhold(tx: AsyncConnection, posting_id: UUID) -> tuple[str, str | None] | None:
    """How the posting was before it was held."""
    row = (await tx.execute(_UNHOLD, {"posting": posting_id})).first()
    return None if row is None else (row.status, row.closed_because)


async def note(tx: AsyncConnection, *, moderator: str, act: str, subject: str, reason: str, at: datetime) -> None:
    """One line of the audit trail."""
    await tx.execute(_AUDIT, {"moderator": moderator, "act": act, "subject": subject, "reason": reason, "at": at})


async def trail(
    tx: AsyncConnection, subject: str | None, after: tuple[datetime, UUID] | None, limit: int
) -> list[Row[Any]]:
    at, id_ = after or (None, None)
    return list(await tx.execute(_TRAIL, {"subject": subject, "at": at, "id": id_, "limit": limit + 1}))


async def block(tx: AsyncConnection, values: dict[str, Any]) -> Row[Any]:
    return (await tx.execute(_BLOCK, values)).one()


async def unblock(tx: AsyncConnection, kind: str, name: str) -> bool:
    return (await tx.execute(_UNBLOCK, {"kind": kind, "name": name})).first() is not None


async def blocked(tx: AsyncConnection) -> list[Row[Any]]:
    return list(await tx.execute(_BLOCKED))
