"""What happens to claims, in the caller's transaction: the citizen and the posting locked, the decision kept and told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.jobs.claims import domain, store
from services.jobs.claims.domain import PLACED, Caps, Claim, Comer, Load, Worker
from services.jobs.claims.models import Alternative, Applicant, ClaimBody
from services.jobs.events import tell, tell_many, tell_poster
from services.jobs.parts import JobsParts
from services.jobs.postings import domain as posts
from services.jobs.postings.domain import MOST_NOT_FOR, JobPosting
from services.jobs.postings.handlers import desk
from services.jobs.postings.store import postings, take_places, taken_of
from services.jobs.settings import Settings
from services.jobs.trust.domain import profile_of
from services.jobs.trust.projection import facts_of
from shared.contracts.posting import veiled
from shared.rules import Refused
from shared.web.problems import not_found

ALTERNATIVES = 5
LOOK_BACK = timedelta(days=40)


def caps_of(settings: Settings) -> Caps:
    return Caps(settings.jobs_monthly_cap_h * 60, settings.jobs_monthly_cap_krw)


async def locked_posting(tx: AsyncConnection, posting_id: UUID) -> JobPosting:
    posting = await postings.get(tx, posting_id, for_update=True)
    if posting is None:
        raise not_found("posting")
    return posting


async def locked_claim(tx: AsyncConnection, claim_id: UUID) -> tuple[Claim, JobPosting]:
    """The claim and its posting, locked in the order that all keep: the citizen, the posting, the claim."""
    seen = await store.get(tx, claim_id)
    if seen is None:
        raise not_found("claim")
    await store.lock_worker(tx, seen.citizen_id)
    posting = await locked_posting(tx, seen.posting_id)
    claim = await store.get(tx, claim_id, for_update=True)
    return claim or seen, posting


async def keep(tx: AsyncConnection, claim: Claim) -> None:
    await store.save(tx, claim)
    await tell(tx, domain.as_event(claim), claim.changed_at)


async def claim_place(
    tx: AsyncConnection, posting_id: UUID, citizen_id: str, body: ClaimBody, parts: JobsParts
) -> Claim:
    """Raises NoPlace, Conflict or Refused where there is no place for them."""
    (decided,) = await claim_places(tx, posting_id, {citizen_id: body.wait}, parts)
    if isinstance(decided, Refused):
        raise decided
    return decided


async def claim_places(
    tx: AsyncConnection, posting_id: UUID, may_wait: Mapping[str, bool], parts: JobsParts
) -> list[Claim | Refused]:
    """Citizens who ask for a place, in the order in which they are served, and whether each would wait in line."""
    now = parts.clock()
    workers = await store.lock_workers(tx, may_wait)
    here = await store.claimants(tx, posting_id, may_wait)
    loads = await store.loads_of(tx, may_wait, now - LOOK_BACK)
    # Everything of the citizens' own is known before the posting is locked: a crowd waits for that lock.
    posting, taken = await locked_posting(tx, posting_id), await taken_of(tx, posting_id)
    comers = [Comer(workers[citizen], loads[citizen], citizen in here, wait) for citizen, wait in may_wait.items()]
    decided = domain.places_for(posting, taken, comers, caps_of(parts.settings), now)
    made = [claim for claim in decided if isinstance(claim, Claim)]
    await store.add(tx, made)
    await _take(tx, posting, sum(claim.state == "held" for claim in made), now)
    await tell_many(tx, [domain.as_event(claim) for claim in made], now)
    return decided


async def _take(tx: AsyncConnection, posting: JobPosting, places: int, now: datetime) -> None:
    """So many places more are taken; with the last one the posting closes, and every alert about it turns into 마감."""
    if places and await take_places(tx, posting, places) >= posting.terms.slots and posting.status == "open":
        await desk.change(tx, posting, posts.fill(posting, now))


async def drop_claim(tx: AsyncConnection, claim: Claim, posting: JobPosting, reason: str, parts: JobsParts) -> Claim:
    """The place goes to who waits; else the posting opens again, told anew where that is late (J5)."""
    now = parts.clock()
    after = domain.drop(claim, reason, now, parts.settings.jobs_late_dropout_h)
    await keep(tx, after)
    if claim.state in PLACED:
        await free_place(tx, posting, parts, late=after.late)
    if after.late:
        await tell_poster(tx, posting, "late_dropout", now, because=reason)
    return after


async def free_place(tx: AsyncConnection, posting: JobPosting, parts: JobsParts, *, late: bool) -> None:
    """A place that somebody had is free."""
    now = parts.clock()
    await take_places(tx, posting, -1)
    claims = await store.of_posting(tx, posting.id)
    if await _promote(tx, posting, claims, parts):
        return
    heard = sorted((c for c in claims if c.state in PLACED or c.state == "dropped"), key=lambda c: c.changed_at)
    not_for = tuple(dict.fromkeys(veiled(posting.id, c.citizen_id) for c in heard))[-MOST_NOT_FOR:]
    plan = parts.settings.widening()
    await desk.change(tx, posting, posts.free_again(posting, now, late=late, not_for=not_for, plan=plan))


async def _promote(tx: AsyncConnection, posting: JobPosting, claims: list[Claim], parts: JobsParts) -> bool:
    """Give the free place to the first who waits and still may have it."""
    now = parts.clock()
    for waiting in domain.next_in_line(claims):
        worker = await store.try_worker(tx, waiting.citizen_id)
        if worker is None:
            continue
        load = await store.load_of(tx, waiting.citizen_id, now - LOOK_BACK)
        if not _may_work(posting, worker, load, parts):
            continue
        await take_places(tx, posting, 1)
        await keep(tx, domain.moved(waiting, "held", now))
        return True
    return False


def _may_work(posting: JobPosting, worker: Worker, load: Load, parts: JobsParts) -> bool:
    try:
        domain.check_age(posting.terms, worker, load)
        domain.check_load(posting.id, posting.terms, load, caps_of(parts.settings))
    except Refused:
        return False
    return True


async def approve(tx: AsyncConnection, claim: Claim, posting: JobPosting, parts: JobsParts) -> Claim:
    """The officer's yes: what held for claiming must still hold."""
    now = parts.clock()
    domain.expect(claim, "pending")
    if await taken_of(tx, posting.id) >= posting.terms.slots:
        raise domain.NoPlace("posting_id", "full", "every place is taken")
    load = await store.load_of(tx, claim.citizen_id, now - LOOK_BACK)
    domain.check_load(posting.id, posting.terms, load, caps_of(parts.settings))
    after = domain.moved(claim, "held", now)
    await keep(tx, after)
    await _take(tx, posting, 1, now)
    return after


