"""Every SQL statement about watches. Settings are one JSON document: they are only ever read and written whole."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts import Watch

_GET = text("SELECT settings FROM watch WHERE citizen_id = :citizen")
_SAVE = text(
    "INSERT INTO watch (citizen_id, version, settings, changed_at) "
    "VALUES (:citizen, :version, CAST(:settings AS jsonb), :changed_at) "
    "ON CONFLICT (citizen_id) DO UPDATE SET version = excluded.version, settings = excluded.settings, changed_at = excluded.changed_at"
)


async def get(tx: AsyncConnection, citizen_id: str) -> Watch | None:
    row: Any = (await tx.execute(_GET, {"citizen": citizen_id})).first()
    return None if row is None else Watch.model_validate(row.settings)


async def save(tx: AsyncConnection, watch: Watch) -> None:
    await tx.execute(
        _SAVE,
        {
            "citizen": watch.citizen_id,
            "version": watch.version,
            "settings": watch.model_dump_json(),
            "changed_at": watch.changed_at,
        },
    )
