"""Every SQL statement about the ledger, and the claims whose workers did not come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.jobs.work.domain import Line

_COLUMNS = tuple(field.name for field in fields(Line))
_ADD = text(f"INSERT INTO ledger ({', '.join(_COLUMNS)}) VALUES ({', '.join(':' + c for c in _COLUMNS)})")  # noqa: S608
_OF_CLAIM = text("SELECT * FROM ledger WHERE claim_id = :claim ORDER BY seq")
_TOTAL = text("""
    SELECT coalesce(sum(minutes), 0) AS minutes, coalesce(sum(pay_krw), 0) AS krw FROM ledger
    WHERE citizen_id = :citizen AND month = :month
""")
_TOLD = text("""
    INSERT INTO month_cap (citizen_id, month, reached) SELECT :citizen, :month, :reached
    WHERE :reached OR EXISTS (SELECT 1 FROM month_cap WHERE citizen_id = :citizen AND month = :month)
    ON CONFLICT (citizen_id, month) DO UPDATE SET reached = :reached WHERE month_cap.reached <> :reached RETURNING 1
""")
_STATEMENT = """
    SELECT l.*, p.headline, p.place_name, c.starts_at FROM ledger l JOIN claim c ON c.id = l.claim_id
    JOIN posting p ON p.id = l.posting_id WHERE l.{whose} = :name AND l.month = :month ORDER BY l.seq
"""
_STATEMENTS = {whose: text(_STATEMENT.format(whose=whose)) for whose in ("citizen_id", "institution")}
_MISSING = text("""
    SELECT id FROM claim WHERE state IN ('held', 'reconfirm') AND starts_at <= :before ORDER BY starts_at LIMIT 1
""")


def _line(row: Row[Any]) -> Line:
    return Line(**{name: getattr(row, name) for name in _COLUMNS})


async def add(tx: AsyncConnection, lines: Sequence[Line]) -> None:
    if lines:
        await tx.execute(_ADD, [asdict(line) for line in lines])


async def of_claim(tx: AsyncConnection, claim_id: UUID) -> list[Line]:
    return [_line(row) for row in await tx.execute(_OF_CLAIM, {"claim": claim_id})]


async def total(tx: AsyncConnection, citizen_id: str, month: str) -> tuple[int, int]:
    """(minutes, won) of a citizen's month."""
    row = (await tx.execute(_TOTAL, {"citizen": citizen_id, "month": month})).one()
    return int(row.minutes), int(row.krw)


async def cap_changed(tx: AsyncConnection, citizen_id: str, month: str, *, reached: bool) -> bool:
    """Remember whether the month's cap is reached. True where that is news."""
    values = {"citizen": citizen_id, "month": month, "reached": reached}
    return (await tx.execute(_TOLD, values)).first() is not None


async def statement(
    tx: AsyncConnection, month: str, *, citizen: str | None = None, institution: str = ""
) -> list[Row[Any]]:
    """A month's lines with what they were for: a citizen's, or an institution's."""
    whose, name = ("citizen_id", citizen) if citizen is not None else ("institution", institution)
    return list(await tx.execute(_STATEMENTS[whose], {"name": name, "month": month}))


async def missing(tx: AsyncConnection, before: datetime) -> UUID | None:
    """A claim whose work began by then and nobody has come."""
    return (await tx.execute(_MISSING, {"before": before})).scalar()
