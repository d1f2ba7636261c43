"""Every SQL statement about letters. A letter is what one addressee's digest is made of: its items are written once, when they
come, and it alone is taken, sent and noted. Its id is the message's id; of each addressee one letter gathers at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_KNOWN = text("""
    SELECT d.target_id, d.alert_id FROM unnest(CAST(:targets AS uuid[]), CAST(:alerts AS uuid[])) AS r(target_id, alert_id)
    CROSS JOIN LATERAL (SELECT * FROM delivery WHERE target_id = r.target_id AND alert_id = r.alert_id OFFSET 0) d
""")
_OPEN = text("""
    INSERT INTO letter (target_id, channel, due_at, state)
    SELECT r.*, 'gathering' FROM unnest(CAST(:targets AS uuid[]), CAST(:channels AS text[]), CAST(:dues AS timestamptz[]))
        AS r(target_id, channel, due_at) ORDER BY r.target_id
    ON CONFLICT (target_id) WHERE state = 'gathering' DO UPDATE SET due_at = least(letter.due_at, excluded.due_at)
    RETURNING target_id, id
""")
_PUT_IN = text("""
    INSERT INTO delivery (alert_id, target_id, citizen_id, channel, posting_id, posting_version, urgency_epoch, kind, urgent, emergency,
        located, watch_version, content, expires_at, digest, wanted_at, state, letter_id)
    SELECT r.alert_id, r.target_id, r.citizen_id, r.channel, r.posting_id, r.posting_version, r.urgency_epoch, r.kind, r.urgent, false,
        r.located, r.watch_version, r.content, r.expires_at, true, r.wanted_at, 'gathered', r.letter_id
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(alert_id uuid, target_id uuid, citizen_id text, channel text, posting_id uuid,
        posting_version int, urgency_epoch int, kind text, urgent boolean, located boolean, watch_version int, content jsonb,
        expires_at timestamptz, wanted_at timestamptz, letter_id uuid)
    ORDER BY r.target_id, r.alert_id ON CONFLICT DO NOTHING
""")
_MOVE = text("""
    UPDATE delivery d SET letter_id = m.letter_id, state = 'gathered', digest = true, due_at = NULL, batch = NULL
    FROM unnest(CAST(:targets AS uuid[]), CAST(:alerts AS uuid[]), CAST(:letters AS uuid[])) AS m(target_id, alert_id, letter_id)
    WHERE d.target_id = m.target_id AND d.alert_id = m.alert_id
""")
_LOCK_DUE = text("""
    WITH due AS MATERIALIZED (SELECT id, attempts, target_id FROM letter
        WHERE channel = :channel AND ended_at IS NULL AND due_at <= :now ORDER BY due_at LIMIT :most FOR UPDATE SKIP LOCKED)
    SELECT due.*, t.citizen_id, t.channel, t.address, t.p256dh, t.auth, t.state = 'active' AS reachable
    FROM due LEFT JOIN target t ON t.id = due.target_id
""")
_ITEMS = text("""
    SELECT letter_id, alert_id, posting_id, posting_version, urgency_epoch, kind, urgent, located, watch_version, expires_at, wanted_at,
        content
    FROM delivery WHERE letter_id = ANY(CAST(:letters AS uuid[])) AND ended_at IS NULL AND content IS NOT NULL
""")
_ON_THEIR_WAY = text("""
    UPDATE letter SET state = 'sending', due_at = :until, attempts = attempts + 1 WHERE id = ANY(CAST(:letters AS uuid[]))
""")
_LOOK_AGAIN = text("""
    UPDATE letter l SET due_at = r.due_at, state = CASE WHEN l.state = 'gathering' THEN l.state ELSE 'waiting' END
    FROM unnest(CAST(:letters AS uuid[]), CAST(:dues AS timestamptz[])) AS r(id, due_at) WHERE l.id = r.id
""")
_NOTHING_LEFT = text("""
    UPDATE letter SET state = 'dropped', ended_at = :now WHERE id = ANY(CAST(:letters AS uuid[]))
""")
_DROP_ITEMS = text("""
    UPDATE delivery d SET state = 'dropped', because = r.because, ended_at = :now, content = NULL
    FROM unnest(CAST(:targets AS uuid[]), CAST(:alerts AS uuid[]), CAST(:becauses AS text[])) AS r(target_id, alert_id, because)
    WHERE d.target_id = r.target_id AND d.alert_id = r.alert_id
""")
_SENT = text("""
    UPDATE letter SET state = 'sent', because = NULL, ended_at = :now
    WHERE id = ANY(CAST(:letters AS uuid[])) AND state = 'sending'
""")
_LATER = text("""
    UPDATE letter SET state = CASE WHEN attempts >= :most THEN 'dropped' ELSE 'waiting' END,
        because = CASE WHEN attempts >= :most THEN 'gave-up' END, due_at = :until, attempts = attempts - :back,
        ended_at = CASE WHEN attempts >= :most THEN CAST(:now AS timestamptz) END
    WHERE id = :letter AND state = 'sending'
""")
_REFUSED = text("""
    UPDATE letter SET state = 'dropped', because = 'refused', ended_at = :now WHERE id = :letter AND state = 'sending'
