"""Every SQL statement about where citizens are reached and how often."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.delivery.subscriptions.domain import Preference

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('subscriptions/' || :citizen, 0))")
_OF = text("SELECT * FROM target WHERE citizen_id = :citizen ORDER BY created_at, id")
_PUSHES = text("SELECT count(*) FROM target WHERE citizen_id = :citizen AND channel = 'push'")
_LOCK_ENDPOINT = text("SELECT pg_advisory_xact_lock(hashtextextended('endpoint/' || :address, 0))")
_TAKEN_OVER = text(
    "DELETE FROM target WHERE channel = 'push' AND md5(address) = md5(:address) AND address = :address AND citizen_id <> :citizen"
)
# The same endpoint again is the same device: it keeps its row, and what was sent to it is not sent again.
_ADD_PUSH = text("""
    INSERT INTO target (id, citizen_id, channel, address, p256dh, auth, state, created_at, active_since)
    VALUES (:id, :citizen, 'push', :address, :p256dh, :auth, 'active', :now, :now)
    ON CONFLICT (md5(address)) WHERE channel = 'push' DO UPDATE SET p256dh = excluded.p256dh, auth = excluded.auth
    RETURNING *
""")
_REMOVE = text("DELETE FROM target WHERE citizen_id = :citizen AND id = :id AND channel = :channel RETURNING id")
_REMOVE_MAIL = text("DELETE FROM target WHERE citizen_id = :citizen AND channel = 'mail' RETURNING id")
_REMOVE_ALL = (
    text("DELETE FROM target WHERE citizen_id = :citizen"), text("DELETE FROM preference WHERE citizen_id = :citizen"),
)  # fmt: skip
_MAIL_OF = text("SELECT * FROM target WHERE citizen_id = :citizen AND channel = 'mail' FOR UPDATE")
_ADD_MAIL = text("""
    INSERT INTO target (id, citizen_id, channel, address, state, token_hash, token_until, confirm_at, created_at)
    VALUES (:id, :citizen, 'mail', :address, 'pending', :token_hash, :until, :now, :now) RETURNING *
""")
_UNCONFIRMED = text("""
    UPDATE target SET confirm_at = CAST(:now AS timestamptz) + CAST(:lease AS interval) WHERE id IN (SELECT id FROM target
        WHERE confirm_at <= :now AND state = 'pending' AND token_until > :now ORDER BY confirm_at LIMIT 20 FOR UPDATE SKIP LOCKED)
    RETURNING id, address
""")
_ASKED_FOR = text("UPDATE target SET confirm_at = NULL WHERE id = :id")
_BY_TOKEN = text("SELECT * FROM target WHERE token_hash = :token_hash AND token_until > :now FOR UPDATE")
_CONFIRM = text("""
    UPDATE target SET state = 'active', active_since = coalesce(active_since, :now), token_hash = NULL,
        token_until = NULL, confirm_at = NULL
    WHERE id = :id
""")
_SUSPEND = text("UPDATE target SET state = 'suspended' WHERE id = :id AND channel = 'mail'")
_DROP_PENDING = text("""
    WITH letters AS (UPDATE letter SET state = 'dropped', because = 'refused', ended_at = :now WHERE target_id = :id AND ended_at IS NULL)
    UPDATE delivery SET state = 'dropped', because = 'refused', ended_at = :now, content = NULL
    WHERE target_id = :id AND ended_at IS NULL AND letter_id IS NULL
""")
_REMOVE_ENDPOINT = text("DELETE FROM target WHERE id = :id AND channel = 'push'")
_PREFERENCE = text("SELECT * FROM preference WHERE citizen_id = :citizen")
_PUT_PREFERENCE = text("""
    INSERT INTO preference (citizen_id, push, mail, hour, weekday, changed_at) VALUES (:citizen, :push, :mail, :hour, :weekday, :now)
    ON CONFLICT (citizen_id) DO UPDATE SET push = excluded.push, mail = excluded.mail, hour = excluded.hour,
        weekday = excluded.weekday, changed_at = excluded.changed_at
""")
_DIGEST_HOUR = text("SELECT digest_hour FROM citizen WHERE citizen_id = :citizen")
_OFF_LETTERS = text("""
    DELETE FROM letter l USING target t
    WHERE t.citizen_id = :citizen AND t.channel = :channel AND l.target_id = t.id AND l.ended_at IS NULL RETURNING l.id
""")
_OFF = text("""
    DELETE FROM delivery d USING target t WHERE t.citizen_id = :citizen AND t.channel = :channel AND d.target_id = t.id
        AND d.ended_at IS NULL AND (d.letter_id IS NULL OR d.letter_id = ANY(CAST(:letters AS uuid[])))
""")
_REPLAN = text("""
    UPDATE letter l SET due_at = :due_at FROM target t WHERE t.citizen_id = :citizen AND t.channel = :channel AND l.target_id = t.id
        AND l.state IN ('gathering', 'waiting') AND l.ended_at IS NULL
