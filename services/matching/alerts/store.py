"""Every SQL statement about the inbox. An alert is told once because its id is the key; a row that changes takes the
next number of `inbox_change`, by which live streams go on where they were.

Who writes for a citizen first takes the lock of the citizen's shard (`in_order`), so that of one citizen's rows a higher
number is never visible before a lower one: a stream that has seen number n has seen all that n will ever have before it.

A posting's row is locked (share) while alerts about it are written and (update) while it changes, so that of an alert
and a closing at the same time the second always sees the first (M5).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.alert import ALERTS
from shared.messaging.partitions import partition_of

SHARDS = ALERTS.partitions
MOVED = "장소가 바뀌었습니다"
_IN_ORDER = text("SELECT pg_advisory_xact_lock(1768841839, shard) FROM unnest(CAST(:shards AS int[])) AS shard")
_LOCK_POSTINGS = text("SELECT id FROM posting WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR SHARE")

# What is known of the posting by now decides what is told: nothing if it is over, its newest words if it was edited.
# An alert made under settings from before the consent in force is of a consent that was withdrawn (M9); one that was made
# of no position (the 동 chosen as home, a channel followed) needs no consent to location.
_ADD = text("""
    INSERT INTO inbox_item (id, citizen_id, posting_id, posting_version, urgency_epoch, urgent, kind, institution, headline,
        distance_m, dong, starts_at, ends_at, expires_at, shows, link, why, state, due_at, made_at, told_at, made_of_version, emergency,
        reminder)
    SELECT a.id, a.citizen_id, a.posting_id, greatest(a.posting_version, coalesce(p.version, 0)), a.urgency_epoch, a.urgent, a.kind,
        a.institution,
        CASE WHEN n.newer THEN p.headline ELSE a.headline END, a.distance_m, a.dong,
        CASE WHEN n.newer THEN p.starts_at ELSE a.starts_at END, CASE WHEN n.newer THEN p.ends_at ELSE a.ends_at END,
        CASE WHEN n.newer AND a.reminder IS NOT TRUE THEN p.expires_at ELSE a.expires_at END,
        CASE WHEN n.newer THEN p.shows ELSE a.shows END,
        CASE WHEN n.newer THEN p.link ELSE a.link END, a.why,
        CASE WHEN w.waits THEN 'deferred' ELSE 'open' END, CASE WHEN w.waits THEN q.due_at END, a.made_at,
        CASE WHEN w.waits THEN NULL ELSE CAST(:now AS timestamptz) END, a.posting_version, coalesce(a.emergency, false),
        coalesce(a.reminder, false)
    FROM jsonb_to_recordset(CAST(:alerts AS jsonb)) AS a(id uuid, citizen_id text, posting_id uuid, posting_version int,
        urgency_epoch int, urgent boolean, kind text, institution text, headline text, distance_m int, dong text,
        starts_at timestamptz, ends_at timestamptz, expires_at timestamptz, shows jsonb, link text, why jsonb,
        deferred_until timestamptz, made_at timestamptz, emergency boolean, reminder boolean)
    LEFT JOIN consent c ON c.citizen_id = a.citizen_id AND c.purpose = 'location' AND c.withdrawn_at IS NULL
    LEFT JOIN posting p ON p.id = a.posting_id
    CROSS JOIN LATERAL (SELECT coalesce(p.version > a.posting_version, false) AS newer) n
    LEFT JOIN watch s ON a.kind = 'notice' AND CAST(:quiet_until AS timestamptz) IS NOT NULL AND s.citizen_id = a.citizen_id
    CROSS JOIN LATERAL (SELECT coalesce(a.deferred_until,
        CASE WHEN a.kind = 'notice' AND s.settings->>'quiet' IS NULL THEN CAST(:quiet_until AS timestamptz) END) AS due_at) q
    CROSS JOIN LATERAL (SELECT coalesce(q.due_at > :now AND a.emergency IS NOT TRUE, false) AS waits) w
    WHERE coalesce(p.status, 'open') = 'open' AND a.urgency_epoch >= coalesce(p.retracted_below, 0)
        AND CASE WHEN n.newer AND a.reminder IS NOT TRUE THEN p.expires_at ELSE a.expires_at END > :now
        AND (a.why->>'rule' IN ('home_dong', 'following') OR c.citizen_id IS NOT NULL AND
            (a.why->>'watch_version')::int >= coalesce((SELECT min(v.version) FROM watch_version v
                WHERE v.citizen_id = a.citizen_id AND v.begun_at = c.granted_at), 0))
        AND NOT (a.kind = 'job' AND EXISTS (SELECT 1 FROM work_cap w WHERE w.citizen_id = a.citizen_id AND w.reached
            AND w.until > coalesce(a.starts_at, :now)))
    ON CONFLICT (id) DO NOTHING
    RETURNING id, citizen_id, state, urgent, emergency, made_at, coalesce(why->>'rule' NOT IN ('home_dong', 'following'), true) AS located
