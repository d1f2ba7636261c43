"""Letters that are due: each item judged against what is known by now, and those that may still be told put together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from services.delivery.deliveries import known
from services.delivery.deliveries.domain import Drop, Pending, Send, Told, Wait, judge, newest_of_each
from services.delivery.deliveries.known import Known
from services.delivery.deliveries.messages import Message
from services.delivery.letters import store
from services.delivery.settings import Settings
from services.delivery.subscriptions.domain import Channel
from shared.contracts.digest import MOST_ITEMS

NOBODY = Told()  # instant messages of today have no part in a digest


@dataclass
class Written:
    """What is decided about some letters. `waiting`: items that wait while the rest of their letter goes."""

    messages: list[Message] = field(default_factory=list)
    dropped: list[tuple[UUID, UUID, str]] = field(default_factory=list)
    waiting: list[tuple[UUID, UUID, datetime]] = field(default_factory=list)
    look_again: list[tuple[UUID, datetime]] = field(default_factory=list)
    nothing_left: list[UUID] = field(default_factory=list)


async def take_due(tx: AsyncConnection, channel: Channel, settings: Settings, now: datetime) -> tuple[int, Written]:
    """(letters looked at, what became of them), each noted as it was decided."""
    letters = await store.lock_due(tx, channel, now, settings.delivery_at_once)
    if not letters:
        return 0, Written()
    rows: defaultdict[UUID, list[Row[Any]]] = defaultdict(list)
    for row in await store.items(tx, [letter.id for letter in letters]):
        rows[row.letter_id].append(row)
    postings = {row.posting_id for items in rows.values() for row in items}
    citizens = {letter.citizen_id for letter in letters if letter.reachable}
    knows = await known.read(tx, settings, citizens, postings, now)
    written = Written()
    for letter in letters:
        if letter.reachable:
            _write(written, letter, rows[letter.id], knows)
        else:
            written.nothing_left.append(letter.id)
    await _note(tx, channel, written, now, settings.delivery_lease_s)
    return len(letters), written


def _write(written: Written, letter: Row[Any], rows: Sequence[Row[Any]], knows: Known) -> None:
    """Where nothing can go now the whole letter waits for the first that can."""
    citizen, postings = knows.citizens.get(letter.citizen_id), knows.postings
    told, waits = list[Pending](), list[tuple[UUID, UUID, datetime]]()
    for row in rows:
        pending = _pending(row, letter)
        match judge(pending, postings.get(row.posting_id), citizen, NOBODY, knows.rules, knows.now):
            case Send(content):
                told.append(pending if content is pending.content else replace(pending, content=content))
            case Drop(because):
                written.dropped.append((letter.target_id, row.alert_id, because))
            case Wait(until):
                waits.append((letter.target_id, row.alert_id, until))
    if told:
        written.messages.append(_message(letter, newest_of_each(told)))
        written.waiting += waits
    elif waits:
        written.look_again.append((letter.id, min(until for _, _, until in waits)))
    else:
        written.nothing_left.append(letter.id)


async def _note(tx: AsyncConnection, channel: Channel, written: Written, now: datetime, lease_s: float) -> None:
    """Letters that go gather no more before what waits of them is gathered anew."""
    await store.on_their_way(tx, [message.id for message in written.messages], now + timedelta(seconds=lease_s))
    await store.look_again(tx, written.look_again)
    await store.nothing_left(tx, written.nothing_left, now)
    await store.drop_items(tx, written.dropped, now)
    await store.gather_known(tx, channel, written.waiting)


def _message(letter: Row[Any], items: Sequence[Pending]) -> Message:
    listed = tuple(items[:MOST_ITEMS])
    return Message(
        letter.id, letter.target_id, letter.citizen_id, letter.channel, letter.address, letter.p256dh, letter.auth, True, listed,
        len(items) - len(listed), letter.attempts + 1,
    )  # fmt: skip


def _pending(row: Row[Any], letter: Row[Any]) -> Pending:
    return Pending(
        row.alert_id, letter.target_id, letter.channel, row.posting_id, row.posting_version, row.urgency_epoch, row.kind, row.urgent,
        False, row.located, row.watch_version, row.expires_at, True, row.wanted_at, row.content,
    )  # fmt: skip
