"""What happens when a citizen's settings or consent change: the whole new state is kept and published."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from services.matching.consent import store as consents
from services.matching.consent.domain import Consent
from services.matching.watches import store
from services.matching.watches.domain import Muted, Told, muting
from shared.contracts import Follows, Watch
from shared.messaging.consumer import Handlers, Unit
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


async def on_follows(follows: Sequence[Follows], unit: Unit) -> None:
    """A citizen's channels become part of their watch: the newest list of each, and an older one never after a newer."""
    newest: dict[str, Follows] = {}
    for event in follows:
        known = newest.get(event.citizen_id)
        newest[event.citizen_id] = event if known is None or known.version < event.version else known
    for citizen, event in sorted(newest.items()):
        await consents.lock_citizen(unit.tx, citizen)
        if await store.take_follows(unit.tx, citizen, event.version):
            consent = await consents.get(unit.tx, citizen, "location")
            await watch_changed(unit.tx, citizen, consent, unit.now, {"follows": event.channels})


FOLLOW_HANDLERS: Handlers = {Follows: on_follows}
