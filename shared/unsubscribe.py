"""One-tap unsubscribe (N6): links that work without signing in and can do one thing only.

A link holds the citizen, a scope and what of it, signed with HMAC-SHA-256. It never expires: an old message must stay
as easy to stop as a new one. It goes into the query, which neither gateway nor services ever write down.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from dataclasses import dataclass
from functools import lru_cache
from secrets import token_urlsafe
from typing import Literal, cast, get_args

import msgspec
from pydantic import Field

from shared.settings import PlatformSettings

Scope = Literal["channel", "topic", "kind", "mail"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
LONGEST_LINK = 1_200
LONGEST_WHAT = 200
_CONTEXT = b"gwangsan unsubscribe 1\n"


class UnsubscribeSettings(PlatformSettings):
    """Whoever makes such links or takes them has these: the same key in every process."""

    unsubscribe_key: str = Field(
        default_factory=lambda: token_urlsafe(24), min_length=16, repr=False,
        description="signs unsubscribe links, the same in every process; without one each start makes its own, which production refuses",
    )  # fmt: skip

    def check_key(self) -> None:
        """Raises ValueError in production without a key of its own."""
        made_up = "unsubscribe_key" not in self.model_fields_set or self.unsubscribe_key.startswith("development-only")
        if self.environment == "production" and made_up:
            raise ValueError("GWANGSAN_UNSUBSCRIBE_KEY must be set in production")


@dataclass(frozen=True)
class Unsubscription:
    """Whose, and of what: a channel, a topic, a kind of posting, or the mail."""

    citizen_id: str
    scope: Scope
    what: str


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _signature(key: str, payload: bytes) -> bytes:
    return hmac.digest(key.encode(), _CONTEXT + payload, "sha256")


@lru_cache(maxsize=1_024)  # the items of one message mostly have the same kind and channel
def sign(key: str, wanted: Unsubscription) -> str:
    """The link's token: the same for the same wish, so that repeating it is harmless."""
    payload = msgspec.json.encode([wanted.citizen_id, wanted.scope, wanted.what])
    return f"{_b64(payload)}.{_b64(_signature(key, payload))}"


def verify(key: str, token: str) -> Unsubscription | None:
    """What was signed with this key, or None for anything else."""
    if len(token) > LONGEST_LINK or not token.isascii():
        return None
    encoded, _, signature = token.partition(".")
    try:
        payload, given = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in (encoded, signature))
        if not hmac.compare_digest(_signature(key, payload), given):
            return None
        citizen_id, scope, what = json.loads(payload)
    except (ValueError, TypeError, binascii.Error):
        return None
    return Unsubscription(citizen_id, cast("Scope", scope), what) if scope in SCOPES else None


def link(settings: UnsubscribeSettings, wanted: Unsubscription) -> str:
    """The whole address: the mail is stopped where it is sent, everything else where alerts are made."""
    service = "delivery" if wanted.scope == "mail" else "matching"
    return f"{settings.public_url}/api/{service}/unsubscribe?t={sign(settings.unsubscribe_key, wanted)}"
