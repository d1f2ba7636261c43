"""Every SQL statement about what is to be sent by itself, and about what decides whether anything is. An alert is sent once per
addressee because the two are the key; what goes into a digest belongs to a letter (letters.store).

A courier locks the addressees it takes; what it took is due again when its lease is over, so that nothing is lost with it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

# OFFSET 0: looked up one by one; joined as a whole it would be the whole table for each of the many parts of a digest to everybody.
_TARGETS = text("""
    SELECT t.id, t.citizen_id, t.channel, t.active_since, coalesce(p.push, 'instant') AS push, coalesce(p.mail, 'daily') AS mail,
        coalesce(p.hour, c.digest_hour) AS hour, coalesce(p.weekday, 0) AS weekday, c.watch_version, c.digest_hour
    FROM target t LEFT JOIN LATERAL (SELECT * FROM preference WHERE citizen_id = t.citizen_id OFFSET 0) p ON true
    LEFT JOIN LATERAL (SELECT * FROM citizen WHERE citizen_id = t.citizen_id OFFSET 0) c ON true
    WHERE t.citizen_id = ANY(CAST(:citizens AS text[])) AND t.state = 'active' FOR KEY SHARE OF t
""")
_ADD = text("""
    INSERT INTO delivery (alert_id, target_id, citizen_id, channel, posting_id, posting_version, urgency_epoch, kind, urgent,
        emergency, located, watch_version, content, expires_at, digest, due_at, wanted_at, state)
    SELECT r.alert_id, r.target_id, r.citizen_id, r.channel, r.posting_id, r.posting_version, r.urgency_epoch, r.kind, r.urgent,
        r.emergency, r.located, r.watch_version, r.content, r.expires_at, false, r.due_at, r.wanted_at, 'waiting'
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(alert_id uuid, target_id uuid, citizen_id text, channel text, posting_id uuid,
        posting_version int, urgency_epoch int, kind text, urgent boolean, emergency boolean, located boolean, watch_version int,
        content jsonb, expires_at timestamptz, due_at timestamptz, wanted_at timestamptz)
    ORDER BY r.target_id, r.alert_id ON CONFLICT DO NOTHING
""")
_PUT_POSTINGS = text("""
    INSERT INTO posting (id, version, urgency_epoch, status, headline, starts_at, ends_at, expires_at, link, channel, topics)
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, version int, urgency_epoch int, status text, headline text,
        starts_at timestamptz, ends_at timestamptz, expires_at timestamptz, link text, channel text, topics text[])
    ON CONFLICT (id) DO UPDATE SET version = excluded.version, urgency_epoch = excluded.urgency_epoch, status = excluded.status,
        headline = excluded.headline, starts_at = excluded.starts_at, ends_at = excluded.ends_at, expires_at = excluded.expires_at,
        link = excluded.link, channel = excluded.channel, topics = excluded.topics
    WHERE posting.version < excluded.version
""")
_PUT_CITIZENS = text("""
    INSERT INTO citizen (citizen_id, watch_version, consent_epoch, since_version, located, paused, kinds, quiet, muted_channels,
        muted_topics, muted_postings, digest_hour)
    SELECT r.citizen_id, r.version, r.consent_epoch, r.version, r.located, r.paused, r.kinds, r.quiet, r.muted_channels,
        r.muted_topics, r.muted_postings, r.digest_hour
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(citizen_id text, version int, consent_epoch int, located boolean, paused boolean,
        kinds text[], quiet jsonb, muted_channels text[], muted_topics text[], muted_postings uuid[], digest_hour smallint)
    ON CONFLICT (citizen_id) DO UPDATE SET watch_version = excluded.watch_version, consent_epoch = excluded.consent_epoch,
        since_version = CASE WHEN citizen.consent_epoch = excluded.consent_epoch AND citizen.located AND excluded.located
            THEN citizen.since_version ELSE excluded.watch_version END,
        located = excluded.located, paused = excluded.paused, kinds = excluded.kinds, quiet = excluded.quiet,
        muted_channels = excluded.muted_channels, muted_topics = excluded.muted_topics, muted_postings = excluded.muted_postings,
        digest_hour = excluded.digest_hour
    WHERE citizen.watch_version < excluded.watch_version
