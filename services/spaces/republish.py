"""What spaces publishes anew when Kafka's data was lost: spaces, and times that came free."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from services.spaces.checkin import domain as checkin
from services.spaces.checkin import store as gaps
from services.spaces.facilities.domain import as_posting
from services.spaces.facilities.store import lock_space, spaces
from services.spaces.settings import Settings
from shared.contracts import Event
from shared.republish import Pages, open_offers


def everything(settings: Settings) -> dict[str, Pages]:
    async def free_times(tx: AsyncConnection, after: Any, _: int, now: datetime) -> tuple[Sequence[Event], Any]:
        """A gap changes under its space's lock alone; spaces in the order of their ids, so that no two wait crosswise."""
        told: list[Event] = []
        space_id = await gaps.next_with_gaps(tx, after, now)
        space = None if space_id is None else await lock_space(tx, space_id)
        if space is not None:
            here = await gaps.free_gaps(tx, space.id, now)
            told = [checkin.as_posting(gap, space, settings.spaces_gap_radius_m) for gap in here]
        return told, space_id

    return {"spaces": open_offers(spaces, as_posting), "gaps": free_times}
