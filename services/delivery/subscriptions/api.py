"""Routes of subscriptions: devices for web push, one e-mail address with confirmation, how often and when."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse

from services.delivery.limits import limited
from services.delivery.parts import UseDelivery
from services.delivery.subscriptions import handlers, store
from services.delivery.subscriptions.models import (
    MailBody,
    MailView,
    PreferenceBody,
    PreferenceView,
    PushBody,
    PushKeyView,
    PushView,
    SubscriptionsView,
)
from shared.auth import Citizen
from shared.unsubscribe import LONGEST_LINK, verify
from shared.web.idempotency import IdempotencyKey, once
from shared.web.pages import page
from shared.web.problems import not_found

router = APIRouter(tags=["받는 곳 subscriptions"])
writes = [limited()]
PAGES: dict[int | str, dict[str, Any]] = {
    404: {"description": "쓸 수 없는 링크 / no such link", "content": {"text/html": {}}}
}
Token = Annotated[str, Query(alias="t", max_length=LONGEST_LINK, description="from the link, as it is")]

CONFIRM = ("이메일 주소 확인", "아래 단추를 누르면 이 주소로 당근 광산의 소식을 받습니다.",
           "Press the button to receive messages of 당근 광산 at this address.")  # fmt: skip
STOP = ("이메일 그만 받기", "아래 단추를 누르면 이메일을 더 보내지 않습니다. 로그인은 필요 없습니다.",
        "Press the button and no more e-mail is sent. No signing in is needed.")  # fmt: skip
BAD = ("쓸 수 없는 링크입니다", "링크가 잘렸거나 기한이 지났습니다. 메일의 링크를 다시 눌러 주세요.",
       "This link was cut short or is no longer good. Please follow the one in the mail again.")  # fmt: skip


@router.get("/push-key", summary="웹 푸시 공개 키 The key that browsers subscribe with")
async def get_push_key(parts: UseDelivery) -> PushKeyView:
    return PushKeyView(public_key=parts.vapid.public_key)


@router.get("/subscriptions", summary="내가 받는 곳 Where and how often I am reached")
async def get_subscriptions(citizen: Citizen, parts: UseDelivery) -> SubscriptionsView:
    async with parts.database.transaction() as tx:
        rows = await store.all_of(tx, citizen.subject)
        kept = await store.preference(tx, citizen.subject)
    mail = next((MailView.of(row) for row in rows if row.channel == "mail"), None)
    pushes = [PushView.of(row) for row in rows if row.channel == "push"]
    return SubscriptionsView(push=pushes, mail=mail, preferences=PreferenceView.of(kept))


@router.delete("/subscriptions", status_code=204, dependencies=writes, summary="모두 지우기 Forget all of it")
async def delete_subscriptions(citizen: Citizen, parts: UseDelivery) -> None:
    """Addresses, preferences, and what was to be sent there."""
    async with parts.database.transaction() as tx:
        await store.lock_citizen(tx, citizen.subject)
        await store.remove_all(tx, citizen.subject)


@router.post("/subscriptions/push", status_code=201, response_model=PushView, dependencies=writes,
             summary="이 기기에서 푸시 받기 Register a device")  # fmt: skip
async def register_push(body: PushBody, citizen: Citizen, key: IdempotencyKey, parts: UseDelivery) -> Response:
    """The same endpoint again is the same device, with its newest keys."""
    route = "POST /subscriptions/push"
    async with once(parts.database, principal=citizen.subject, key=key, route=route, body=body) as claim:
        if claim.response is not None:
            return claim.response
        made = await handlers.register_push(claim.tx, citizen.subject, body, parts.settings, parts.clock())
        return await claim.answer(201, made)


@router.delete(
    "/subscriptions/push/{target_id}", status_code=204, dependencies=writes, summary="기기 빼기 Remove a device"
)
async def remove_push(target_id: UUID, citizen: Citizen, parts: UseDelivery) -> None:
    async with parts.database.transaction() as tx:
        if not await store.remove_push(tx, citizen.subject, target_id):
            raise not_found("device")


@router.put("/subscriptions/mail", dependencies=writes, summary="이메일로 받기 Register an e-mail address")
async def register_mail(body: MailBody, citizen: Citizen, parts: UseDelivery) -> MailView:
    """A confirmation goes to the address; until its link is followed nothing else does."""
    async with parts.database.transaction() as tx:
        return await handlers.register_mail(tx, citizen.subject, body.address, parts.settings, parts.clock())


@router.delete("/subscriptions/mail", status_code=204, dependencies=writes, summary="이메일 빼기 Remove the address")
async def remove_mail(citizen: Citizen, parts: UseDelivery) -> None:
    async with parts.database.transaction() as tx:
        if not await store.remove_mail(tx, citizen.subject):
            raise not_found("address")


@router.put("/subscriptions/preferences", dependencies=writes, summary="얼마나 자주 How often and when")
async def put_preferences(body: PreferenceBody, citizen: Citizen, parts: UseDelivery) -> PreferenceView:
    async with parts.database.transaction() as tx:
        wanted = body.preference()
        await handlers.change_preference(tx, citizen.subject, wanted, parts.hours, parts.clock())
    return PreferenceView.of(wanted)


@router.get(
    "/mail-confirmation",
    response_class=HTMLResponse,
    responses=PAGES,
    summary="주소 확인 화면 Asks for one press of a button",
)
async def ask_confirmation(t: Token) -> HTMLResponse:
    """Does nothing: scanners of mail follow links."""
    return page(CONFIRM[0], [CONFIRM[1:]], button="확인 Confirm")


@router.post(
    "/mail-confirmation", response_class=HTMLResponse, responses=PAGES, summary="주소 확인 Confirms the address"
)
async def confirm_mail(t: Token, parts: UseDelivery) -> HTMLResponse:
    async with parts.database.transaction() as tx:
        good = await store.confirm(tx, t, parts.clock())
    if not good:
        return page(BAD[0], [BAD[1:]], status=404)
    return page("확인했습니다", [("이제 이 주소로 소식을 보내드립니다.", "Messages now come to this address.")])


@router.get(
    "/unsubscribe",
    response_class=HTMLResponse,
    responses=PAGES,
    summary="이메일 끄기 화면 Asks for one press of a button",
)
async def ask_unsubscribe(t: Token, parts: UseDelivery) -> HTMLResponse:
    """Does nothing: scanners of mail follow links."""
    wanted = verify(parts.settings.unsubscribe_key, t)
    if wanted is None or wanted.scope != "mail":
        return page(BAD[0], [BAD[1:]], status=404)
    return page(STOP[0], [STOP[1:]], button="그만 받기 Unsubscribe")


@router.post(
    "/unsubscribe", response_class=HTMLResponse, responses=PAGES, summary="이메일 끄기 No more mail (RFC 8058)"
)
async def unsubscribe_mail(t: Token, parts: UseDelivery) -> HTMLResponse:
    """Without signing in, at once; also what a mail programme's own button sends."""
    wanted = verify(parts.settings.unsubscribe_key, t)
    if wanted is None or wanted.scope != "mail":
        return page(BAD[0], [BAD[1:]], status=404)
    async with parts.database.transaction() as tx:
        await handlers.stop_mail(tx, wanted, parts.clock())
    said = (
        "이메일을 더 보내지 않습니다. 설정에서 언제든 다시 켤 수 있습니다.",
        "No more e-mail is sent. You can turn it on again in the settings.",
    )
    return page("그만 받기를 마쳤습니다", [said])
