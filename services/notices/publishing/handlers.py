"""What happens to a notice, in the caller's transaction: the row saved, its revision kept, the platform told."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.notices.channels import store as channels
from services.notices.channels.domain import Institution
from services.notices.hub.handlers import AnnouncingDesk
from services.notices.parts import SOURCE, NoticesParts
from services.notices.publishing import domain, store
from services.notices.publishing.domain import Notice, Terms
from services.notices.publishing.store import notices
from services.notices.statistics.handlers import check_cards
from shared.rules import Refused

desk = AnnouncingDesk("notice", source=SOURCE, store=notices, as_posting=domain.as_posting)


async def open_notice(
    tx: AsyncConnection, id_: UUID, terms: Terms, *, institution: Institution, posted_by: str, now: datetime
) -> Notice:
    """A new notice, told from now, in a channel that is there from then on. Raises Refused."""
    terms = await named_rightly(tx, terms, institution)
    notice = domain.publish(id_, terms, institution=institution.name, posted_by=posted_by, now=now)
    await channels.add(tx, terms.channel, institution.name, now)
    await desk.open(tx, notice)
    await store.revise(tx, notice)
    return notice


async def change_notice(tx: AsyncConnection, before: Notice, after: Notice) -> None:
    """Save, keep the revision, tell."""
    if after.version == before.version:
        return
    if after.terms.statistics != before.terms.statistics:
        await check_cards(tx, after.terms.statistics, after.institution)
    await channels.add(tx, after.terms.channel, after.institution, after.changed_at)
    await desk.change(tx, before, after)
    for version in (before, after):
        await store.revise(tx, version)


async def named_rightly(tx: AsyncConnection, terms: Terms, institution: Institution) -> Terms:
    """Only a verified institution may name an origin; telling on a notice that names one means that one. Cards are one's own."""
    await check_cards(tx, terms.statistics, institution.name)
    if terms.origin is None:
        return terms
    if not institution.verified:
        raise Refused("origin", "verified-institution", "only a verified institution tells on what another told")
    try:
        told_on = await notices.get(tx, UUID(terms.origin))
    except ValueError:
        return terms
    return terms if told_on is None or told_on.terms.origin is None else replace(terms, origin=told_on.terms.origin)


async def expire_due(tx: AsyncConnection, parts: NoticesParts) -> int:
    """Close what is over, some at a time; returns how many."""
    now = parts.clock()
    ids = await store.over(tx, now)
    for id_ in ids:
        before = await desk.find(tx, id_)
        await desk.change(tx, before, domain.expired(before, now))
    return len(ids)