""")
_ERASE = text("""
    WITH of AS MATERIALIZED (SELECT t.id, c.located, c.since_version FROM citizen c JOIN target t ON t.citizen_id = c.citizen_id
        WHERE c.citizen_id = ANY(CAST(:citizens AS text[]))),
    gathered AS (DELETE FROM delivery d USING of JOIN letter l ON l.target_id = of.id
        WHERE l.ended_at IS NULL AND d.letter_id = l.id AND d.ended_at IS NULL
            AND d.located AND (NOT of.located OR d.watch_version < of.since_version))
    DELETE FROM delivery d USING of WHERE d.target_id = of.id AND d.ended_at IS NULL AND d.letter_id IS NULL
        AND d.located AND (NOT of.located OR d.watch_version < of.since_version)
""")
_LOCK_TARGETS = text("""
    SELECT t.id, t.citizen_id, t.channel, t.address, t.p256dh, t.auth, coalesce(p.push, 'instant') AS push,
        coalesce(p.mail, 'daily') AS mail, coalesce(p.hour, c.digest_hour) AS hour, coalesce(p.weekday, 0) AS weekday
    FROM target t LEFT JOIN preference p ON p.citizen_id = t.citizen_id LEFT JOIN citizen c ON c.citizen_id = t.citizen_id
    WHERE t.state = 'active' AND t.id IN (SELECT d.target_id FROM delivery d WHERE d.channel = :channel AND d.ended_at IS NULL
        AND d.letter_id IS NULL AND d.due_at <= :now AND (d.emergency OR :open) ORDER BY d.due_at LIMIT :most * 4)
    LIMIT :most FOR NO KEY UPDATE OF t SKIP LOCKED
""")
_DUE = text("""
    SELECT * FROM delivery d WHERE d.target_id = ANY(CAST(:targets AS uuid[])) AND d.ended_at IS NULL AND d.letter_id IS NULL
        AND d.due_at <= :now AND (d.emergency OR :open)
    ORDER BY d.due_at, d.alert_id FOR UPDATE OF d
""")
_POSTINGS = text("SELECT * FROM posting WHERE id = ANY(CAST(:ids AS uuid[]))")
_CITIZENS = text("SELECT * FROM citizen WHERE citizen_id = ANY(CAST(:citizens AS text[]))")
_TOLD = text("""
    SELECT target_id, count(*) FILTER (WHERE NOT urgent) AS ordinary, count(*) FILTER (WHERE urgent) AS urgent FROM delivery
    WHERE target_id = ANY(CAST(:targets AS uuid[])) AND state = 'sent' AND NOT digest AND ended_at >= :since GROUP BY target_id
""")
_APPLY = text("""
    UPDATE delivery d SET state = r.state, because = r.because, due_at = coalesce(r.due_at, d.due_at),
        wanted_at = coalesce(r.wanted_at, d.wanted_at), batch = r.batch,
        attempts = CASE WHEN r.state = 'sending' THEN d.attempts + 1 ELSE d.attempts END,
        ended_at = CASE WHEN r.state = 'dropped' THEN CAST(:now AS timestamptz) END,
        content = CASE WHEN r.state = 'dropped' THEN NULL ELSE d.content END
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(alert_id uuid, target_id uuid, state text, because text, due_at timestamptz,
        wanted_at timestamptz, batch uuid)
    WHERE d.alert_id = r.alert_id AND d.target_id = r.target_id
""")
# `ended_at IS NULL`, though it says no more than the state: by it the index of what is pending is used.
_SENT = text("""
    WITH done AS (SELECT * FROM unnest(CAST(:targets AS uuid[]), CAST(:batches AS uuid[])) AS d(target_id, batch)),
    told AS (UPDATE target t SET last_sent_at = :now FROM done WHERE t.id = done.target_id)
    UPDATE delivery d SET state = 'sent', ended_at = :now, content = NULL, because = NULL
    FROM done WHERE d.target_id = done.target_id AND d.batch = done.batch AND d.state = 'sending' AND d.ended_at IS NULL
""")
_LATER = text("""
    UPDATE delivery SET state = CASE WHEN attempts >= :most THEN 'dropped' ELSE 'waiting' END,
        because = CASE WHEN attempts >= :most THEN 'gave-up' END, due_at = :until, attempts = attempts - :back,
        ended_at = CASE WHEN attempts >= :most THEN CAST(:now AS timestamptz) END,
        content = CASE WHEN attempts >= :most THEN NULL ELSE content END
    WHERE target_id = :target AND batch = :batch AND state = 'sending' AND ended_at IS NULL
