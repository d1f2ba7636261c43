"""Every SQL statement about boards and what came from them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notices.boards.domain import Board, Item

_ADD = text("""
    INSERT INTO board (id, institution, channel, url, kind, dongs, topics, made_by, due_at, created_at)
    VALUES (:id, :institution, :channel, :url, :kind, :dongs, :topics, :made_by, :now, :now)
    ON CONFLICT (institution, url, channel) DO NOTHING RETURNING *
""")
_OF = text("SELECT * FROM board WHERE institution = :institution ORDER BY created_at DESC, id LIMIT 200")
_COUNT = text("SELECT count(*) FROM board WHERE institution = :institution")
_GET = text("SELECT * FROM board WHERE id = :id AND institution = :institution")
_REMOVE = text("DELETE FROM board WHERE id = :id AND institution = :institution RETURNING id")
_NOW = text("UPDATE board SET due_at = :now WHERE id = :id AND institution = :institution RETURNING *")
_ITEMS = text("SELECT * FROM board_item WHERE board_id = :id ORDER BY changed_at DESC, guid_hash LIMIT 200")
# What is taken is due again after the lease, should its reader die with it.
_TAKE = text("""
    UPDATE board SET due_at = CAST(:now AS timestamptz) + CAST(:lease AS interval) WHERE id IN (SELECT id FROM board WHERE due_at <= :now
        ORDER BY due_at LIMIT :most FOR UPDATE SKIP LOCKED)
    RETURNING *
""")
_LOCK = text("SELECT * FROM board WHERE id = :id FOR UPDATE")
_READ = text("""
    UPDATE board SET read_at = :now, due_at = :due_at, failures = 0, failed_because = NULL, etag = :etag, last_modified = :last_modified
    WHERE id = :id
""")
_FAILED = text("""
    UPDATE board SET failures = failures + 1, failed_because = :because, failed_at = :now, due_at = :due_at WHERE id = :id
""")
_FAILING = text("SELECT count(*) FROM board WHERE failures >= :after")
_KNOWN = text("SELECT * FROM board_item WHERE board_id = :id AND guid_hash = ANY(CAST(:guids AS bytea[]))")
_PUT = text("""
    INSERT INTO board_item (board_id, guid_hash, content_hash, headline, draft_id, skipped, seen_at, changed_at)
    VALUES (:id, :guid, :content, :headline, :draft_id, :skipped, :now, :now)
    ON CONFLICT (board_id, guid_hash) DO UPDATE SET content_hash = excluded.content_hash, headline = excluded.headline,
        draft_id = coalesce(excluded.draft_id, board_item.draft_id), skipped = excluded.skipped, changed_at = excluded.changed_at
""")


def board_of(row: Row[Any]) -> Board:
    return Board(
        row.id, row.institution, row.channel, row.url, row.kind, tuple(row.dongs), tuple(row.topics), row.made_by, row.etag,
        row.last_modified, row.failures,
    )  # fmt: skip


async def add(tx: AsyncConnection, values: dict[str, Any]) -> Row[Any] | None:
    """None where the institution reads it into that channel already."""
    return (await tx.execute(_ADD, values)).first()


async def of_institution(tx: AsyncConnection, institution: str) -> list[Row[Any]]:
    return list(await tx.execute(_OF, {"institution": institution}))


async def count(tx: AsyncConnection, institution: str) -> int:
    return int((await tx.execute(_COUNT, {"institution": institution})).scalar_one())


async def get(tx: AsyncConnection, id_: UUID, institution: str) -> Row[Any] | None:
    return (await tx.execute(_GET, {"id": id_, "institution": institution})).first()


async def remove(tx: AsyncConnection, id_: UUID, institution: str) -> bool:
    """What came from it goes with it; drafts stay."""
    return (await tx.execute(_REMOVE, {"id": id_, "institution": institution})).first() is not None


async def look_now(tx: AsyncConnection, id_: UUID, institution: str, now: datetime) -> Row[Any] | None:
    return (await tx.execute(_NOW, {"id": id_, "institution": institution, "now": now})).first()


async def items(tx: AsyncConnection, id_: UUID) -> list[Row[Any]]:
    return list(await tx.execute(_ITEMS, {"id": id_}))


async def take_due(tx: AsyncConnection, now: datetime, lease: timedelta, most: int) -> list[Board]:
    rows = await tx.execute(_TAKE, {"now": now, "lease": lease, "most": most})
    return [board_of(row) for row in rows]


async def lock(tx: AsyncConnection, id_: UUID) -> Row[Any] | None:
    """One reading of a board at a time."""
    return (await tx.execute(_LOCK, {"id": id_})).first()


async def was_read(
    tx: AsyncConnection, id_: UUID, now: datetime, due_at: datetime, etag: str | None, last_modified: str | None
) -> None:
    await tx.execute(_READ, {"id": id_, "now": now, "due_at": due_at, "etag": etag, "last_modified": last_modified})


async def failed(tx: AsyncConnection, id_: UUID, now: datetime, due_at: datetime, because: str) -> None:
    await tx.execute(_FAILED, {"id": id_, "now": now, "due_at": due_at, "because": because[:300]})


async def failing(tx: AsyncConnection, after: int) -> int:
    """How many boards failed so often in a row, or oftener."""
    return int((await tx.execute(_FAILING, {"after": after})).scalar_one())


async def known(tx: AsyncConnection, id_: UUID, found: Sequence[Item]) -> dict[bytes, Row[Any]]:
    rows = await tx.execute(_KNOWN, {"id": id_, "guids": [item.guid_hash for item in found]})
    return {bytes(row.guid_hash): row for row in rows}


async def put(
    tx: AsyncConnection, id_: UUID, item: Item, now: datetime, *, draft_id: UUID | None, skipped: str | None
) -> None:
    await tx.execute(_PUT, {
        "id": id_, "guid": item.guid_hash, "content": item.content_hash, "headline": item.headline, "draft_id": draft_id,
        "skipped": skipped, "now": now,
    })  # fmt: skip
