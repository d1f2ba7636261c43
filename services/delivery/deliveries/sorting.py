"""What is due by itself for some addressees, judged against what is known by now, and put into messages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from services.delivery.deliveries import known, store
from services.delivery.deliveries.domain import Drop, Pending, Send, ToDigest, Told, Verdict, Wait, day_began, judge
from services.delivery.deliveries.handlers import Hours
from services.delivery.deliveries.known import Known
from services.delivery.deliveries.messages import Message
from services.delivery.settings import Settings

Decided = dict[str, Any]


@dataclass
class Sorted:
    """Messages to send, what is decided about each delivery, and what goes into digests: (addressee, alert, due)."""

    messages: list[Message] = field(default_factory=list)
    decided: list[Decided] = field(default_factory=list)
    to_digests: list[tuple[UUID, UUID, datetime]] = field(default_factory=list)


async def sort_due(
    tx: AsyncConnection, targets: Sequence[Row[Any]], settings: Settings, hours: Hours, now: datetime, *, open_: bool
) -> Sorted:
    """The caller holds the addressees' rows."""
    ids = [target.id for target in targets]
    due: defaultdict[UUID, list[Row[Any]]] = defaultdict(list)
    for row in await store.due(tx, ids, now, open_=open_):
        due[row.target_id].append(row)
    postings = {row.posting_id for rows in due.values() for row in rows}
    knows = await known.read(tx, settings, {target.citizen_id for target in targets}, postings, now)
    counted = await store.told_since(tx, ids, day_began(now))
    knows.told = {id_: Told(row.ordinary, row.urgent) for id_, row in counted.items()}
    found, lease_until = Sorted(), now + timedelta(seconds=settings.delivery_lease_s)
    for target in targets:
        for row in due[target.id]:
            _sort(found, target, row, knows, hours, lease_until)
    return found


def _sort(found: Sorted, target: Row[Any], row: Row[Any], knows: Known, hours: Hours, lease_until: datetime) -> None:
    pending = _pending(row)
    verdict = _judge(pending, target, knows)
    match verdict:
        case Send(content):
            told = pending if content is pending.content else replace(pending, content=content)
            found.messages.append(_message(target, told, row.attempts + 1))
            found.decided.append(_decided(pending, "sending", due_at=lease_until, batch=pending.alert_id))
        case Drop(because):
            found.decided.append(_decided(pending, "dropped", because=because))
        case Wait(until, quiet):
            found.decided.append(_decided(pending, "waiting", due_at=until, wanted_at=until if quiet else None))
        case ToDigest():
            found.to_digests.append((target.id, pending.alert_id, hours.next(target, "daily", knows.now)))


def _judge(pending: Pending, target: Row[Any], knows: Known) -> Verdict:
    so_far = knows.told.get(target.id, Told())
    posting, citizen = knows.postings.get(pending.posting_id), knows.citizens.get(target.citizen_id)
    verdict = judge(pending, posting, citizen, so_far, knows.rules, knows.now)
    if isinstance(verdict, Send):
        knows.told[target.id] = so_far.and_one(pending.urgent)
    return verdict


def _decided(pending: Pending, state: str, **decided: Any) -> Decided:
    names = {"because": None, "due_at": None, "wanted_at": None, "batch": None}
    return {"alert_id": pending.alert_id, "target_id": pending.target_id, "state": state, **names, **decided}


def _message(target: Row[Any], told: Pending, attempt: int) -> Message:
    return Message(
        told.alert_id, target.id, target.citizen_id, target.channel, target.address, target.p256dh, target.auth, False, (told,), 0,
        attempt,
    )  # fmt: skip


def _pending(row: Row[Any]) -> Pending:
    return Pending(
        row.alert_id, row.target_id, row.channel, row.posting_id, row.posting_version, row.urgency_epoch, row.kind, row.urgent,
        row.emergency, row.located, row.watch_version, row.expires_at, False, row.wanted_at, row.content,
    )  # fmt: skip
