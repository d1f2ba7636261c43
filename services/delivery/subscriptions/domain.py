"""Where a citizen wants to be reached, how often and when. Pure: the time is passed in."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Literal
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey

from shared.clock import SEOUL
from shared.rules import Refused

Channel = Literal["push", "mail"]
Mode = Literal["off", "instant", "daily", "weekly"]

# Addresses as RFC 5321 has them without quoting, in ASCII; whether one exists only its confirmation tells.
_MAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,63}"
)


@dataclass(frozen=True)
class Preference:
    """How each way of reaching a citizen is used. `hour` None: the hour of their digests at matching, else the product's."""

    push: Mode = "instant"
    mail: Mode = "daily"
    hour: int | None = None
    weekday: int = 0

    def mode(self, channel: Channel) -> Mode:
        return self.push if channel == "push" else self.mail


def next_digest(mode: Mode, hour: int, weekday: int, now: datetime, settles: timedelta) -> datetime:
    """When the next digest goes out: some time after the hour (Asia/Seoul) has struck, so that all of it has come in.

    What arrives while it settles is still in it. Weekday 0 is Monday; only a weekly digest minds it.
    """
    earliest = (now - settles).astimezone(SEOUL)
    struck = datetime.combine(earliest.date(), time(hour), SEOUL)
    if struck <= earliest:
        struck += timedelta(days=1)
    if mode == "weekly":
        struck += timedelta(days=(weekday - struck.weekday()) % 7)
    return struck + settles


def checked_mail(address: str) -> str:
    """The address with its domain in small letters. Raises Refused."""
    if len(address) > 254 or not _MAIL.fullmatch(address) or ".." in address or address.startswith("."):
        raise Refused("address", "e-mail", "not an e-mail address, as name@example.com")
    name, _, domain = address.rpartition("@")
    return f"{name}@{domain.lower()}"


def confirmation_token(key: str, target_id: UUID) -> str:
    """What the link in a confirmation carries: made of the key anew whenever it is sent, so that it is kept nowhere."""
    made = hmac.new(key.encode(), f"gwangsan confirmation 1\n{target_id}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(made).decode().rstrip("=")


def check_keys(p256dh: str, auth: str) -> None:
    """A browser's public key is a point of P-256, uncompressed; its secret has 16 bytes. Raises Refused."""
    try:
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), _raw(p256dh))
    except (ValueError, binascii.Error):
        raise Refused(
            "keys.p256dh", "p256-point", "the browser's key, an uncompressed P-256 point in base64url"
        ) from None
    try:
        right = len(_raw(auth)) == 16
    except (ValueError, binascii.Error):
        right = False
    if not right:
        raise Refused("keys.auth", "sixteen-bytes", "the browser's secret, 16 bytes in base64url")


def _raw(text: str) -> bytes:
    return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)
