"""What came from a board becomes drafts: new ones of what is new, rewritten ones of what changed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from pydantic import ValidationError
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notices.boards import store
from services.notices.boards.domain import Board, Item, content
from services.notices.boards.models import BoardBody, ReadReport
from services.notices.channels import store as channels
from services.notices.channels.domain import check_name
from services.notices.drafts import domain as drafting
from services.notices.drafts import store as drafts
from services.notices.drafts.handlers import begin, content_of, keep
from services.notices.drafts.models import DraftBody
from services.notices.publishing.domain import current_codes
from services.notices.publishing.models import NoticeDraft
from services.notices.publishing.store import notices
from services.notices.settings import Settings
from shared.auth import Principal
from shared.geo import district
from shared.outside import Forbidden, checked
from shared.rules import Conflict, Refused
from shared.web.problems import Problem

SCHEMES = ("https", "http")


async def add_board(
    tx: AsyncConnection, body: BoardBody, officer: Principal, settings: Settings, now: datetime
) -> Row[Any]:
    """Raises Refused for an address that leads inside or a channel that is not one's own, Conflict for one read already."""
    institution = str(officer.institution)
    try:
        checked(body.url, schemes=SCHEMES, private=settings.boards_private_addresses)
    except Forbidden as error:
        raise Refused("url", "public-address", str(error)) from None
    channel = body.channel or institution
    check_name(channel, institution)
    dongs = list(current_codes(body.dongs, district()))
    if await store.count(tx, institution) >= settings.boards_per_institution:
        raise Conflict("url", "too-many-boards", f"at most {settings.boards_per_institution} boards")
    row = await store.add(tx, {
        "id": uuid4(), "institution": institution, "channel": channel, "url": body.url, "kind": body.kind, "dongs": dongs,
        "topics": list(body.topics), "made_by": officer.subject, "now": now,
    })  # fmt: skip
    if row is None:
        raise Conflict("url", "read-already", "this board is read into that channel already")
    return row


async def take_in(
    tx: AsyncConnection, board: Board, items: list[Item], settings: Settings, now: datetime
) -> ReadReport:
    """Each item once, whatever was read before. The caller holds the board's row."""
    known = await store.known(tx, board.id, items)
    report = ReadReport(items=len(items), new=0, changed=0, unchanged=0, skipped=0)
    oldest = now - timedelta(days=settings.boards_oldest_days)
    for item in items:
        before = known.get(item.guid_hash)
        if before is not None and bytes(before.content_hash) == item.content_hash:
            report.unchanged += 1
            continue
        draft_id, skipped = None, _too_old(item, oldest) or _enough(report, settings)
        if skipped is None:
            draft_id, skipped = await _drafted(tx, board, item, before, now)
        await store.put(tx, board.id, item, now, draft_id=draft_id, skipped=skipped)
        if skipped is not None:
            report.skipped += 1
        elif before is None:
            report.new += 1
        else:
            report.changed += 1
    return report


def _too_old(item: Item, oldest: datetime) -> str | None:
    return "older than what is taken in" if item.at is not None and item.at < oldest else None


def _enough(report: ReadReport, settings: Settings) -> str | None:
    return "more at once than are taken in" if report.new + report.changed >= settings.boards_most_drafts else None


async def _drafted(
    tx: AsyncConnection, board: Board, item: Item, before: Row[Any] | None, now: datetime
) -> tuple[UUID | None, str | None]:
    """(the draft, why there is none). One item that cannot be a notice is no reason to lose the others."""
    try:
        async with tx.begin_nested():
            notice = NoticeDraft.model_validate(content(item, board, now))
            return await _write(tx, board, notice, before, now), None
    except (Refused, Problem, ValidationError) as error:
        return None, type(error).__name__ if isinstance(error, ValidationError) else str(error)[:200]


async def _write(
    tx: AsyncConnection, board: Board, notice: NoticeDraft, before: Row[Any] | None, now: datetime
) -> UUID:
    """A draft that nobody decided on yet is rewritten; of a notice that was told a new text is drafted; else a new draft."""
    officer = Principal(board.made_by, frozenset({"officer"}), board.institution)
    institution = await channels.institution(tx, board.institution)
    revises = None
    if before is not None and before.draft_id is not None:
        draft = await drafts.get(tx, before.draft_id, board.institution, for_update=True)
        if draft is not None and draft.state == "draft":
            words = content_of(DraftBody(notice=notice))
            after = drafting.rewritten(draft, words, False, draft.publish_at, board.made_by, now)
            return (await keep(tx, after, "write", board.made_by, "게시판에서 바뀜")).id
        told = None if draft is None else await notices.get(tx, draft.notice_id)
        revises = told.id if told is not None and told.status == "open" else None
    return (await begin(tx, DraftBody(notice=notice, revises=revises), officer, institution, now)).id