""")
_PUT_CAP = text("""
    INSERT INTO work_cap (citizen_id, month, reached, until, changed_at) VALUES (:citizen_id, :month, :reached, :until, :changed_at)
    ON CONFLICT (citizen_id, month) DO UPDATE SET reached = excluded.reached, changed_at = excluded.changed_at
    WHERE work_cap.changed_at <= excluded.changed_at
""")
_PUT_POSTING = text("""
    INSERT INTO posting (id, version, status, closed_because, headline, starts_at, ends_at, expires_at, shows, link, institution, channel,
        topics, place_key, deadline)
    VALUES (:id, :version, :status, :closed_because, :headline, :starts_at, :ends_at, :expires_at, CAST(:shows AS jsonb), :link,
        :institution, :channel, CAST(:topics AS text[]), :place_key, :deadline)
    ON CONFLICT (id) DO UPDATE SET version = excluded.version, status = excluded.status, closed_because = excluded.closed_because,
        headline = excluded.headline, starts_at = excluded.starts_at, ends_at = excluded.ends_at, expires_at = excluded.expires_at,
        shows = excluded.shows, link = excluded.link, institution = excluded.institution, channel = excluded.channel,
        topics = excluded.topics, place_key = excluded.place_key, deadline = excluded.deadline,
        retracted_below = CASE WHEN posting.place_key <> excluded.place_key THEN :urgency_epoch ELSE posting.retracted_below END
    WHERE posting.version < excluded.version
    RETURNING retracted_below
""")
_CLOSE = text("""
    UPDATE inbox_item SET state = 'closed', closed_because = :because, posting_version = :version, change = nextval('inbox_change'),
        changed_at = :now
    WHERE posting_id = :id AND state IN ('open', 'updated', 'digest') RETURNING citizen_id
""")
_RETRACT = text("""
    WITH unseen AS (DELETE FROM inbox_item WHERE posting_id = :id AND urgency_epoch < :below
        AND (state = 'deferred' OR (state = 'digest' AND delivered_at IS NULL)))
    UPDATE inbox_item SET state = 'closed', closed_because = :moved, posting_version = :version, change = nextval('inbox_change'),
        changed_at = :now
    WHERE posting_id = :id AND urgency_epoch < :below AND (state IN ('open', 'updated') OR (state = 'digest' AND delivered_at IS NOT NULL))
    RETURNING citizen_id
""")
_DROP_UNSEEN = text(
    "DELETE FROM inbox_item WHERE posting_id = :id AND (state = 'deferred' OR (state = 'digest' AND delivered_at IS NULL))"
)
_UPDATE = text("""
    UPDATE inbox_item SET state = CASE WHEN state IN ('deferred', 'digest') THEN state ELSE 'updated' END, posting_version = :version,
        headline = :headline, starts_at = :starts_at, ends_at = :ends_at,
        expires_at = CASE WHEN reminder THEN least(expires_at, :expires_at) ELSE :expires_at END, shows = CAST(:shows AS jsonb),
        link = :link, change = nextval('inbox_change'), changed_at = :now
    WHERE posting_id = :id AND state <> 'closed' AND posting_version < :version RETURNING citizen_id
""")
_RELEASE = text("""
    WITH due AS (SELECT id FROM inbox_item WHERE state = 'deferred' AND due_at <= :now ORDER BY due_at LIMIT 1000 FOR UPDATE SKIP LOCKED),
         over AS (DELETE FROM inbox_item i USING due WHERE i.id = due.id AND i.expires_at <= :now)
    UPDATE inbox_item i SET state = 'open', told_at = :now, change = nextval('inbox_change'), changed_at = :now
    FROM due WHERE i.id = due.id AND i.expires_at > :now RETURNING i.id, i.citizen_id, i.urgent, i.emergency, i.made_at