""")
_REFUSED = text("""
    UPDATE delivery SET state = 'dropped', because = 'refused', ended_at = :now, content = NULL
    WHERE target_id = :target AND batch = :batch AND state = 'sending' AND ended_at IS NULL
""")
_FORGET = text("DELETE FROM delivery WHERE ended_at < :before")
_FORGET_POSTINGS = text("DELETE FROM posting WHERE expires_at < :before")
_FORGET_ASKED = text("DELETE FROM asked WHERE at < :before")
_FORGET_UNCONFIRMED = text("DELETE FROM target WHERE state = 'pending' AND token_until < :before")
POSTINGS_KEPT, ASKED_KEPT = timedelta(days=30), timedelta(days=1)


def _as_json(rows: Sequence[dict[str, Any]]) -> str:
    return msgspec.json.encode(rows).decode()


async def targets_of(tx: AsyncConnection, citizens: Sequence[str]) -> list[Row[Any]]:
    """Where these citizens are to be reached, and how."""
    return list(await tx.execute(_TARGETS, {"citizens": citizens}))


async def add(tx: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """What was added before stays as it is."""
    if rows:
        await tx.execute(_ADD, {"rows": _as_json(rows)})


async def put_postings(tx: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    await tx.execute(_PUT_POSTINGS, {"rows": _as_json(rows)})


async def put_citizens(tx: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Keeps the newest watch of each; what is pending without consent by now is erased."""
    await tx.execute(_PUT_CITIZENS, {"rows": _as_json(rows)})
    await tx.execute(_ERASE, {"citizens": [row["citizen_id"] for row in rows]})


async def lock_targets(tx: AsyncConnection, channel: str, now: datetime, most: int, *, open_: bool) -> list[Row[Any]]:
    """Addressees for whom something is due by itself, who are nobody else's at the moment; unless open, for emergencies alone."""
    return list(await tx.execute(_LOCK_TARGETS, {"channel": channel, "now": now, "most": most, "open": open_}))


async def due(tx: AsyncConnection, targets: Sequence[UUID], now: datetime, *, open_: bool) -> list[Row[Any]]:
    return list(await tx.execute(_DUE, {"targets": list(targets), "now": now, "open": open_}))


async def postings(tx: AsyncConnection, ids: Collection[UUID]) -> dict[UUID, Row[Any]]:
    return {row.id: row for row in await tx.execute(_POSTINGS, {"ids": list(ids)})}


async def citizens(tx: AsyncConnection, ids: Sequence[str]) -> dict[str, Row[Any]]:
    return {row.citizen_id: row for row in await tx.execute(_CITIZENS, {"citizens": list(ids)})}


async def told_since(tx: AsyncConnection, targets: Sequence[UUID], since: datetime) -> dict[UUID, Row[Any]]:
    return {row.target_id: row for row in await tx.execute(_TOLD, {"targets": list(targets), "since": since})}


async def apply(tx: AsyncConnection, rows: Sequence[dict[str, Any]], now: datetime) -> None:
    """What was decided about each."""
    if rows:
        await tx.execute(_APPLY, {"rows": _as_json(rows), "now": now})


async def sent(connection: AsyncConnection, messages: Sequence[tuple[UUID, UUID]], now: datetime) -> None:
    """Each message is known by its addressee and its id."""
    values = {"targets": [target for target, _ in messages], "batches": [batch for _, batch in messages]}
    await connection.execute(_SENT, {**values, "now": now})


async def later(
    connection: AsyncConnection, target: UUID, batch: UUID, now: datetime, until: datetime, *, most: int, counts: bool
) -> None:
    """Tried again then; given up if that was the last try. A try that does not count is given back."""
    values = {"most": most if counts else 32_000, "back": 0 if counts else 1}
    await connection.execute(_LATER, {"target": target, "batch": batch, "now": now, "until": until, **values})


async def refused(connection: AsyncConnection, target: UUID, batch: UUID, now: datetime) -> None:
    await connection.execute(_REFUSED, {"target": target, "batch": batch, "now": now})


async def forget_old(tx: AsyncConnection, now: datetime, kept_days: int) -> None:
    """That something was sent, postings that are long over, addresses that nobody confirmed."""
    await tx.execute(_FORGET, {"before": now - timedelta(days=kept_days)})
    await tx.execute(_FORGET_POSTINGS, {"before": now - POSTINGS_KEPT})
    await tx.execute(_FORGET_ASKED, {"before": now - ASKED_KEPT})
    await tx.execute(_FORGET_UNCONFIRMED, {"before": now})
