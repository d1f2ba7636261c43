"""Keeping profiles as events are told, and building them anew from all that ever was."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import asdict

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.jobs.trust.domain import Facts, speaks_of_a_profile
from shared.contracts import Event

_LOCK = text(
    "INSERT INTO profile (citizen_id, facts) VALUES (:citizen, '{}') "
    "ON CONFLICT (citizen_id) DO UPDATE SET facts = profile.facts RETURNING facts"
)
_PUT = text("UPDATE profile SET facts = CAST(:facts AS jsonb) WHERE citizen_id = :citizen")
_GET = text("SELECT facts FROM profile WHERE citizen_id = :citizen")
_CLEAR = text("DELETE FROM profile")
_FILL = text("INSERT INTO profile (citizen_id, facts) VALUES (:citizen, CAST(:facts AS jsonb))")


async def project(tx: AsyncConnection, event: Event) -> None:
    """Take one event into its citizen's profile, in the transaction in which it is told."""
    citizen_id = getattr(event, "citizen_id", None)
    if citizen_id is None or not speaks_of_a_profile(event):
        return
    row = (await tx.execute(_LOCK, {"citizen": citizen_id})).one()
    facts = Facts(**row.facts)
    if facts.take(event):
        await tx.execute(_PUT, {"citizen": citizen_id, "facts": json.dumps(asdict(facts))})


async def facts_of(tx: AsyncConnection, citizen_id: str) -> Facts:
    row = (await tx.execute(_GET, {"citizen": citizen_id})).first()
    return Facts() if row is None else Facts(**row.facts)


async def rebuild(tx: AsyncConnection, told: AsyncIterator[Event]) -> int:
    """Forget every profile and make it anew from the events. Returns how many there are."""
    everybody: dict[str, Facts] = {}
    async for event in told:
        citizen_id = getattr(event, "citizen_id", None)
        if citizen_id is not None and speaks_of_a_profile(event):
            everybody.setdefault(citizen_id, Facts()).take(event)
    await tx.execute(_CLEAR)
    for citizen_id, facts in everybody.items():
        await tx.execute(_FILL, {"citizen": citizen_id, "facts": json.dumps(asdict(facts))})
    return len(everybody)
