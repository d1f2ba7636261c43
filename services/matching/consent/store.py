"""Every SQL statement about consents and the records the law asks for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.matching.consent.domain import Consent, Purpose

_GET = text("SELECT * FROM consent WHERE citizen_id = :citizen AND purpose = :purpose")
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('consent/' || :citizen, 0))")
_LOCK_ALL = text(
    "SELECT pg_advisory_xact_lock(hashtextextended('consent/' || citizen, 0)) "
    "FROM unnest(CAST(:citizens AS text[])) WITH ORDINALITY AS one (citizen, nth) ORDER BY nth"
)
_OF = text("SELECT * FROM consent WHERE citizen_id = :citizen ORDER BY purpose")
_SAVE = text(
    "INSERT INTO consent (citizen_id, purpose, epoch, terms_version, granted_at, withdrawn_at) "
    "VALUES (:citizen_id, :purpose, :epoch, :terms_version, :granted_at, :withdrawn_at) "
    "ON CONFLICT (citizen_id, purpose) DO UPDATE SET epoch = excluded.epoch, terms_version = excluded.terms_version, "
    "granted_at = excluded.granted_at, withdrawn_at = excluded.withdrawn_at"
)
_NOTE = text(
    "INSERT INTO consent_event (id, citizen_id, purpose, act, epoch, terms_version, at, erased) "
    "VALUES (:id, :citizen_id, :purpose, :act, :epoch, :terms_version, :at, CAST(:erased AS jsonb))"
)
# One statement, so one round trip and one transaction; its commit does not wait for the disk.
_COLLECT = text("""
    WITH lazily AS (SELECT set_config('synchronous_commit', 'off', true)),
    asked AS (SELECT citizen_id, sum(times) AS times FROM unnest(CAST(:citizens AS text[]), CAST(:times AS int[]))
        AS one(citizen_id, times) GROUP BY citizen_id),
    consented AS (SELECT citizen_id, c.epoch, asked.times FROM asked JOIN consent c USING (citizen_id)
        WHERE c.purpose = 'location' AND c.withdrawn_at IS NULL),
    recorded AS (INSERT INTO location_record (citizen_id, act, how, hour, times, first_at, last_at)
        SELECT citizen_id, 'collected', :how, date_trunc('hour', CAST(:now AS timestamptz)), times, :now, :now FROM consented
        WHERE times > 0 ORDER BY citizen_id
        ON CONFLICT (citizen_id, act, how, hour) DO UPDATE
        SET times = location_record.times + excluded.times, last_at = excluded.last_at)
    SELECT citizen_id, epoch FROM consented CROSS JOIN lazily
""")
_RECORD_MANY = text(
    "INSERT INTO location_record (citizen_id, act, how, hour, times, first_at, last_at) "
    "SELECT citizen, :act, :how, date_trunc('hour', CAST(:now AS timestamptz)), count(*), :now, :now "
    "FROM unnest(CAST(:citizens AS text[])) AS citizen GROUP BY citizen ORDER BY citizen "
    "ON CONFLICT (citizen_id, act, how, hour) DO UPDATE SET times = location_record.times + excluded.times, last_at = excluded.last_at"
)
_RECORDS = text(
    "SELECT act, how, hour, times, first_at, last_at FROM location_record WHERE citizen_id = :citizen "
    "ORDER BY hour DESC, act, how LIMIT :limit"
)
_FORGET = text("DELETE FROM location_record WHERE hour < :before")


def _consent(row: Row[Any]) -> Consent:
    return Consent(row.citizen_id, row.purpose, row.epoch, row.terms_version, row.granted_at, row.withdrawn_at)


async def lock_citizen(tx: AsyncConnection, citizen_id: str) -> None:
    """One change of a citizen's consent or watch at a time: their events keep their order."""
    await tx.execute(_LOCK, {"citizen": citizen_id})


async def lock_citizens(tx: AsyncConnection, citizens: Sequence[str]) -> None:
    """As `lock_citizen`, one after another in this order: ascending wherever several are locked."""
    await tx.execute(_LOCK_ALL, {"citizens": list(citizens)})


async def get(tx: AsyncConnection, citizen_id: str, purpose: Purpose) -> Consent | None:
    row = (await tx.execute(_GET, {"citizen": citizen_id, "purpose": purpose})).first()
    return None if row is None else _consent(row)


async def all_of(tx: AsyncConnection, citizen_id: str) -> list[Consent]:
    return [_consent(row) for row in await tx.execute(_OF, {"citizen": citizen_id})]


async def save(tx: AsyncConnection, consent: Consent) -> None:
    values = {
        name: getattr(consent, name)
        for name in ("citizen_id", "purpose", "epoch", "terms_version", "granted_at", "withdrawn_at")
    }
    await tx.execute(_SAVE, values)


async def note(
    tx: AsyncConnection, id_: UUID, consent: Consent, act: str, at: datetime, erased: dict[str, int] | None = None
) -> None:
    """Keep that consent was given or withdrawn, and what was erased for it."""
    await tx.execute(
        _NOTE,
        {"id": id_, "citizen_id": consent.citizen_id, "purpose": consent.purpose, "act": act, "epoch": consent.epoch,
         "terms_version": consent.terms_version, "at": at, "erased": json.dumps(erased)},
    )  # fmt: skip


@dataclass(frozen=True)
class Collecting:
    """How many fixes of a citizen are about to be taken in."""

    citizen_id: str
    times: int


async def collect(connection: AsyncConnection, asked: Sequence[Collecting], how: str, now: datetime) -> dict[str, int]:
    """The epochs of the consents to location in force, the collections recorded under them; without one a citizen is not
    in the answer and nothing is recorded. A crash may lose the last fraction of a second of counts, never an effect.
    """
    values = {"citizens": [one.citizen_id for one in asked], "times": [one.times for one in asked]}
    rows = await connection.execute(_COLLECT, {**values, "how": how, "now": now})
    return {row.citizen_id: row.epoch for row in rows}


async def record_uses(tx: AsyncConnection, citizens: Sequence[str], act: str, how: str, now: datetime) -> None:
    """위치정보법 §16②: that a location was used or provided, once for each time a citizen is named; never the location.
    Summed up by the hour.
    """
    if citizens:
        await tx.execute(_RECORD_MANY, {"citizens": list(citizens), "act": act, "how": how, "now": now})


async def records_of(tx: AsyncConnection, citizen_id: str, limit: int | None = None) -> list[Row[Any]]:
    return list(await tx.execute(_RECORDS, {"citizen": citizen_id, "limit": limit}))


async def forget_records(tx: AsyncConnection, now: datetime, kept_days: int) -> None:
    await tx.execute(_FORGET, {"before": now - timedelta(days=kept_days)})
