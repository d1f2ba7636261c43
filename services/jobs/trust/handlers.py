"""What happens to reviews, in the caller's transaction: kept, shown together or in time, told."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from services.jobs.claims.domain import Claim, expect
from services.jobs.events import tell, tell_poster
from services.jobs.parts import JobsParts
from services.jobs.postings.handlers import desk
from services.jobs.trust import domain, store
from services.jobs.trust.domain import Profile, Review, Side
from services.jobs.trust.models import ReviewBody
from services.jobs.trust.projection import facts_of
from shared.web.problems import not_found


def shown_after(parts: JobsParts) -> timedelta:
    return timedelta(days=parts.settings.jobs_review_days)


async def write_review(tx: AsyncConnection, claim: Claim, by: Side, body: ReviewBody, parts: JobsParts) -> Review:
    """With the second side's word both are shown."""
    now = parts.clock()
    expect(claim, "finished")
    domain.check_tags(by, body.tags)
    existing = await store.of_claim(tx, claim.id)
    domain.check_time(existing, by, now, shown_after(parts))
    review = Review(
        uuid4(), claim.id, claim.posting_id, claim.institution, claim.citizen_id, by, 1, "sealed", body.tags,
        body.recommends, body.comment, None, None, None, now, now,
    )  # fmt: skip
    await store.add(tx, review)
    await tell(tx, domain.as_event(review), now)
    if existing:
        for one in (*existing, review):
            await keep(tx, domain.revealed(one, now))
    return domain.revealed(review, now) if existing else review


async def keep(tx: AsyncConnection, review: Review) -> None:
    await store.save(tx, review)
    await tell(tx, domain.as_event(review), review.changed_at)


async def reveal_due(tx: AsyncConnection, parts: JobsParts) -> int:
    """A review that has waited long enough for the other is shown without it."""
    review = await store.due(tx, parts.clock() - shown_after(parts))
    if review is None:
        return 0
    await keep(tx, domain.revealed(review, parts.clock()))
    return 1


async def taken(tx: AsyncConnection, review_id: UUID) -> Review:
    review = await store.take(tx, review_id)
    if review is None:
        raise not_found("review")
    return review


async def appeal(tx: AsyncConnection, review: Review, reason: str, parts: JobsParts) -> Review:
    after = domain.appealed(review, reason, parts.clock())
    await keep(tx, after)
    if review.by == "institution":
        await tell_poster(tx, await desk.find(tx, review.posting_id), "appealed", after.changed_at, because=reason)
    return after


async def profile_of(tx: AsyncConnection, citizen_id: str, parts: JobsParts) -> Profile:
    facts, settings = await facts_of(tx, citizen_id), parts.settings
    return domain.profile_of(
        facts, badge_jobs=settings.jobs_badge_jobs, badge_recommendations=settings.jobs_badge_recommendations
    )
