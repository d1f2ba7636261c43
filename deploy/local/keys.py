"""The development issuer's keys: made at first use, several published at once, the newest signs."""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.errors import LocalError
from deploy.local.secrets import write_private

AUDIENCE = "gwangsan"
LIFETIME_S = 12 * 3600
KEPT_KEYS = 3
ROLES = ("citizen", "officer", "moderator", "admin")


@dataclass(frozen=True)
class Identity:
    """Whom a token speaks for."""

    role: str
    name: str

    def claims(self) -> dict[str, Any]:
        claims: dict[str, Any] = {"sub": f"{self.role}:{self.name}", "name": self.name, "roles": [self.role]}
        if self.role == "officer":
            claims["institution"] = self.name
        return claims


def identity(text: str) -> Identity:
    """citizen:NAME, officer:INSTITUTION, moderator or admin (each of these with a name if wanted)."""
    role, _, name = text.strip().partition(":")
    name = name.strip()
    if role not in ROLES or (role in ("citizen", "officer") and not name) or len(name) > 64:
        raise LocalError(
            f"‘{text}’은(는) 쓸 수 없습니다: citizen:이름, officer:기관, moderator, admin 가운데 하나여야 합니다.",
            f"{text!r} is not citizen:NAME, officer:INSTITUTION, moderator or admin.",
        )
    return Identity(role, name or role)


def refuse_production(environment: Mapping[str, str] = os.environ) -> None:
    """These keys lie beside the code: nobody may trust them with real people."""
    if environment.get("GWANGSAN_ENVIRONMENT") == "production":
        raise LocalError(
            "운영 환경(GWANGSAN_ENVIRONMENT=production)에서는 개발용 발급자를 쓸 수 없습니다.",
            "The development issuer is refused when GWANGSAN_ENVIRONMENT=production.",
        )


@dataclass(frozen=True)
class Keys:
    """The key files of one issuer; a key's file name is its id, and ids sort by age."""

    folder: Path

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.key.json"))

    def ensure(self) -> None:
        """At least one key is there."""
        if not self._files():
            self.rotate()

    def rotate(self) -> str:
        """A new key becomes the signer; the ones before it stay published until they are too many."""
        from joserfc.jwk import ECKey

        kid = f"{time.time_ns():020d}"
        key = ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"}, private=True)
        write_private(self.folder / f"{kid}.key.json", json.dumps(key.as_dict(private=True)))
        for old in self._files()[:-KEPT_KEYS]:
            old.unlink(missing_ok=True)
        return kid

    def published(self) -> dict[str, Any]:
        """The JWKS document: public halves only."""
        from joserfc.jwk import ECKey

        found = [ECKey.import_key(json.loads(path.read_text(encoding="utf-8"))) for path in self._files()]
        return {"keys": [key.as_dict(private=False) for key in found]}

    def sign(self, who: Identity, issuer: str, now: float | None = None) -> str:
        """A token of this issuer for that identity, valid for 12 hours."""
        from joserfc import jwt
        from joserfc.jwk import ECKey

        refuse_production()
        self.ensure()
        key = ECKey.import_key(json.loads(self._files()[-1].read_text(encoding="utf-8")))
        issued = int(time.time() if now is None else now)
        claims = {"iss": issuer, "aud": AUDIENCE, "iat": issued, "exp": issued + LIFETIME_S, **who.claims()}
        return jwt.encode({"alg": "ES256", "kid": key.kid, "typ": "JWT"}, claims, key)
