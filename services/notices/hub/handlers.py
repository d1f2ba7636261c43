"""A notice that opens or changes marks the feeds that it is and was in, in the same transaction."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from services.notices.hub import store
from services.notices.hub.domain import feeds_of
from services.notices.publishing.domain import Notice, Terms
from shared.offers.desk import Desk


class AnnouncingDesk(Desk[Terms]):
    """Every way in which a notice changes leads through here."""

    async def open(self, tx: AsyncConnection, offer: Notice) -> None:
        await super().open(tx, offer)
        await store.mark(tx, feeds_of(offer), offer.changed_at)

    async def change(self, tx: AsyncConnection, before: Notice, after: Notice) -> None:
        await super().change(tx, before, after)
        if after.version != before.version:
            await store.mark(tx, sorted({*feeds_of(before), *feeds_of(after)}), after.changed_at)
