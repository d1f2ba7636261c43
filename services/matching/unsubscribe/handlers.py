"""What pressing the button does."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from services.matching.consent import store as consents
from services.matching.unsubscribe.domain import stopped
from services.matching.watches import store as watches
from services.matching.watches.handlers import watch_changed
from shared.unsubscribe import Unsubscription


async def stop(tx: AsyncConnection, wanted: Unsubscription, now: datetime) -> bool:
    """Mutes it in the citizen's settings and nothing else; False where it was muted before. Raises Refused."""
    await consents.lock_citizen(tx, wanted.citizen_id)
    changed = stopped(await watches.get(tx, wanted.citizen_id), wanted)
    if changed:
        consent = await consents.get(tx, wanted.citizen_id, "location")
        await watch_changed(tx, wanted.citizen_id, consent, now, changed)
    return bool(changed)
