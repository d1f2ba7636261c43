"""Every SQL statement about places."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.places.domain import Place

_PUT = text("""
    INSERT INTO place (id, institution, kind, name, about, address, lat, lon, seats, phone, homepage, hours, rest_text, changed_at)
    SELECT r.id, :institution, r.kind, r.name, r.about, r.address, r.lat, r.lon, r.seats, r.phone, r.homepage, r.hours, r.rest_text, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, kind text, name text, about text, address text, lat float8,
        lon float8, seats int, phone text, homepage text, hours jsonb, rest_text text)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, about = excluded.about, address = excluded.address, lat = excluded.lat,
        lon = excluded.lon, seats = excluded.seats, phone = excluded.phone, homepage = excluded.homepage, hours = excluded.hours,
        rest_text = excluded.rest_text, changed_at = :now
""")
_REMOVE = text("DELETE FROM place WHERE id = ANY(CAST(:ids AS uuid[]))")
_SPOTS = text("SELECT id, name, lat, lon FROM place")
_PAGE = text("""
    SELECT * FROM place WHERE CAST(:kind AS text) IS NULL OR kind = :kind ORDER BY name, id LIMIT :limit
""")


async def put_many(tx: AsyncConnection, places: Sequence[Place], institution: str, now: datetime) -> None:
    rows = json.dumps([place.as_row() for place in places], default=str)
    await tx.execute(_PUT, {"rows": rows, "institution": institution, "now": now})


async def remove(tx: AsyncConnection, ids: Collection[UUID]) -> None:
    await tx.execute(_REMOVE, {"ids": list(ids)})


async def spots(tx: AsyncConnection) -> list[Row[Any]]:
    return list(await tx.execute(_SPOTS))


async def listed(tx: AsyncConnection, kind: str | None, limit: int) -> list[Row[Any]]:
    return list(await tx.execute(_PAGE, {"kind": kind, "limit": limit}))
