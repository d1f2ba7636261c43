"""Routes for officers: how many their posting would reach, and did. Counts alone, never who, never where anybody was (M10)."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from uuid import UUID

import structlog
from fastapi import APIRouter
from pydantic import BaseModel

from services.matching.engine.areas import Areas
from services.matching.index import store as index
from services.matching.index.store import StoredFix
from services.matching.parts import Parts, UseParts
from services.matching.reach import domain, store
from services.matching.reach.models import DongResidents, PreviewBody, PreviewView
from services.matching.reach.standing import Standing, standing
from services.matching.reach.store import Aim
from services.matching.watches.domain import current_codes
from shared.auth import Officer
from shared.contracts.location import LOCATIONS
from shared.contracts.posting import Where
from shared.geo import District
from shared.redis import FAULTS
from shared.rules import Refused
from shared.web.problems import Problem, not_found

log = structlog.get_logger()

router = APIRouter(tags=["도달 reach"])


class Stages(BaseModel):
    """Citizens told, of whom delivered (streamed or listed), of whom opened (read), of whom acted (followed the link)."""

    alerted: int | None
    delivered: int | None
    opened: int | None
    acted: int | None


class DongReach(Stages):
    """In `dongs` that of the posting's place, never where a citizen was; in `homes` the one chosen as home."""

    dong: str | None


class ReachView(Stages):
    """Null is hidden: a count under `least`, or one from which such a count could be told.

    `homes` are the same citizens by the 동 that they chose as home; null for those who chose none.
    """

    posting_id: UUID
    least: int
    dongs: list[DongReach]
    homes: list[DongReach]
    as_of: datetime


@router.get("/postings/{posting_id}/reach", summary="도달 현황 How many a posting of one's own institution reached")
async def get_reach(posting_id: UUID, officer: Officer, parts: UseParts) -> ReachView:
    async with parts.database.transaction() as tx:
        institution = await store.institution_of(tx, posting_id)
        if institution is None:
            raise not_found("posting")
        if institution != officer.institution:
            raise Problem(403, "forbidden", "다른 기관의 소식입니다 / Another institution's posting")
        counted = await store.counts_of(tx, posting_id)
        by_home = await store.counts_of(tx, posting_id, by_home=True)
    least, names = parts.settings.reach_least, {dong.code: dong.name for dong in parts.district.dongs}
    reach = domain.shown(counted, least)
    dongs = [DongReach(dong=dong, **at) for dong, at in reach.dongs]
    homes = [DongReach(dong=names.get(code or ""), **at) for code, at in domain.shown(by_home, least).dongs]
    return ReachView(posting_id=posting_id, least=least, dongs=dongs, homes=homes, as_of=parts.clock(), **reach.total)


@router.post("/reach/preview", summary="미리 보기 How many residents a notice would reach, by 동")
async def preview_reach(body: PreviewBody, officer: Officer, parts: UseParts) -> PreviewView:
    """Nothing is made by it, so no Idempotency-Key. At most so many a window for one officer: many would be a measurement."""
    institution = str(officer.institution)
    channel = body.channel or institution
    if channel != institution and not channel.startswith(f"{institution}/"):
        raise Refused("channel", "own-channel", "a channel is the institution's name, or begins with it and a slash")
    homes = current_codes(body.dongs, parts.district, field="dongs")
    near = await _standing_in(
        parts, Where(circles=tuple(c.circle() for c in body.circles), dongs=homes), officer.subject
    )
    async with parts.database.transaction() as tx:
        counted = await store.preview(tx, Aim(homes, channel, body.followers, body.topics), near, parts.clock())
    least, names = parts.settings.reach_least, {dong.code: dong.name for dong in parts.district.dongs}
    told = domain.previewed(counted, least)
    dongs = [DongResidents(code=code, dong=names.get(code or ""), residents=count) for code, count in told.dongs]
    return PreviewView(residents=told.total, least=least, dongs=dongs)


async def _standing_in(parts: Parts, where: Where, officer: str) -> list[Standing]:
    """Who stands within the target now; 429 beyond the officer's previews, 503 without Redis: never uncounted."""
    now_ms, settings = int(parts.clock().timestamp() * 1000), parts.settings
    try:
        wait_s = await index.admit(
            parts.redis, f"previews:{officer}", settings.reach_previews, settings.reach_previews_s
        )
        if wait_s:
            title = "미리 보기를 너무 자주 했습니다. 잠시 뒤 다시 해 주세요 / Too many previews"
            raise Problem(429, "too-many-requests", title, headers={"Retry-After": str(wait_s)})
        fixes: dict[str, StoredFix] = {}
        for partition in range(LOCATIONS.partitions if where.circles or where.dongs else 0):
            fixes |= await index.fixes_of(parts.redis, partition, now_ms)
    except FAULTS as error:
        log.warning("preview_unavailable", error=type(error).__name__)
        title = "지금은 미리 볼 수 없습니다 / The index is away"
        raise Problem(503, "unavailable", title, headers={"Retry-After": "5"}) from None
    oldest_ms = now_ms - int(settings.position_ttl_s * 1000)
    fresh = {citizen: fix for citizen, fix in fixes.items() if fix.observed_ms >= oldest_ms}
    return standing(fresh, where, parts.district, _areas(parts.district))


@cache
def _areas(district: District) -> Areas:
    return Areas(district)
