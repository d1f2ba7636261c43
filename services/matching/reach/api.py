"""Routes for officers: how many their posting reached. Counts alone, never who, and never where anybody was (M10)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from services.matching.parts import UseParts
from services.matching.reach import domain, store
from shared.auth import Officer
from shared.web.problems import Problem, not_found

router = APIRouter(prefix="/postings", tags=["도달 reach"])


class Stages(BaseModel):
    """Citizens told, of whom delivered (streamed or listed), of whom opened (read), of whom acted (followed the link)."""

    alerted: int | None
    delivered: int | None
    opened: int | None
    acted: int | None


class DongReach(Stages):
    """`dong` is that of the posting's place, never of a citizen."""

    dong: str | None


class ReachView(Stages):
    """Null is hidden: a count under `least`, or one from which such a count could be told."""

    posting_id: UUID
    least: int
    dongs: list[DongReach]
    as_of: datetime


@router.get("/{posting_id}/reach", summary="도달 현황 How many a posting of one's own institution reached")
async def get_reach(posting_id: UUID, officer: Officer, parts: UseParts) -> ReachView:
    async with parts.database.transaction() as tx:
        institution = await store.institution_of(tx, posting_id)
        if institution is None:
            raise not_found("posting")
        if institution != officer.institution:
            raise Problem(403, "forbidden", "다른 기관의 소식입니다 / Another institution's posting")
        counted = await store.counts_of(tx, posting_id)
    reach = domain.shown(counted, parts.settings.reach_least)
    dongs = [DongReach(dong=dong, **at) for dong, at in reach.dongs]
    return ReachView(
        posting_id=posting_id, least=parts.settings.reach_least, dongs=dongs, as_of=parts.clock(), **reach.total
    )