""")
_ASKED = text("SELECT count(*) FROM asked WHERE who = :who AND at > :since")
_ASK = text("INSERT INTO asked (who, at) VALUES (:who, :now)")


def hashed(what: str) -> str:
    return hashlib.sha256(what.encode()).hexdigest()


async def lock_citizen(tx: AsyncConnection, citizen_id: str) -> None:
    await tx.execute(_LOCK, {"citizen": citizen_id})


async def all_of(tx: AsyncConnection, citizen_id: str) -> list[Row[Any]]:
    return list(await tx.execute(_OF, {"citizen": citizen_id}))


async def pushes(tx: AsyncConnection, citizen_id: str) -> int:
    return int((await tx.execute(_PUSHES, {"citizen": citizen_id})).scalar_one())


async def add_push(tx: AsyncConnection, values: dict[str, Any]) -> Row[Any]:
    """A device that somebody else had registered has changed hands: it is theirs no longer."""
    await tx.execute(_LOCK_ENDPOINT, {"address": values["address"]})
    await tx.execute(_TAKEN_OVER, {"address": values["address"], "citizen": values["citizen"]})
    return (await tx.execute(_ADD_PUSH, values)).one()


async def remove_push(tx: AsyncConnection, citizen_id: str, id_: UUID) -> bool:
    return (await tx.execute(_REMOVE, {"citizen": citizen_id, "id": id_, "channel": "push"})).first() is not None


async def remove_mail(tx: AsyncConnection, citizen_id: str) -> bool:
    return (await tx.execute(_REMOVE_MAIL, {"citizen": citizen_id})).first() is not None


async def remove_all(tx: AsyncConnection, citizen_id: str) -> None:
    """Addresses and preferences; what was to be sent and was goes with the addresses."""
    for statement in _REMOVE_ALL:
        await tx.execute(statement, {"citizen": citizen_id})


async def mail_of(tx: AsyncConnection, citizen_id: str) -> Row[Any] | None:
    return (await tx.execute(_MAIL_OF, {"citizen": citizen_id})).first()


async def add_mail(tx: AsyncConnection, values: dict[str, Any]) -> Row[Any]:
    return (await tx.execute(_ADD_MAIL, values)).one()


async def take_unconfirmed(connection: AsyncConnection, now: datetime, lease: timedelta) -> list[Row[Any]]:
    """(id, address) of those that are still to be asked; asked by another after the lease, should this one die."""
    return list(await connection.execute(_UNCONFIRMED, {"now": now, "lease": lease}))


async def asked_for(connection: AsyncConnection, id_: UUID) -> None:
    """The confirmation is on its way."""
    await connection.execute(_ASKED_FOR, {"id": id_})


async def confirm(tx: AsyncConnection, token: str, now: datetime) -> bool:
    """Whether the token was good: the address is active from now."""
    row: Any = (await tx.execute(_BY_TOKEN, {"token_hash": hashed(token), "now": now})).first()
    if row is not None:
        await tx.execute(_CONFIRM, {"id": row.id, "now": now})
    return row is not None


async def suspend_mail(tx: AsyncConnection, id_: UUID, now: datetime) -> None:
    """The mailbox refused for good: nothing is sent there until the citizen registers it anew."""
    await tx.execute(_SUSPEND, {"id": id_})
    await tx.execute(_DROP_PENDING, {"id": id_, "now": now})


async def remove_endpoint(tx: AsyncConnection, id_: UUID) -> None:
    await tx.execute(_REMOVE_ENDPOINT, {"id": id_})


async def preference(tx: AsyncConnection, citizen_id: str) -> Preference:
    row: Any = (await tx.execute(_PREFERENCE, {"citizen": citizen_id})).first()
    return Preference() if row is None else Preference(row.push, row.mail, row.hour, row.weekday)


async def put_preference(tx: AsyncConnection, citizen_id: str, wanted: Preference, now: datetime) -> None:
    values = {"push": wanted.push, "mail": wanted.mail, "hour": wanted.hour, "weekday": wanted.weekday}
    await tx.execute(_PUT_PREFERENCE, {"citizen": citizen_id, "now": now, **values})


async def digest_hour(tx: AsyncConnection, citizen_id: str) -> int | None:
    """The hour that the citizen named at matching, as far as it is known here."""
    found = (await tx.execute(_DIGEST_HOUR, {"citizen": citizen_id})).scalar()
    return None if found is None else int(found)


async def turn_off(tx: AsyncConnection, citizen_id: str, channel: str) -> None:
    """Two statements: whoever was adding to a letter is waited for by the first, and what they added seen by the second."""
    letters = (await tx.execute(_OFF_LETTERS, {"citizen": citizen_id, "channel": channel})).scalars().all()
    await tx.execute(_OFF, {"citizen": citizen_id, "channel": channel, "letters": letters})


async def replan(tx: AsyncConnection, citizen_id: str, channel: str, due_at: datetime) -> None:
    """What waited for a digest waits for the next one under the new wishes."""
    await tx.execute(_REPLAN, {"citizen": citizen_id, "channel": channel, "due_at": due_at})


async def asked(tx: AsyncConnection, who: str, now: datetime, within: timedelta) -> int:
    """Count one more request; returns how many there were in that time before."""
    before = int((await tx.execute(_ASKED, {"who": hashed(who), "since": now - within})).scalar_one())
    await tx.execute(_ASK, {"who": hashed(who), "now": now})
    return before
