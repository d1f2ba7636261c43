"""What is known by now of citizens and postings, read once for all that a courier takes at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from services.delivery.deliveries import store
from services.delivery.deliveries.domain import Citizen, PostingNow, Rules, Told
from services.delivery.settings import Settings
from shared.contracts.watch import QuietHours


@dataclass
class Known:
    """`told`: instant messages of today by addressee; it is counted on while messages are made."""

    rules: Rules
    now: datetime
    citizens: Mapping[str, Citizen]
    postings: Mapping[UUID, PostingNow]
    told: dict[UUID, Told] = field(default_factory=dict)


def rules_of(settings: Settings) -> Rules:
    fresh = timedelta(seconds=settings.delivery_fresh_s)
    return Rules(settings.delivery_instant_per_day, settings.delivery_urgent_reserve, fresh, settings.quiet_hours())


async def read(
    tx: AsyncConnection, settings: Settings, citizens: Collection[str], postings: Collection[UUID], now: datetime
) -> Known:
    found = await store.citizens(tx, sorted(citizens))
    newest = await store.postings(tx, postings)
    return Known(
        rules_of(settings),
        now,
        {id_: _citizen(row) for id_, row in found.items()},
        {id_: _posting(row) for id_, row in newest.items()},
    )


def _posting(row: Row[Any]) -> PostingNow:
    return PostingNow(
        row.version, row.urgency_epoch, row.status == "open", row.headline, row.starts_at, row.ends_at, row.expires_at, row.link,
        row.channel, tuple(row.topics),
    )  # fmt: skip


def _citizen(row: Row[Any]) -> Citizen:
    quiet = None if row.quiet is None else QuietHours.model_validate(row.quiet)
    return Citizen(
        row.since_version, row.located, row.paused, row.kinds, quiet, row.muted_channels, row.muted_topics, row.muted_postings,
    )  # fmt: skip
