"""What a citizen decides about where and how often they are reached."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from services.delivery.deliveries.handlers import Hours
from services.delivery.settings import Settings
from services.delivery.subscriptions import store
from services.delivery.subscriptions.domain import (
    Channel,
    Preference,
    check_keys,
    checked_mail,
    confirmation_token,
    next_digest,
)
from services.delivery.subscriptions.models import MailView, PushBody, PushView
from shared.outside import Forbidden, checked
from shared.rules import Conflict, Refused
from shared.unsubscribe import Unsubscription
from shared.web.problems import Problem

HOUR = timedelta(hours=1)
CHANNELS: tuple[Channel, ...] = ("push", "mail")


async def register_push(
    tx: AsyncConnection, citizen_id: str, body: PushBody, settings: Settings, now: datetime
) -> PushView:
    """Raises Refused for an endpoint or keys that are none, Conflict beyond the number of devices."""
    try:
        checked(body.endpoint, private=settings.push_private_endpoints)
    except Forbidden as error:
        raise Refused("endpoint", "public-https", str(error)) from None
    check_keys(body.keys.p256dh, body.keys.auth)
    await store.lock_citizen(tx, citizen_id)
    known = {row.address for row in await store.all_of(tx, citizen_id) if row.channel == "push"}
    if body.endpoint not in known and len(known) >= settings.push_endpoints_per_citizen:
        raise Conflict("endpoint", "too-many-devices", f"at most {settings.push_endpoints_per_citizen} devices")
    values = {"address": body.endpoint, "p256dh": body.keys.p256dh, "auth": body.keys.auth}
    return PushView.of(await store.add_push(tx, {"id": uuid4(), "citizen": citizen_id, "now": now, **values}))


async def register_mail(
    tx: AsyncConnection, citizen_id: str, wanted: str, settings: Settings, now: datetime
) -> MailView:
    """The address as it stands; unless it is active already, a confirmation is on its way to it.

    Raises Refused, Conflict where there is no mail here, a 429 problem where too many confirmations were asked for.
    """
    address = checked_mail(wanted)
    if not settings.smtp_host:
        raise Conflict("address", "no-mail", "this installation sends no mail")
    await store.lock_citizen(tx, citizen_id)
    known = await store.mail_of(tx, citizen_id)
    if known is not None and known.address == address and known.state == "active":
        return MailView.of(known)
    await _count(tx, citizen_id, address, settings, now)
    id_, until = uuid4(), now + timedelta(hours=settings.mail_confirm_hours)
    token_hash = store.hashed(confirmation_token(settings.unsubscribe_key, id_))
    if known is not None:
        await store.remove_mail(tx, citizen_id)
    values = {
        "id": id_,
        "citizen": citizen_id,
        "address": address,
        "now": now,
        "token_hash": token_hash,
        "until": until,
    }
    return MailView.of(await store.add_mail(tx, values))


async def _count(tx: AsyncConnection, citizen_id: str, address: str, settings: Settings, now: datetime) -> None:
    """By citizen and by address: nobody can have another's mailbox filled. Raises a 429 problem."""
    counts = [await store.asked(tx, who, now, HOUR) for who in (f"citizen {citizen_id}", f"address {address}")]
    if max(counts) >= settings.mail_confirmations_per_hour:
        title = "확인 메일을 너무 자주 요청했습니다 / Too many confirmations were asked for"
        raise Problem(429, "too-many-requests", title, headers={"Retry-After": "3600"})


async def change_preference(
    tx: AsyncConnection, citizen_id: str, wanted: Preference, hours: Hours, now: datetime
) -> None:
    """What is off is not sent any more; what waited for a digest follows the new wishes."""
    await store.lock_citizen(tx, citizen_id)
    await store.put_preference(tx, citizen_id, wanted, now)
    named = wanted.hour if wanted.hour is not None else await store.digest_hour(tx, citizen_id)
    for channel in CHANNELS:
        mode = wanted.mode(channel)
        if mode == "off":
            await store.turn_off(tx, citizen_id, channel)
        else:
            hour = hours.hour if named is None else named
            await store.replan(tx, citizen_id, channel, next_digest(mode, hour, wanted.weekday, now, hours.settles))


async def stop_mail(tx: AsyncConnection, wanted: Unsubscription, now: datetime) -> None:
    """What the link in a mail does, and nothing else: no more mail. Doing it twice changes nothing."""
    await store.lock_citizen(tx, wanted.citizen_id)
    before = await store.preference(tx, wanted.citizen_id)
    await store.put_preference(tx, wanted.citizen_id, Preference(before.push, "off", before.hour, before.weekday), now)
    await store.turn_off(tx, wanted.citizen_id, "mail")