async def follow_edit(tx: AsyncConnection, before: JobPosting, after: JobPosting) -> None:
    """Where pay or time changed, who has a place is asked again; nobody loses it by that (J9)."""
    if not posts.asks_again(before, after):
        return
    for claim in await store.of_posting(tx, after.id):
        if claim.state in ("held", "reconfirm", "pending", "waiting"):
            await keep(tx, domain.under_new_terms(claim, after, after.changed_at, ask=True))


async def cancel_claims(tx: AsyncConnection, posting: JobPosting, reason: str, now: datetime) -> int:
    """The work is off: everybody who claimed is told, with the reason. Returns how many."""
    told = [c for c in await store.of_posting(tx, posting.id) if c.state in ("held", "reconfirm", "pending", "waiting")]
    for claim in told:
        await keep(tx, domain.moved(claim, "cancelled", now, reason))
    placed = sum(claim.state in PLACED for claim in told)
    if placed:
        await take_places(tx, posting, -placed)
    return len(told)


async def alternatives_to(tx: AsyncConnection, posting_id: UUID, now: datetime) -> list[Alternative]:
    """The nearest postings with a free place, by straight-line distance from this one's place."""
    posting = await desk.find(tx, posting_id)
    place = posting.terms.place
    rows = await store.nearest_open(tx, posting_id, place.lat, place.lon, now, ALTERNATIVES)
    found = [Alternative.of(row, place.lat, place.lon) for row in rows]
    return sorted(found, key=lambda a: a.distance_m)


async def applicant(tx: AsyncConnection, claim: Claim, parts: JobsParts) -> Applicant:
    """Who claims, as the officer sees them: a name and what they have earned."""
    facts, settings = await facts_of(tx, claim.citizen_id), parts.settings
    profile = profile_of(
        facts, badge_jobs=settings.jobs_badge_jobs, badge_recommendations=settings.jobs_badge_recommendations
    )
    return Applicant.of(claim, await store.worker_of(tx, claim.citizen_id), profile)
