"""A database from before there were letters: what waits for a digest moves into one, and what was tried keeps its id."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from uuid import UUID, uuid4

import asyncpg
import pytest
from alembic import command
from alembic.config import Config

from shared.database import create_if_missing, migrate
from tests.databases import Databases

pytestmark = pytest.mark.component
BEFORE = "0002"
_TARGET = """
    INSERT INTO target (id, citizen_id, channel, address, state, created_at, active_since)
    VALUES ($1, $2, 'mail', $2 || '@example.com', 'active', now(), now())
"""
_ROW = """
    INSERT INTO delivery (alert_id, target_id, citizen_id, channel, posting_id, posting_version, urgency_epoch, kind, urgent, emergency,
        located, watch_version, content, expires_at, digest, due_at, wanted_at, state, attempts, batch, ended_at)
    VALUES ($1, $2, '-', 'mail', gen_random_uuid(), 1, 0, 'job', false, false, true, 1,
        CASE WHEN $3 = 'sent' THEN NULL ELSE '{}'::jsonb END, now() + interval '1 day', $4, now() + $5 * interval '1 hour', now(), $3, $6,
        $7, CASE WHEN $3 = 'sent' THEN now() END)
"""


def upgraded(url: str, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(files("services.delivery.migrations")))
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = url
    command.upgrade(config, revision)


async def added(
    connection: asyncpg.Connection, target: UUID, state: str, digest: bool, due_h: int, tries: int, batch: UUID | None
) -> UUID:
    alert = uuid4()
    await connection.execute(_ROW, alert, target, state, digest, due_h, tries, batch)
    return alert


async def test_what_waits_for_a_digest_moves_into_letters(databases: Databases) -> None:
    url = databases.url("migrated_delivery")
    await create_if_missing(url)
    await asyncio.to_thread(upgraded, url, BEFORE)
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    one, other, tried, underway = (uuid4() for _ in range(4))
    for target in (one, other):
        await connection.execute(_TARGET, target, target.hex)
    fresh = [await added(connection, one, "waiting", True, hours, 0, None) for hours in (5, 3)]
    again = [await added(connection, one, "waiting", True, 1, 2, tried) for _ in range(2)]
    out = await added(connection, other, "sending", True, 0, 1, underway)
    instant = await added(connection, other, "waiting", False, 0, 0, None)
    sent = await added(connection, other, "sent", True, 0, 1, uuid4())
    await asyncio.to_thread(migrate, "delivery", url)
    letters = {row["id"]: row for row in await connection.fetch("SELECT * FROM letter")}
    rows = {row["alert_id"]: row for row in await connection.fetch("SELECT * FROM delivery")}
    gathering = next(id_ for id_, row in letters.items() if row["state"] == "gathering")
    assert {rows[alert]["letter_id"] for alert in fresh} == {gathering}
    assert {rows[alert]["letter_id"] for alert in again} == {tried}
    assert (rows[out]["letter_id"], letters[underway]["state"]) == (underway, "sending")
    assert (letters[tried]["state"], letters[tried]["attempts"]) == ("waiting", 2)
    assert letters[gathering]["target_id"] == one
    assert {rows[alert]["state"] for alert in (*fresh, *again, out)} == {"gathered"}
    assert [(rows[alert]["state"], rows[alert]["letter_id"]) for alert in (instant, sent)] == [
        ("waiting", None),
        ("sent", None),
    ]
    hours = await connection.fetchval(
        "SELECT round(extract(epoch FROM due_at - now()) / 3600) FROM letter WHERE id = $1", gathering
    )
    assert hours == 3, "the first time that was planned"
    await connection.execute("DELETE FROM target WHERE id = $1", one)
    assert await connection.fetch("SELECT 1 FROM delivery WHERE target_id = $1", one) == []
    assert len(await connection.fetch("SELECT 1 FROM letter")) == 1
    await connection.close()