""")
_ANY_DUE = text("SELECT EXISTS (SELECT 1 FROM inbox_item WHERE state = 'deferred' AND due_at <= :now)")
_ERASE_PENDING = text(
    "DELETE FROM inbox_item WHERE citizen_id = :citizen AND (state = 'deferred' OR delivered_at IS NULL) "
    "AND coalesce(why->>'rule' NOT IN ('home_dong', 'following'), true)"
)
_COLUMNS = (
    "id, change, posting_id, posting_version, urgency_epoch, urgent, emergency, reminder, kind, institution, headline, distance_m, dong, "
    "starts_at, ends_at, expires_at, shows, link, why, state, closed_because, read_at, made_at, told_at, changed_at, delivered_at"
)
_PAGE = text(
    f"SELECT {_COLUMNS} FROM inbox_item WHERE citizen_id = :citizen AND state <> 'deferred' "  # noqa: S608 - constants
    "AND (CAST(:at AS timestamptz) IS NULL OR (made_at, id) < (:at, CAST(:id AS uuid))) ORDER BY made_at DESC, id DESC LIMIT :limit"
)
_SINCE = text(
    "SELECT a.ordinal, i.* FROM unnest(CAST(:citizens AS text[]), CAST(:changes AS bigint[])) "  # noqa: S608 - constants
    "WITH ORDINALITY AS a(citizen, after, ordinal) "
    f"CROSS JOIN LATERAL (SELECT {_COLUMNS} FROM inbox_item WHERE citizen_id = a.citizen AND state NOT IN ('deferred', 'digest') "
    "AND change > a.after ORDER BY change LIMIT :limit) i ORDER BY a.ordinal, i.change"
)
_MARK = text(
    "UPDATE inbox_item SET read_at = CASE WHEN :opens THEN coalesce(read_at, :now) WHEN NOT :unread THEN read_at END, "  # noqa: S608 - constants
    "opened_at = CASE WHEN :opens THEN coalesce(opened_at, :now) ELSE opened_at END, delivered_at = coalesce(delivered_at, :now), "
    "acted_at = CASE WHEN :acted THEN coalesce(acted_at, :now) ELSE acted_at END, changed_at = :now, change = nextval('inbox_change') "
    f"WHERE id = :id AND citizen_id = :citizen AND state <> 'deferred' RETURNING {_COLUMNS}"
)
# A row that is locked is being changed, erased or read: its change comes to the stream again, and is noted then. So this
# waits for nobody, and its commit not for the disk.
_DELIVERED = text("""
    WITH lazily AS (SELECT set_config('synchronous_commit', 'off', true)),
    fresh AS (SELECT id FROM inbox_item CROSS JOIN lazily WHERE id = ANY(CAST(:ids AS uuid[])) AND delivered_at IS NULL
        ORDER BY id FOR UPDATE OF inbox_item SKIP LOCKED),
    noted AS (UPDATE inbox_item i SET delivered_at = :now FROM fresh WHERE i.id = fresh.id
        RETURNING i.citizen_id, i.why->>'rule' AS rule)
    INSERT INTO location_record (citizen_id, act, how, hour, times, first_at, last_at)
    SELECT citizen_id, 'provided', :how, date_trunc('hour', CAST(:now AS timestamptz)), count(*), :now, :now
    FROM noted WHERE coalesce(rule NOT IN ('home_dong', 'following'), true) GROUP BY citizen_id ORDER BY citizen_id
    ON CONFLICT (citizen_id, act, how, hour) DO UPDATE SET times = location_record.times + excluded.times, last_at = excluded.last_at