""")
_CLEAR = text("""
    WITH ended AS MATERIALIZED (SELECT id, target_id, state, ended_at FROM letter WHERE ended_at IS NOT NULL AND NOT cleared
        ORDER BY ended_at LIMIT :most FOR UPDATE SKIP LOCKED),
    emptied AS (UPDATE delivery SET content = NULL WHERE letter_id = ANY(ARRAY(SELECT id FROM ended)) AND content IS NOT NULL),
    reached AS (UPDATE target t SET last_sent_at = greatest(t.last_sent_at, e.at) FROM (SELECT target_id, max(ended_at) AS at
        FROM ended WHERE state = 'sent' GROUP BY target_id) e WHERE t.id = e.target_id)
    UPDATE letter SET cleared = true WHERE id = ANY(ARRAY(SELECT id FROM ended))
""")
_FORGET = (
    text("DELETE FROM delivery d USING letter l WHERE d.letter_id = l.id AND l.cleared AND l.ended_at < :before"),
    text("DELETE FROM letter WHERE cleared AND ended_at < :before"),
)


async def gather(tx: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Into the letter that each addressee's next digest is, due no later than asked for; what is known stays where it is.

    What is known already opens no letter; what somebody else adds at this very moment may leave one empty. All letters are open, in
    the order of their addressees, before the first item is written: two who do this wait for each other, never both.
    """
    asked = {"targets": [row["target_id"] for row in rows], "alerts": [row["alert_id"] for row in rows]}
    known = {(row.target_id, row.alert_id) for row in await tx.execute(_KNOWN, asked)} if rows else set()
    fresh = [row for row in rows if (row["target_id"], row["alert_id"]) not in known]
    letters = await _open(tx, [(row["target_id"], row["channel"], row["due_at"]) for row in fresh])
    put = [{**row, "letter_id": letters[row["target_id"]]} for row in fresh]
    if put:
        await tx.execute(_PUT_IN, {"rows": msgspec.json.encode(put).decode()})


async def gather_known(tx: AsyncConnection, channel: str, moved: Sequence[tuple[UUID, UUID, datetime]]) -> None:
    """(addressee, alert, due) of what was to go by itself, or in a letter that goes without it."""
    letters = await _open(tx, [(target, channel, due_at) for target, _, due_at in moved])
    if moved:
        values = {"targets": [target for target, _, _ in moved], "alerts": [alert for _, alert, _ in moved]}
        await tx.execute(_MOVE, {**values, "letters": [letters[target] for target, _, _ in moved]})


async def _open(tx: AsyncConnection, wanted: Sequence[tuple[UUID, str, datetime]]) -> dict[UUID, UUID]:
    """The letter that gathers, of each addressee of (addressee, channel, due)."""
    first: dict[UUID, tuple[str, datetime]] = {}
    for target, channel, due_at in wanted:
        first[target] = (channel, min(due_at, first[target][1]) if target in first else due_at)
    if not first:
        return {}
    values = {"channels": [channel for channel, _ in first.values()], "dues": [due_at for _, due_at in first.values()]}
    return {row.target_id: row.id for row in await tx.execute(_OPEN, {"targets": list(first), **values})}


async def lock_due(tx: AsyncConnection, channel: str, now: datetime, most: int) -> list[Row[Any]]:
    """Letters that are due and nobody else's at the moment, with whom they go to; `reachable` is None where nobody is left."""
    return list(await tx.execute(_LOCK_DUE, {"channel": channel, "now": now, "most": most}))


async def items(tx: AsyncConnection, letters: Sequence[UUID]) -> list[Row[Any]]:
    return list(await tx.execute(_ITEMS, {"letters": list(letters)}))


async def on_their_way(tx: AsyncConnection, letters: Sequence[UUID], until: datetime) -> None:
    """Due again then, should this courier die."""
    if letters:
        await tx.execute(_ON_THEIR_WAY, {"letters": list(letters), "until": until})


async def look_again(tx: AsyncConnection, dues: Sequence[tuple[UUID, datetime]]) -> None:
    if dues:
        await tx.execute(_LOOK_AGAIN, {"letters": [id_ for id_, _ in dues], "dues": [due_at for _, due_at in dues]})


async def nothing_left(tx: AsyncConnection, letters: Sequence[UUID], now: datetime) -> None:
    if letters:
        await tx.execute(_NOTHING_LEFT, {"letters": list(letters), "now": now})


async def drop_items(tx: AsyncConnection, dropped: Sequence[tuple[UUID, UUID, str]], now: datetime) -> None:
    """(addressee, alert, why) of what its letter goes without."""
    if dropped:
        targets, alerts, becauses = zip(*dropped, strict=True)
        values = {"targets": list(targets), "alerts": list(alerts), "becauses": list(becauses)}
        await tx.execute(_DROP_ITEMS, {**values, "now": now})


async def sent(connection: AsyncConnection, letters: Sequence[UUID], now: datetime) -> None:
    await connection.execute(_SENT, {"letters": list(letters), "now": now})


async def later(
    connection: AsyncConnection, letter: UUID, now: datetime, until: datetime, *, most: int, counts: bool
) -> None:
    """Tried again then; given up if that was the last try. A try that does not count is given back."""
    values = {"most": most if counts else 32_000, "back": 0 if counts else 1}
    await connection.execute(_LATER, {"letter": letter, "now": now, "until": until, **values})


async def refused(connection: AsyncConnection, letter: UUID, now: datetime) -> None:
    await connection.execute(_REFUSED, {"letter": letter, "now": now})


async def clear(connection: AsyncConnection, most: int) -> int:
    """What letters said that are over is forgotten, and that their addressees were reached is noted; returns how many letters."""
    return int((await connection.execute(_CLEAR, {"most": most})).rowcount)


async def forget_old(tx: AsyncConnection, now: datetime, kept_days: int) -> None:
    """That letters were sent."""
    for statement in _FORGET:
        await tx.execute(statement, {"before": now - timedelta(days=kept_days)})
