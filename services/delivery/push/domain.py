"""What a push message says, and what a push service's answer means. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from services.delivery.deliveries.messages import Accepted, Gone, Later, Message, Outcome, Refused

MOST_BYTES = 3_900  # of 4,096 that a push service must take, less what encryption adds (RFC 8291 §4)
KINDS = {"job": "일자리", "space": "공간", "notice": "소식"}


def payload(message: Message, unsubscribe: Mapping[str, str]) -> bytes:
    """JSON for the service worker. `tag` is the message's id: shown twice, it is one notification."""
    told = _digest(message) if message.digest else _alert(message)
    body = {"id": str(message.id), "tag": str(message.id), **told, "unsubscribe": dict(unsubscribe)}
    encoded = _encode(body)
    if len(encoded) > MOST_BYTES:  # links are long where names are; the words matter more
        encoded = _encode({**body, "unsubscribe": {}})
    return encoded


def _alert(message: Message) -> dict[str, Any]:
    (item,) = message.items
    told = item.content
    where = [told.get("dong"), f"약 {told['distance_m']:,}m(직선거리)" if told.get("distance_m") else None]
    marks = ["[긴급]"] if item.emergency else ["[급함]"] if item.urgent else []
    marks += ["[곧 마감]"] if told.get("reminder") else []
    marks += ["(수정됨)"] if told.get("edited") else []
    return {
        "type": "alert", "alert_id": str(item.alert_id), "kind": item.kind, "urgent": item.urgent, "emergency": item.emergency,
        "title": " ".join([*marks, told["headline"]])[:200],
        "body": " · ".join(part for part in (KINDS[item.kind], told["institution"], *where) if part)[:300],
        "url": told["link"], "expires_at": item.expires_at.astimezone(UTC).isoformat(),
    }  # fmt: skip


def _digest(message: Message) -> dict[str, Any]:
    count = len(message.items) + message.more
    lines = [item.content["headline"][:100] for item in message.items[:5]]
    return {
        "type": "digest",
        "title": f"모아 받은 소식 {count}건",
        "body": "\n".join(lines),
        "url": "/",
        "count": count,
    }


def _encode(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def topic(message: Message) -> str:
    """RFC 8030 §5.4: of undelivered messages with the same topic a push service keeps the newest alone."""
    return base64.urlsafe_b64encode(message.id.bytes).decode().rstrip("=")


def ttl_s(message: Message, most_s: int, now: datetime) -> int:
    """No longer than there is something to hear: until the first expiry of an alert, the last of a digest."""
    last = max(item.expires_at for item in message.items)
    return max(0, min(most_s, int((last - now).total_seconds())))


def meaning(status: int, headers: Mapping[str, str], now: datetime) -> Outcome:
    """RFC 8030 §§5–8: 404 and 410 say that the endpoint is no more; 429 and 5xx ask for patience; the rest is for good."""
    if 200 <= status < 300:
        return Accepted()
    if status in (404, 410):
        return Gone(str(status))
    if status == 429 or status >= 500 or status == 408:
        return Later(str(status), _retry_after_s(headers.get("retry-after"), now))
    return Refused(str(status))


def _retry_after_s(said: str | None, now: datetime) -> float | None:
    if said is None:
        return None
    if said.strip().isdigit():
        return float(min(int(said.strip()[:6]), 86_400))
    try:
        return max(0.0, (parsedate_to_datetime(said).astimezone(UTC) - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
