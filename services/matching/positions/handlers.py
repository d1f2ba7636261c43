"""Consent, asked for many requests in one statement."""

from __future__ import annotations

from collections.abc import Sequence

from services.matching.consent import store as consents
from services.matching.consent.store import Collecting
from shared.clock import Clock
from shared.database import Database
from shared.together import Together

Collected = Together[Collecting, int | None]


def collecting(database: Database, clock: Clock) -> Collected:
    """For each citizen and number of fixes: the epoch of the consent under which they are taken in, None without one;
    noted as a collection of location (위치정보법 §16②).
    """

    async def collect(asked: Sequence[Collecting]) -> Sequence[int | None]:
        async with database.statement() as connection:
            epochs = await consents.collect(connection, asked, "positions", clock())
        return [epochs.get(one.citizen_id) for one in asked]

    return Together(collect)
