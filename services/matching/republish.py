"""What matching publishes anew when Kafka's data was lost: what citizens want to hear of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from services.matching.consent.store import lock_citizens
from services.matching.settings import Settings
from services.matching.watches import store
from shared.contracts import Event
from shared.republish import Pages


async def _watches(tx: AsyncConnection, after: Any, limit: int, now: datetime) -> tuple[Sequence[Event], Any]:
    """In the order of citizens' names, as whoever else takes several of their locks does; read under the lock."""
    citizens = await store.citizens_after(tx, after, limit)
    await lock_citizens(tx, citizens)
    return await store.many(tx, citizens), citizens[-1] if citizens else None


def everything(settings: Settings) -> dict[str, Pages]:
    return {"watches": _watches}
