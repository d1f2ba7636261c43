"""The table of notices, whose statements are those of every offer, and their revisions."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import ARRAY, Boolean, Column, DateTime, Row, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notices.publishing.domain import Attachment, Notice, Terms, Translation
from shared.contracts.posting import Where
from shared.offers.store import OfferStore, offer_table

Time = DateTime(timezone=True)
notice = offer_table(
    "notice",
    Column("headline", Text), Column("body", Text), Column("circles", JSONB), Column("dongs", ARRAY(Text)),
    Column("channel", Text), Column("urgent", Boolean), Column("followers", Boolean), Column("emergency", Boolean),
    Column("deadline", Time), Column("edited_at", Time), Column("origin", Text), Column("more", JSONB),
)  # fmt: skip

_SAME = ("headline", "body", "channel", "urgent", "followers", "emergency", "deadline", "edited_at", "origin")


def _row_of(terms: Terms) -> dict[str, Any]:
    more = {
        "summary": terms.summary, "attachments": [asdict(a) for a in terms.attachments],
        "translations": [asdict(t) for t in terms.translations], "statistics": [str(id_) for id_ in terms.statistics],
    }  # fmt: skip
    return {**{name: getattr(terms, name) for name in _SAME}, "more": more, **terms.target.model_dump(mode="json")}


def _terms_of(row: Row[Any]) -> Terms:
    return Terms(
        target=Where.model_validate({"circles": row.circles, "dongs": row.dongs}), interests=tuple(row.interests),
        expires_at=row.expires_at, summary=row.more.get("summary"),
        attachments=tuple(Attachment(**a) for a in row.more.get("attachments", ())),
        translations=tuple(Translation(**t) for t in row.more.get("translations", ())),
        statistics=tuple(UUID(id_) for id_ in row.more.get("statistics", ())),
        **{name: getattr(row, name) for name in _SAME},
    )  # fmt: skip


notices = OfferStore(notice, _row_of, _terms_of)
_terms = TypeAdapter(Terms)

_REVISE = text(
    "INSERT INTO notice_revision (notice_id, version, terms, at) VALUES (:id, :version, CAST(:terms AS jsonb), :at) ON CONFLICT DO NOTHING"
)
_REVISIONS = text(
    "SELECT version, at, terms FROM notice_revision WHERE notice_id = :id ORDER BY version DESC LIMIT 200"
)
_REVISION = text("SELECT terms FROM notice_revision WHERE notice_id = :id AND version = :version")
_EXPIRED = text(
    "SELECT id FROM notice WHERE status = 'open' AND expires_at <= :now ORDER BY expires_at LIMIT 50 FOR UPDATE SKIP LOCKED"
)


async def revise(tx: AsyncConnection, notice: Notice) -> None:
    """Keep this version's words for as long as the notice is kept."""
    terms = _terms.dump_json(notice.terms).decode()
    await tx.execute(_REVISE, {"id": notice.id, "version": notice.version, "terms": terms, "at": notice.changed_at})


async def revisions(tx: AsyncConnection, id_: UUID) -> list[tuple[int, datetime, Terms]]:
    """(version, when, words), newest first."""
    rows = await tx.execute(_REVISIONS, {"id": id_})
    return [(row.version, row.at, _terms.validate_python(row.terms)) for row in rows]


async def revision(tx: AsyncConnection, id_: UUID, version: int) -> Terms | None:
    row = (await tx.execute(_REVISION, {"id": id_, "version": version})).first()
    return None if row is None else _terms.validate_python(row.terms)


async def over(tx: AsyncConnection, now: datetime) -> list[UUID]:
    """Open notices whose time is over, locked, some at a time."""
    return list((await tx.execute(_EXPIRED, {"now": now})).scalars())
