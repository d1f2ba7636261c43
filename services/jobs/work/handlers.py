"""What happens at and after work, in the caller's transaction: the claim moved on, the ledger added to, all of it told."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from services.jobs.claims.domain import Claim
from services.jobs.claims.handlers import caps_of, keep, locked_claim
from services.jobs.events import tell, tell_poster
from services.jobs.parts import JobsParts
from services.jobs.postings.domain import JobPosting
from services.jobs.settings import Settings
from services.jobs.work import domain, store
from services.jobs.work.codes import Codes
from shared.contracts.job import CapReached
from shared.rules import Refused


def codes_of(settings: Settings) -> Codes:
    return Codes(settings.jobs_secret, settings.jobs_code_step_s, settings.jobs_code_grace_s)


def read_code(posting: JobPosting, code: str, scanned_at: datetime | None, parts: JobsParts) -> tuple[datetime, bool]:
    """(when it counts from, whether it was sent late). Raises Refused for a code that was not on show then."""
    now, codes = parts.clock(), codes_of(parts.settings)
    at = min(scanned_at or now, now)
    if not codes.accepts(posting.id, code, scanned_at or now, now):
        raise Refused("code", "code", "not the code on show at the place then, or sent too late")
    return at, codes.is_offline(at, now)


async def keep_hours(tx: AsyncConnection, claim: Claim, posting: JobPosting, parts: JobsParts) -> None:
    """The claim as it is now; once finished, the ledger says its minutes."""
    await keep(tx, claim)
    if claim.state == "disputed":
        await tell_poster(tx, posting, "disputed", claim.changed_at, because=claim.because)
    if claim.state != "finished" or claim.officer_minutes is None:
        return
    standing = await store.of_claim(tx, claim.id)
    lines = domain.lines_for(claim, posting.terms, claim.officer_minutes, standing, claim.changed_at, uuid4)
    await store.add(tx, lines)
    for line in lines:
        await tell(tx, domain.as_event(line), line.entered_at)
    for month in sorted({line.month for line in lines}):
        await _tell_cap(tx, claim.citizen_id, month, claim.changed_at, parts)


async def _tell_cap(tx: AsyncConnection, citizen_id: str, month: str, now: datetime, parts: JobsParts) -> None:
    """At the cap claims and job alerts stop; where a correction takes it back, they go on."""
    caps = caps_of(parts.settings)
    minutes, krw = await store.total(tx, citizen_id, month)
    reached = minutes >= caps.minutes or krw >= caps.krw
    if await store.cap_changed(tx, citizen_id, month, reached=reached):
        until = domain.month_ends(month)
        cap = CapReached(citizen_id=citizen_id, month=month, reached=reached, until=until, changed_at=now)
        await tell(tx, cap, now)


async def note_no_shows(tx: AsyncConnection, parts: JobsParts) -> int:
    """Who has not come so long after the start: noted as that, never as a bad review (J7). One at a time, for the locks."""
    now = parts.clock()
    claim_id = await store.missing(tx, now - timedelta(seconds=parts.settings.jobs_no_show_after_s))
    if claim_id is None:
        return 0
    claim, _ = await locked_claim(tx, claim_id)
    if claim.state in ("held", "reconfirm"):
        await keep(tx, domain.no_show(claim, now))
    return 1
