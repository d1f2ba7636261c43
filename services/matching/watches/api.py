"""Routes of a citizen's watch: what they want to hear of, when, and how far."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from services.matching.consent import store as consents
from services.matching.parts import UseParts
from services.matching.watches import store
from services.matching.watches.domain import current_codes
from services.matching.watches.handlers import watch_changed
from services.matching.watches.models import WatchBody, WatchView
from shared.auth import Citizen
from shared.contracts import Watch
from shared.web.etags import IfMatch, etag, expected_version, stale

EPOCH = datetime.fromtimestamp(0, UTC)
router = APIRouter(prefix="/watch", tags=["알림 설정 watch"])


def _unset(citizen_id: str) -> Watch:
    """What a citizen has who never said anything: the defaults, as version 0 would be."""
    return Watch.model_construct(citizen_id=citizen_id, version=0, consent_epoch=0, located=False, changed_at=EPOCH)


@router.get("", summary="내 알림 설정 My settings")
async def get_watch(citizen: Citizen, parts: UseParts, response: Response) -> WatchView:
    async with parts.database.transaction() as tx:
        watch = await store.get(tx, citizen.subject) or _unset(citizen.subject)
    response.headers["ETag"] = etag(watch.version)
    return WatchView.of(watch)


@router.put("", response_model=WatchView, summary="알림 설정 바꾸기 Replace my settings")
async def put_watch(body: WatchBody, citizen: Citizen, parts: UseParts, if_match: IfMatch = None) -> Response:
    """If-Match is optional here: the settings have one owner, but two of their devices may differ.

    The channels that are followed stay as they are: they are chosen at notices.
    """
    settings = body.model_dump() | {"home_dongs": current_codes(body.home_dongs, parts.district)}
    expected = None if if_match is None else expected_version(if_match)
    async with parts.database.transaction() as tx:
        await consents.lock_citizen(tx, citizen.subject)
        before = await store.get(tx, citizen.subject)
        version = before.version if before is not None else 0
        if expected is not None and expected != version:
            raise stale(version)
        consent = await consents.get(tx, citizen.subject, "location")
        watch = await watch_changed(tx, citizen.subject, consent, parts.clock(), settings)
    return JSONResponse(WatchView.of(watch).model_dump(mode="json"), headers={"ETag": etag(watch.version)})
