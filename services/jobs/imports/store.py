"""Every SQL statement about imports; what is written of ten thousand rows goes in a few round trips."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.jobs.postings.domain import JobPosting, as_posting
from services.jobs.postings.store import postings
from shared.messaging.outbox import emit_many

SOURCE = "/services/jobs"

_KNOWN = text("""
    SELECT external_id, posting_id, digest, row FROM imported WHERE institution = :institution
    AND external_id = ANY(CAST(:ids AS text[]))
""")
_OPEN_WORDS = text("""
    SELECT headline, place_name, starts_at FROM posting WHERE institution = :institution AND status = 'open' AND expires_at > :now
""")
_ADD_IMPORT = text("""
    INSERT INTO import (id, institution, source, imported_by, at, report)
    VALUES (:id, :institution, :source, :by, :at, CAST(:report AS jsonb))
""")
_IMPORTED = text("""
    INSERT INTO imported (institution, external_id, posting_id, digest, row, import_id)
    SELECT :institution, r.external_id, r.posting_id, r.digest, r.row, :import_id
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(external_id text, posting_id uuid, digest text, row jsonb)
    ON CONFLICT (institution, external_id) DO UPDATE SET digest = excluded.digest, row = excluded.row, import_id = excluded.import_id
""")
_STEPS = text("""
    INSERT INTO import_step (import_id, external_id, posting_id, before, before_digest)
    SELECT :import_id, r.external_id, r.posting_id, r.before, r.before_digest
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(external_id text, posting_id uuid, before jsonb, before_digest text)
""")
_GET = text("SELECT * FROM import WHERE id = :id AND institution = :institution FOR UPDATE")
_PAGE = text(
    "SELECT * FROM import WHERE institution = :institution AND (CAST(:at AS timestamptz) IS NULL OR (at, id) < (:at, :id)) "
    "ORDER BY at DESC, id DESC LIMIT :limit"
)
_STEPS_OF = text("SELECT * FROM import_step WHERE import_id = :id ORDER BY external_id")
_ROLLED_BACK = text("UPDATE import SET rolled_back_at = :now WHERE id = :id")
_RESTORE = text("""
    UPDATE imported SET digest = :digest, row = CAST(:row AS jsonb) WHERE institution = :institution AND external_id = :external_id
""")
_FORGET = text("DELETE FROM imported WHERE institution = :institution AND external_id = :external_id")


async def known(tx: AsyncConnection, institution: str, ids: Sequence[str]) -> dict[str, Row[Any]]:
    """What was imported before under these ids."""
    rows = await tx.execute(_KNOWN, {"institution": institution, "ids": list(ids)})
    return {row.external_id: row for row in rows}


async def open_words(tx: AsyncConnection, institution: str, now: datetime) -> list[Row[Any]]:
    return list(await tx.execute(_OPEN_WORDS, {"institution": institution, "now": now}))


async def add_import(tx: AsyncConnection, values: dict[str, Any], report: dict[str, Any]) -> None:
    await tx.execute(_ADD_IMPORT, {**values, "report": json.dumps(report)})


async def add_steps(tx: AsyncConnection, institution: str, import_id: UUID, steps: Sequence[dict[str, Any]]) -> None:
    """Which rows did what: {external_id, posting_id, digest, row, before, before_digest}."""
    rows = json.dumps(steps, default=str)
    await tx.execute(_IMPORTED, {"institution": institution, "import_id": import_id, "rows": rows})
    await tx.execute(_STEPS, {"import_id": import_id, "rows": rows})


async def open_many(tx: AsyncConnection, jobs: Sequence[JobPosting], now: datetime) -> None:
    """New postings and what is told of them."""
    if not jobs:
        return
    await postings.add_many(tx, jobs)
    await emit_many(tx, [as_posting(job) for job in jobs], source=SOURCE, now=now)


async def take(tx: AsyncConnection, id_: UUID, institution: str) -> Row[Any] | None:
    return (await tx.execute(_GET, {"id": id_, "institution": institution})).first()


async def page(
    tx: AsyncConnection, institution: str, after: tuple[datetime, UUID] | None, limit: int
) -> list[Row[Any]]:
    at, id_ = after or (None, None)
    return list(await tx.execute(_PAGE, {"institution": institution, "at": at, "id": id_, "limit": limit + 1}))


async def steps_of(tx: AsyncConnection, import_id: UUID) -> list[Row[Any]]:
    return list(await tx.execute(_STEPS_OF, {"id": import_id}))


async def rolled_back(tx: AsyncConnection, import_id: UUID, now: datetime) -> None:
    await tx.execute(_ROLLED_BACK, {"id": import_id, "now": now})


async def restore(tx: AsyncConnection, institution: str, step: Row[Any]) -> None:
    """What the row said before; nothing, where it was new."""
    values = {"institution": institution, "external_id": step.external_id}
    if step.before is None:
        await tx.execute(_FORGET, values)
    else:
        await tx.execute(_RESTORE, {**values, "digest": step.before_digest, "row": json.dumps(step.before)})
