"""What happens when a citizen's settings or consent change: the whole new state is kept and published."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from services.matching.consent import store as consents
from services.matching.consent.domain import Consent
from services.matching.watches import store
from services.matching.watches.domain import Muted, Told, muting
from shared.contracts import Watch
from shared.messaging.outbox import emit

SOURCE = "/services/matching"


async def watch_changed(
    tx: AsyncConnection, citizen_id: str, consent: Consent | None, now: datetime, settings: dict[str, Any] | None = None
) -> Watch:
    """The next version of the citizen's watch, with new settings or (None) the ones they had, under this consent.

    The caller holds the citizen's lock (consent.store.lock_citizen).
    """
    before = await store.get(tx, citizen_id)
    kept = before.model_dump() if before is not None else {}
    state = {
        "citizen_id": citizen_id,
        "version": (before.version if before is not None else 0) + 1,
        "consent_epoch": consent.epoch if consent is not None else 0,
        "located": consent is not None and consent.in_force,
        "changed_at": now,
    }
    watch = Watch.model_validate({**kept, **(settings or {}), **state})
    await store.save(tx, watch)
    await emit(tx, watch, source=SOURCE, now=now)
    return watch


async def mute(tx: AsyncConnection, citizen_id: str, what: Muted, about: Told, now: datetime) -> Watch:
    """No more of this posting, of its channel or of its kind. The caller holds the citizen's lock."""
    settings = muting(await store.get(tx, citizen_id), what, about)
    return await watch_changed(tx, citizen_id, await consents.get(tx, citizen_id, "location"), now, settings)
