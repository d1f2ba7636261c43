"""Publish anew what holds now: for the day when Kafka's data was lost and PostgreSQL is what remains.

Every event is the state as it was told last, in the same version: whoever knows it already ignores it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import Clock
from shared.contracts import Event, Posting
from shared.database import Database
from shared.messaging.outbox import emit_many
from shared.offers.domain import Offer, Terms
from shared.offers.store import OfferStore

PAGE = 500
T = TypeVar("T", bound=Terms)

# At most so many of the next events after a key (None: from the start), and the last one's key, or None when there is no
# more. What the events tell of stays locked until the transaction ends: a change made meanwhile is told after them.
Pages = Callable[[AsyncConnection, Any, int, datetime], Awaitable[tuple[Sequence[Event], Any]]]


def open_offers(store: OfferStore[T], as_posting: Callable[[Offer[T]], Posting]) -> Pages:
    async def page(tx: AsyncConnection, after: Any, limit: int, now: datetime) -> tuple[Sequence[Event], Any]:
        found = await store.still_open(tx, after, limit, now)
        return [as_posting(offer) for offer in found], found[-1].id if found else None

    return page


async def republish(database: Database, pages: Pages, *, source: str, clock: Clock, page_size: int = PAGE) -> int:
    """Everything, into the outbox, a page a transaction; the service's relay carries it to Kafka. Returns how many."""
    told, after = 0, None
    while True:
        async with database.transaction() as tx:
            now = clock()
            events, after = await pages(tx, after, page_size, now)
            await emit_many(tx, events, source=source, now=now)
        told += len(events)
        if after is None:
            return told
