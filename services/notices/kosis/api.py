"""Routes of cards that are read from KOSIS: from which table, how that does, and reading it now."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from services.notices.channels.handlers import entitled_to_publish
from services.notices.kosis import store
from services.notices.kosis.models import KosisBody, KosisView
from services.notices.limits import limited
from services.notices.parts import UseNotices
from services.notices.statistics.handlers import take
from shared.auth import Officer
from shared.rules import Conflict
from shared.web.problems import not_found

router = APIRouter(prefix="/statistics", tags=["통계 카드 statistics"])
writes = [limited("writes")]


@router.put("/{statistic_id}/kosis", dependencies=writes, summary="KOSIS에서 읽기 Read the card from a table of KOSIS")
async def put_kosis(statistic_id: UUID, body: KosisBody, officer: Officer, parts: UseNotices) -> KosisView:
    """What comes is shown without another look, so it takes an officer of both roles."""
    async with parts.database.transaction() as tx:
        await entitled_to_publish(tx, officer, parts, "author", "approver")
        card = await take(tx, statistic_id, officer)
        if card.withdrawn_at is not None:
            raise Conflict("state", "withdrawn", "a withdrawn card is not read: rewrite it first")
        row = await store.put(tx, card.id, card.institution, body.asked(), officer.subject, parts.clock())
    return KosisView.of(row, parts.settings.boards_failing_after)


@router.get("/{statistic_id}/kosis", summary="KOSIS 읽기 상태 How reading it does")
async def get_kosis(statistic_id: UUID, officer: Officer, parts: UseNotices) -> KosisView:
    async with parts.database.transaction() as tx:
        await take(tx, statistic_id, officer)
        row = await store.get(tx, statistic_id)
    if row is None:
        raise not_found("source")
    return KosisView.of(row, parts.settings.boards_failing_after)


@router.delete("/{statistic_id}/kosis", status_code=204, dependencies=writes, summary="그만 읽기 Read it no more")
async def delete_kosis(statistic_id: UUID, officer: Officer, parts: UseNotices) -> None:
    async with parts.database.transaction() as tx:
        await entitled_to_publish(tx, officer, parts, "author", "approver")
        if not await store.remove(tx, statistic_id, str(officer.institution)):
            raise not_found("source")


@router.post("/{statistic_id}/kosis/look", dependencies=writes, summary="지금 읽기 Read it now")
async def look_at_kosis(statistic_id: UUID, officer: Officer, parts: UseNotices) -> KosisView:
    """It is due from now: the reader comes to it within a tick. Asking twice is asking once."""
    async with parts.database.transaction() as tx:
        row = await store.look_now(tx, statistic_id, str(officer.institution), parts.clock())
    if row is None:
        raise not_found("source")
    return KosisView.of(row, parts.settings.boards_failing_after)
