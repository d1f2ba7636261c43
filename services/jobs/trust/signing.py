"""Signing a profile's summary, so that a citizen can show it anywhere (RFC 7515, EdDSA of RFC 8037)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

ALGORITHM = "Ed25519"
GOOD_FOR = timedelta(days=30)


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class Signer:
    """One key, made from the service's secret, so that every instance has the same."""

    def __init__(self, secret: str) -> None:
        seed = hmac.new(secret.encode(), b"profile summaries", hashlib.sha256).digest()
        public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._kid = hashlib.sha256(public).hexdigest()[:16]
        self._public = {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": _b64(public),
            "kid": self._kid,
            "use": "sig",
            "alg": ALGORITHM,
        }
        self._key = OKPKey.import_key({**self._public, "d": _b64(seed)})

    def keys(self) -> dict[str, Any]:
        """The public key, as a JWKS."""
        return {"keys": [self._public]}

    def sign(self, summary: dict[str, Any], now: datetime) -> tuple[str, datetime]:
        """(the JWS, when it expires). Nothing in it names the account."""
        expires_at = now + GOOD_FOR
        claims = {**summary, "iss": "gwangsan-jobs", "iat": int(now.timestamp()), "exp": int(expires_at.timestamp())}
        header = {"alg": ALGORITHM, "kid": self._kid, "typ": "profile+jwt"}
        payload = json.dumps(claims, ensure_ascii=False).encode()
        return jws.serialize_compact(header, payload, self._key, algorithms=[ALGORITHM]), expires_at

    def read(self, token: str, now: datetime) -> dict[str, Any] | None:
        """What was signed, or None where it was not signed here, was changed, or has expired."""
        try:
            signed = jws.deserialize_compact(token, self._key, algorithms=[ALGORITHM])
            claims: dict[str, Any] = json.loads(signed.payload or b"{}")
        except (JoseError, ValueError):
            return None
        return claims if claims.get("exp", 0) > now.timestamp() else None
