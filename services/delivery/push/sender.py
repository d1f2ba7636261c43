"""Web push (RFC 8030, encrypted by RFC 8291): one request per message, to a checked address."""

from __future__ import annotations

from pywebpush import WebPusher

from services.delivery.deliveries.links import links_of
from services.delivery.deliveries.messages import Later, Message, Outcome, Refused
from services.delivery.push.domain import meaning, payload, topic, ttl_s
from services.delivery.push.vapid import Vapid
from services.delivery.settings import Settings
from shared.clock import Clock
from shared.outside import Forbidden, Outside, TooLarge, Unreachable


class Pusher:
    """Sends one message; tells how it went and never what was in it."""

    def __init__(self, settings: Settings, vapid: Vapid, outside: Outside, clock: Clock) -> None:
        self._settings, self._vapid, self._outside, self._clock = settings, vapid, outside, clock

    async def __call__(self, message: Message) -> Outcome:
        keys = {"p256dh": message.p256dh, "auth": message.auth}
        body = payload(
            message, links_of(self._settings, message.citizen_id, message.items[0]) if not message.digest else {}
        )
        try:
            sealed = WebPusher({"endpoint": message.address, "keys": keys}).encode(body, "aes128gcm")["body"]
            answer = await self._outside.ask("POST", message.address, headers=self._headers(message), body=sealed)
        except (Forbidden, ValueError) as error:
            return Refused(type(error).__name__)
        except (Unreachable, TooLarge) as error:
            return Later(str(error))
        return meaning(answer.status, answer.headers, self._clock())

    def _headers(self, message: Message) -> dict[str, str]:
        pressing = any(item.urgent or item.emergency for item in message.items)
        return {
            "Authorization": self._vapid.authorization(message.address), "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream", "Topic": topic(message), "Urgency": "high" if pressing else "normal",
            "TTL": str(ttl_s(message, self._settings.push_ttl_s, self._clock())),
        }  # fmt: skip
