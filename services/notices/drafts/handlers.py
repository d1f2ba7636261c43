"""What happens to a draft, in the caller's transaction. The draft is locked first, then its notice."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from services.notices.channels import store as channels
from services.notices.channels.domain import Institution
from services.notices.drafts import domain, store
from services.notices.drafts.domain import Draft
from services.notices.drafts.models import DraftBody
from services.notices.parts import NoticesParts
from services.notices.publishing import domain as publishing
from services.notices.publishing.domain import Notice, Terms
from services.notices.publishing.handlers import change_notice, desk, named_rightly, open_notice
from services.notices.publishing.models import NoticeDraft
from services.notices.publishing.store import notices
from shared.auth import Principal
from shared.geo import district
from shared.rules import Conflict, Refused
from shared.web.etags import stale
from shared.web.problems import not_found

CLOCK = "-"
AT_ONCE = 20


async def take(tx: AsyncConnection, id_: UUID, officer: Principal, *, version: int | None = None) -> Draft:
    """The institution's own draft, locked; 404, and 412 where `version` is not current."""
    draft = await store.get(tx, id_, str(officer.institution), for_update=True)
    if draft is None:
        raise not_found("draft")
    if version is not None and version != draft.version:
        raise stale(draft.version)
    return draft


async def keep(tx: AsyncConnection, draft: Draft, act: str, by: str, note: str = "") -> Draft:
    await store.save(tx, draft)
    await store.note(tx, draft, act, by, note)
    return draft


async def begin(
    tx: AsyncConnection, body: DraftBody, officer: Principal, institution: Institution, now: datetime
) -> Draft:
    """A new draft, of a new notice or of a new text of one's own open one. Raises problems, Refused."""
    domain.check_hour(body.publish_at, now)
    base = None if body.revises is None else await desk.take(tx, body.revises, officer)
    await terms_of(tx, body.notice, base, institution, body.publish_at, now)
    draft = Draft(
        uuid4(), base.id if base is not None else uuid4(), base.version if base is not None else None, institution.name,
        1, "draft", content_of(body), for_two(body.notice, base), body.publish_at, (officer.subject,), None, None, None, now, now,
    )  # fmt: skip
    await store.add(tx, draft)
    await store.note(tx, draft, "write", officer.subject)
    return draft


def for_two(content: NoticeDraft, base: Notice | None) -> bool:
    """Whether two officers are needed: it is an emergency, or a new text of one, even if no emergency any more."""
    return content.emergency or (base is not None and base.terms.emergency)


def content_of(body: DraftBody) -> dict[str, Any]:
    return body.notice.model_dump(mode="json")


async def terms_of(
    tx: AsyncConnection, content: NoticeDraft, base: Notice | None, institution: Institution, at: datetime | None,
    now: datetime,
) -> Terms:  # fmt: skip
    """The terms as they will be at the hour of publication, found right or refused now."""
    then = max(at, now) if at is not None else now
    terms = await named_rightly(tx, content.terms(institution.name, district(), then), institution)
    if base is None:
        publishing.check_new(terms, institution.name, then)
    else:
        publishing.edit(base, _changes(terms), then)
    return terms


def _changes(terms: Terms) -> dict[str, Any]:
    return {field.name: getattr(terms, field.name) for field in fields(Terms) if field.name != "edited_at"}


async def approve(
    tx: AsyncConnection, draft: Draft, officer: Principal, institution: Institution, now: datetime
) -> Draft:
    """Approve, and publish at once what has no later hour. Raises Conflict, Refused."""
    after = domain.approved(draft, officer.subject, institution, now)
    base = await _base(tx, after)
    await terms_of(tx, NoticeDraft.model_validate(after.content), base, institution, after.publish_at, now)
    await keep(tx, after, "approve", officer.subject)
    return await _publish(tx, after, institution, now) if domain.due(after, now) else after


async def _base(tx: AsyncConnection, draft: Draft) -> Notice | None:
    """The notice that the draft is a new text of, locked and still what it was. Raises Conflict."""
    if draft.base_version is None:
        return None
    base = await notices.get(tx, draft.notice_id, for_update=True)
    if base is None or base.version != draft.base_version:
        raise Conflict("base_version", "changed-meanwhile", "the notice is not what this draft was written on any more")
    return base


async def _publish(tx: AsyncConnection, draft: Draft, institution: Institution, now: datetime) -> Draft:
    base = await _base(tx, draft)
    terms = await terms_of(tx, NoticeDraft.model_validate(draft.content), base, institution, None, now)
    if base is None:
        writer = draft.writers[0]
        await open_notice(tx, draft.notice_id, terms, institution=institution, posted_by=writer, now=now)
    else:
        await change_notice(tx, base, publishing.edit(base, _changes(terms), now))
    return await keep(tx, domain.published(draft, now), "publish", CLOCK)


async def publish_due(tx: AsyncConnection, parts: NoticesParts) -> int:
    """Publish what is approved and has its hour, some at a time. What cannot be published any more goes back with the reason."""
    now = parts.clock()
    drafts = await store.due(tx, now, AT_ONCE)
    for draft in drafts:
        institution = await channels.institution(tx, draft.institution)
        try:
            async with tx.begin_nested():
                await _publish(tx, draft, institution, now)
        except Refused as refused:
            await keep(tx, domain.returned(draft, refused.detail, now), "return", CLOCK, refused.detail)
    return len(drafts)
