"""Routes of one-tap unsubscribe: links that work without signing in, ask once, and do that one thing alone."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from services.matching.parts import UseParts
from services.matching.unsubscribe import handlers, store
from services.matching.unsubscribe.domain import is_ours, named, stoppable
from shared.auth import Citizen
from shared.rules import Refused
from shared.unsubscribe import LONGEST_LINK, Scope, Unsubscription, link, verify
from shared.web.pages import page
from shared.web.problems import not_found

router = APIRouter(tags=["그만 받기 unsubscribe"])
Token = Annotated[str, Query(max_length=LONGEST_LINK, description="from the link, as it is")]
PAGES: dict[int | str, dict[str, Any]] = {
    code: {"description": said, "content": {"text/html": {}}}
    for code, said in ((404, "쓸 수 없는 링크 / no such link"), (409, "더 끌 수 없음 / as many are muted as may be"))
}


class LinkView(BaseModel):
    """What pressing the button on that page stops; the address works without signing in, in any browser."""

    scope: Scope
    what: str
    ko: str
    en: str
    url: str


@router.get("/inbox/{alert_id}/unsubscribe-links", summary="이런 알림 그만 받기 Links that stop alerts like this")
async def list_unsubscribe_links(alert_id: UUID, citizen: Citizen, parts: UseParts) -> list[LinkView]:
    async with parts.database.transaction() as tx:
        row = await store.of_alert(tx, citizen.subject, alert_id)
    if row is None:
        raise not_found("alert")
    wanted = [Unsubscription(citizen.subject, *by) for by in stoppable(row.kind, row.channel, tuple(row.topics))]
    views = [(one, *named(one.scope, one.what), link(parts.settings, one)) for one in wanted]
    return [LinkView(scope=one.scope, what=one.what, ko=ko, en=en, url=url) for one, ko, en, url in views]


@router.get("/unsubscribe", response_class=HTMLResponse, responses=PAGES, summary="그만 받기 화면 Asks for one press")
async def ask_unsubscribe(t: Token, parts: UseParts) -> HTMLResponse:
    """Does nothing: programmes that scan messages follow links."""
    wanted = verify(parts.settings.unsubscribe_key, t)
    if wanted is None or not is_ours(wanted):
        return _no_such_link()
    ko, en = named(wanted.scope, wanted.what)
    said = (
        f"아래 단추를 누르면 {ko}을(를) 더 받지 않습니다. 로그인은 필요 없습니다.",
        f"Press the button to stop {en}. No signing in is needed.",
    )
    return page("알림 그만 받기", [said], button="그만 받기 Unsubscribe")


@router.post("/unsubscribe", response_class=HTMLResponse, responses=PAGES, summary="그만 받기 Stop it (RFC 8058)")
async def unsubscribe(t: Token, parts: UseParts) -> HTMLResponse:
    """Without signing in, at once, and as often as one likes."""
    wanted = verify(parts.settings.unsubscribe_key, t)
    if wanted is None or not is_ours(wanted):
        return _no_such_link()
    ko, en = named(wanted.scope, wanted.what)
    try:
        async with parts.database.transaction() as tx:
            await handlers.stop(tx, wanted, parts.clock())
    except Refused:
        full = (
            "끈 알림이 너무 많습니다. 알림 설정에서 정리해 주세요.",
            "Too much is muted already: please look at your settings.",
        )
        return page("더 끌 수 없습니다", [full], status=409)
    done = (
        f"{ko}을(를) 더 보내지 않습니다. 알림 설정에서 언제든 다시 켤 수 있습니다.",
        f"You will not hear {en} any more. Your settings can undo it.",
    )
    return page("그만 받기를 마쳤습니다", [done])


def _no_such_link() -> HTMLResponse:
    said = (
        "링크가 잘린 것 같습니다. 받은 메시지의 링크를 다시 눌러 주세요.",
        "This link seems cut short. Please follow the one in the message again.",
    )
    return page("쓸 수 없는 링크입니다", [said], status=404)
