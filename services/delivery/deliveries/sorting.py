"""What is due for some addressees, judged against what is known by now, and put together into messages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from services.delivery.deliveries import store
from services.delivery.deliveries.domain import (
    Citizen,
    Drop,
    Pending,
    PostingNow,
    Rules,
    Send,
    ToDigest,
    Told,
    Verdict,
    Wait,
    day_began,
    judge,
    newest_of_each,
)
from services.delivery.deliveries.handlers import Hours
from services.delivery.deliveries.messages import Message
from services.delivery.settings import Settings
from shared.contracts.digest import MOST_ITEMS
from shared.contracts.watch import QuietHours

Decided = dict[str, Any]


@dataclass
class _Known:
    """What the judging of a round needs, read once."""

    rules: Rules
    hours: Hours
    now: datetime
    citizens: Mapping[str, Citizen]
    told: dict[UUID, Told] = field(default_factory=dict)
    postings: dict[UUID, PostingNow | None] = field(default_factory=dict)

    def posting(self, row: Row[Any]) -> PostingNow | None:
        """Many rows are about the same one."""
        if row.posting_id not in self.postings:
            self.postings[row.posting_id] = _posting(row)
        return self.postings[row.posting_id]


def rules_of(settings: Settings) -> Rules:
    fresh = timedelta(seconds=settings.delivery_fresh_s)
    return Rules(settings.delivery_instant_per_day, settings.delivery_urgent_reserve, fresh, settings.quiet_hours())


async def sort_due(
    tx: AsyncConnection, targets: Sequence[Row[Any]], settings: Settings, hours: Hours, now: datetime, *, open_: bool
) -> tuple[list[Message], list[Decided]]:
    """(messages to send, what is decided about each delivery). The caller holds the addressees' rows."""
    ids = [target.id for target in targets]
    citizens = await store.citizens(tx, sorted({target.citizen_id for target in targets}))
    counted = await store.told_since(tx, ids, day_began(now))
    told = {id_: Told(row.ordinary, row.urgent) for id_, row in counted.items()}
    known = _Known(rules_of(settings), hours, now, {id_: _citizen(row) for id_, row in citizens.items()}, told)
    due: defaultdict[UUID, list[Row[Any]]] = defaultdict(list)
    for row in await store.due(tx, ids, now, open_=open_):
        due[row.target_id].append(row)
    messages, decided = list[Message](), list[Decided]()
    lease_until = now + timedelta(seconds=settings.delivery_lease_s)
    for target in targets:
        made, rows = _for_one(target, due[target.id], known, lease_until)
        messages += made
        decided += rows
    return messages, decided


def _for_one(
    target: Row[Any], rows: Sequence[Row[Any]], known: _Known, lease_until: datetime
) -> tuple[list[Message], list[Decided]]:
    """Instant ones each by itself; what is of one digest, or was of one that did not get through, together."""
    decided, digests = list[Decided](), defaultdict[UUID, list[Pending]](list)
    messages, fresh, attempts = list[Message](), uuid4(), {row.alert_id: row.attempts + 1 for row in rows}
    for row in rows:
        pending = _pending(row)
        verdict = _judge(pending, row, target, known)
        if not isinstance(verdict, Send):
            decided.append(_decision(pending, verdict, target, known))
            continue
        told = pending if verdict.content is pending.content else replace(pending, content=verdict.content)
        batch = (pending.batch or fresh) if pending.digest else pending.alert_id
        decided.append(_on_its_way(told, batch, lease_until))
        if pending.digest:
            digests[batch].append(told)
        else:
            messages.append(_message(target, batch, [told], attempts[told.alert_id], digest=False))
    for batch, items in digests.items():
        tries = max(attempts[item.alert_id] for item in items)
        messages.append(_message(target, batch, newest_of_each(items), tries, digest=True))
    return messages, decided


def _judge(pending: Pending, row: Row[Any], target: Row[Any], known: _Known) -> Verdict:
    so_far = known.told.get(target.id, Told())
    citizen = known.citizens.get(target.citizen_id)
    verdict = judge(pending, known.posting(row), citizen, so_far, known.rules, known.now)
    if isinstance(verdict, Send) and not pending.digest:
        known.told[target.id] = so_far.and_one(pending.urgent)
    return verdict


def _decision(pending: Pending, verdict: Verdict, target: Row[Any], known: _Known) -> Decided:
    base = {
        "alert_id": pending.alert_id,
        "target_id": pending.target_id,
        "because": None,
        "due_at": None,
        "batch": None,
    }
    match verdict:
        case Drop(because):
            return {**base, "state": "dropped", "because": because, "digest": pending.digest}
        case Wait(until, quiet):
            kept = {"digest": pending.digest, "batch": pending.batch, "wanted_at": until if quiet else None}
            return {**base, "state": "waiting", "due_at": until, **kept}
        case ToDigest():
            due_at = known.hours.next(target, "daily", known.now)
            return {**base, "state": "waiting", "due_at": due_at, "digest": True}
        case _:
            raise TypeError(f"no decision for {verdict!r}")


def _on_its_way(pending: Pending, batch: UUID, lease_until: datetime) -> Decided:
    return {
        "alert_id": pending.alert_id, "target_id": pending.target_id, "state": "sending", "because": None,
        "due_at": lease_until, "digest": pending.digest, "batch": batch,
    }  # fmt: skip


def _message(target: Row[Any], id_: UUID, items: Sequence[Pending], attempt: int, *, digest: bool) -> Message:
    listed = tuple(items[:MOST_ITEMS])
    return Message(
        id_, target.id, target.citizen_id, target.channel, target.address, target.p256dh, target.auth, digest, listed,
        len(items) - len(listed), attempt,
    )  # fmt: skip


def _pending(row: Row[Any]) -> Pending:
    return Pending(
        row.alert_id, row.target_id, row.channel, row.posting_id, row.posting_version, row.urgency_epoch, row.kind, row.urgent,
        row.emergency, row.located, row.watch_version, row.expires_at, row.digest, row.wanted_at, row.content, row.batch,
    )  # fmt: skip


def _posting(row: Row[Any]) -> PostingNow | None:
    if row.p_version is None:
        return None
    return PostingNow(
        row.p_version, row.p_epoch, row.p_status == "open", row.p_headline, row.p_starts_at, row.p_ends_at, row.p_expires_at,
        row.p_link, row.p_channel, tuple(row.p_topics),
    )  # fmt: skip


def _citizen(row: Row[Any]) -> Citizen:
    quiet = None if row.quiet is None else QuietHours.model_validate(row.quiet)
    return Citizen(
        row.since_version,
        row.located,
        row.paused,
        row.kinds,
        quiet,
        row.muted_channels,
        row.muted_topics,
        row.muted_postings,
    )