""")
_ONE = text(
    f"SELECT {_COLUMNS}, made_of_version, (SELECT channel FROM posting p WHERE p.id = posting_id) AS channel "  # noqa: S608 - constants
    "FROM inbox_item WHERE id = :id AND citizen_id = :citizen AND state <> 'deferred'"
)
_LAST_CHANGE = text("SELECT coalesce(max(change), 0) FROM inbox_item WHERE citizen_id = :citizen")
_NOTIFY = text("SELECT pg_notify('inbox', :citizens)")


async def in_order(tx: AsyncConnection, citizens: Iterable[str] | None = None) -> None:
    """Before anything else in a transaction that changes rows of these citizens, or (None) of anybody."""
    shards = range(SHARDS) if citizens is None else {partition_of(citizen, SHARDS) for citizen in citizens}
    await tx.execute(_IN_ORDER, {"shards": sorted(shards)})


async def add(
    tx: AsyncConnection,
    alerts_json: str,
    posting_ids: Sequence[UUID],
    now: datetime,
    quiet_until: datetime | None = None,
) -> list[Row[Any]]:
    """Write alerts (a JSON array) that are still true; returns of those that are new (id, citizen_id, state, urgent, made_at, located).

    `quiet_until`: until then notices wait for citizens who named no quiet hours of their own (N3).
    """
    await tx.execute(_LOCK_POSTINGS, {"ids": list(posting_ids)})
    return list(await tx.execute(_ADD, {"alerts": alerts_json, "now": now, "quiet_until": quiet_until}))


async def put_posting(tx: AsyncConnection, values: dict[str, Any]) -> int | None:
    """None unless this version is news; else the urgency epoch below which alerts are of a place that it left."""
    row = (await tx.execute(_PUT_POSTING, values)).first()
    return None if row is None else int(row.retracted_below)


async def retract_items(tx: AsyncConnection, values: dict[str, Any], below: int) -> list[str]:
    """Alerts of a place that the posting left: closed where they were told, gone where nobody saw them (J9)."""
    told = await tx.execute(_RETRACT, {**values, "below": below, "moved": MOVED})
    return list(told.scalars())


async def close_items(tx: AsyncConnection, values: dict[str, Any]) -> list[str]:
    await tx.execute(_DROP_UNSEEN, values)
    return list((await tx.execute(_CLOSE, values)).scalars())


async def update_items(tx: AsyncConnection, values: dict[str, Any]) -> list[str]:
    return list((await tx.execute(_UPDATE, values)).scalars())


async def release_due(tx: AsyncConnection, now: datetime) -> list[Row[Any]]:
    """Deferred alerts whose time has come: told if still true, else dropped. (id, citizen_id, urgent, made_at) of each."""
    await in_order(tx)
    return list(await tx.execute(_RELEASE, {"now": now}))


async def any_due(connection: AsyncConnection, now: datetime) -> bool:
    return bool((await connection.execute(_ANY_DUE, {"now": now})).scalar_one())


async def erase_pending(tx: AsyncConnection, citizen_id: str) -> int:
    await in_order(tx, [citizen_id])  # an alert that is being written is waited for, then erased too
    return int((await tx.execute(_ERASE_PENDING, {"citizen": citizen_id})).rowcount)


async def page(tx: AsyncConnection, citizen_id: str, after: tuple[datetime, UUID] | None, limit: int) -> list[Row[Any]]:
    at, id_ = after if after is not None else (None, None)
    return list(await tx.execute(_PAGE, {"citizen": citizen_id, "at": at, "id": id_, "limit": limit + 1}))


async def since(tx: AsyncConnection, asked: Sequence[tuple[str, int]], limit: int) -> list[list[Row[Any]]]:
    """For each (citizen, number of a change): what changed after it, oldest first, at most `limit`."""
    found: list[list[Row[Any]]] = [[] for _ in asked]
    values = {"citizens": [one for one, _ in asked], "changes": [change for _, change in asked], "limit": limit}
    for row in await tx.execute(_SINCE, values):
        found[row.ordinal - 1].append(row)
    return found


async def mark(
    tx: AsyncConnection, citizen_id: str, id_: UUID, now: datetime, *, read: bool | None, acted: bool
) -> Row[Any] | None:
    """Read, unread (it was opened all the same) or acted upon, which opens it."""
    await in_order(tx, [citizen_id])
    how = {"opens": acted or bool(read), "unread": read is False, "acted": acted}
    return (await tx.execute(_MARK, {"citizen": citizen_id, "id": id_, "now": now, **how})).first()


async def delivered(connection: AsyncConnection, ids: Sequence[UUID], how: str, now: datetime) -> None:
    """Note that these reached their citizens' screens, and that they were provided: each once, at its first time."""
    if ids:
        await connection.execute(_DELIVERED, {"ids": list(ids), "how": how, "now": now})


async def one(tx: AsyncConnection, citizen_id: str, id_: UUID) -> Row[Any] | None:
    """A citizen's own alert that was told, the posting's version that it was made of, and its channel if known."""
    return (await tx.execute(_ONE, {"citizen": citizen_id, "id": id_})).first()


async def last_change(tx: AsyncConnection, citizen_id: str) -> int:
    return int((await tx.execute(_LAST_CHANGE, {"citizen": citizen_id})).scalar_one())


async def notify(tx: AsyncConnection, digests: Sequence[str]) -> None:
    """Wake the live streams of these citizens (by digest) when this transaction commits. A payload holds 7,900 bytes."""
    for start in range(0, len(digests), 800):
        await tx.execute(_NOTIFY, {"citizens": ",".join(digests[start : start + 800])})


async def put_cap(tx: AsyncConnection, values: dict[str, Any]) -> None:
    """Whether a citizen's month of work is full: until it ends they are told of no job that begins in it (J6)."""
    await tx.execute(_PUT_CAP, values)
