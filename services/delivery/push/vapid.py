"""Who we are to push services (RFC 8292): one P-256 key made of a secret, so that every instance has the same."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02
from py_vapid.utils import b64urlencode

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
GOOD_FOR_S = 12 * 3_600
RENEWED_BEFORE_S = 3_600
MOST_REMEMBERED = 1_000


class Vapid:
    """Signs for each push service once in a while, not once per message."""

    def __init__(self, secret: str, contact: str) -> None:
        # 48 bytes reduced: no bias worth the name (RFC 9380 §5).
        made = HKDF(algorithm=SHA256(), length=48, salt=None, info=b"gwangsan vapid 1").derive(secret.encode())
        self._key = Vapid02(derive_private_key(int.from_bytes(made) % (ORDER - 1) + 1, SECP256R1()))
        self._contact = contact
        self._signed: dict[str, tuple[str, float]] = {}
        raw = self._key.public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public_key: str = b64urlencode(raw)

    def authorization(self, endpoint: str) -> str:
        """The header for the push service of this endpoint."""
        parts = urlsplit(endpoint)
        audience, now = f"{parts.scheme}://{parts.netloc}", time.time()
        known = self._signed.get(audience)
        if known is None or known[1] - RENEWED_BEFORE_S < now:
            if len(self._signed) >= MOST_REMEMBERED:
                self._signed.clear()
            until = now + GOOD_FOR_S
            signed = self._key.sign({"aud": audience, "sub": self._contact, "exp": int(until)})
            known = self._signed[audience] = str(signed["Authorization"]), until
        return known[0]
