"""What notices publishes anew when Kafka's data was lost: notices, and which channels citizens follow."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from services.notices.channels import store
from services.notices.channels.handlers import as_follows
from services.notices.publishing.domain import as_posting
from services.notices.publishing.store import notices
from services.notices.settings import Settings
from shared.contracts import Event
from shared.republish import Pages, open_offers


async def _follows(tx: AsyncConnection, after: Any, limit: int, now: datetime) -> tuple[Sequence[Event], Any]:
    """In the order of citizens' names, as whoever else takes several of their locks does."""
    citizens = await store.followers_after(tx, after, limit)
    lists = [await store.following(tx, citizen, to_change=True) for citizen in citizens]
    return [as_follows(one, now) for one in lists], citizens[-1] if citizens else None


def everything(settings: Settings) -> dict[str, Pages]:
    return {"notices": open_offers(notices, as_posting), "follows": _follows}
