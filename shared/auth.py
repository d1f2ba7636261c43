"""Who is asking: OIDC bearer tokens, verified in every service against the issuer's rotating keys."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import httpx
import structlog
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import extract_compact

from shared.settings import PlatformSettings
from shared.web.problems import Problem

log = structlog.get_logger()

Role = Literal["citizen", "officer", "moderator", "admin"]
ROLES: tuple[Role, ...] = ("citizen", "officer", "moderator", "admin")
ALGORITHMS = ["RS256", "ES256"]
LEEWAY_S = 30
REFRESH_AT_MOST_EVERY_S = 5.0
KEYS_LIVE_S = 600.0

_bearer = HTTPBearer(auto_error=False, description="OIDC access token")


@dataclass(frozen=True)
class Principal:
    """The verified bearer of a token."""

    subject: str
    roles: frozenset[Role]
    institution: str | None = None


def _unauthenticated(detail: str) -> Problem:
    return Problem(401, "unauthenticated", "로그인이 필요합니다 / Not signed in", detail=detail,
                   headers={"WWW-Authenticate": 'Bearer realm="gwangsan", error="invalid_token"'})  # fmt: skip


class KeyStore:
    """The issuer's keys: fetched when first needed, when old, and when a token names a key not known yet."""

    def __init__(self, settings: PlatformSettings) -> None:
        self._settings = settings
        self._keys = KeySet([])
        self._fetched_at = -KEYS_LIVE_S
        self._tried_at = -REFRESH_AT_MOST_EVERY_S
        self._lock = asyncio.Lock()

    async def for_token(self, key_id: str | None) -> KeySet:
        if time.monotonic() - self._fetched_at > KEYS_LIVE_S or not self._knows(key_id):
            async with self._lock:
                if time.monotonic() - self._fetched_at > KEYS_LIVE_S or not self._knows(key_id):
                    await self._refresh()
        return self._keys

    def _knows(self, key_id: str | None) -> bool:
        return any(key.kid == key_id for key in self._keys.keys)

    async def _refresh(self) -> None:
        if time.monotonic() - self._tried_at < REFRESH_AT_MOST_EVERY_S:
            return
        self._tried_at = time.monotonic()
        try:
            async with httpx.AsyncClient(timeout=5) as client:
                url = self._settings.oidc_jwks_url or await self._discover(client)
                answer = await client.get(url)
                answer.raise_for_status()
                self._keys = KeySet.import_key_set(answer.json())
                self._fetched_at = time.monotonic()
        except (httpx.HTTPError, ValueError, KeyError, JoseError) as error:
            log.warning("jwks_unreachable", error=type(error).__name__)
            if not self._keys.keys:
                raise Problem(503, "identity-unavailable", "로그인 서버에 닿지 않습니다 / The identity provider cannot be reached",
                              headers={"Retry-After": "5"}) from None  # fmt: skip

    async def _discover(self, client: httpx.AsyncClient) -> str:
        answer = await client.get(f"{self._settings.oidc_issuer.rstrip('/')}/.well-known/openid-configuration")
        answer.raise_for_status()
        return str(answer.json()["jwks_uri"])


class Verifier:
    """Checks signature, algorithm, issuer, audience, expiry, subject; turns claims into a Principal."""

    def __init__(self, settings: PlatformSettings) -> None:
        self._settings = settings
        self._keys = KeyStore(settings)
        self._claims = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_S,
            iss={"essential": True, "value": settings.oidc_issuer},
            aud={"essential": True, "value": settings.oidc_audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    async def principal(self, token: str) -> Principal:
        """Raises a 401 problem that says what was wrong with the token, and never repeats the token."""
        try:
            key_id = _key_id(token)
            decoded = jwt.decode(token, await self._keys.for_token(key_id), algorithms=ALGORITHMS)
            self._claims.validate(decoded.claims)
        except (JoseError, ValueError) as error:
            raise _unauthenticated(getattr(error, "error", None) or "malformed token") from None
        claims = decoded.claims
        named = claims.get("roles") or (claims.get("realm_access") or {}).get("roles") or []
        subject, institution = claims["sub"], claims.get("institution")
        # What is cut off or turned into text could make two people one; such a token is refused.
        if not _names(subject, 200) or not (institution is None or _names(institution, 100)):
            raise _unauthenticated("sub or institution cannot be used")
        return Principal(subject, frozenset(r for r in ROLES if r in named), institution)


def _names(claim: object, at_most: int) -> bool:
    return isinstance(claim, str) and 0 < len(claim) <= at_most and claim == claim.strip() and "\0" not in claim


def _key_id(token: str) -> str | None:
    return extract_compact(token.encode()).headers().get("kid")


async def current_principal(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Principal:
    """The bearer of the request's token; 401 without a valid one. The app keeps its Verifier in `state.verifier`."""
    if credentials is None:
        raise Problem(401, "unauthenticated", "로그인이 필요합니다 / Not signed in", detail="no bearer token",
                      headers={"WWW-Authenticate": 'Bearer realm="gwangsan"'})  # fmt: skip
    verifier: Verifier = request.app.state.verifier
    return await verifier.principal(credentials.credentials)


def requires(*roles: Role) -> Any:
    """A dependency: the principal, who has at least one of the roles; 403 otherwise."""

    async def check(principal: Annotated[Principal, Depends(current_principal)]) -> Principal:
        if not principal.roles.intersection(roles):
            raise Problem(403, "forbidden", "권한이 없습니다 / Your role may not do this", needs=sorted(roles))
        if "officer" in roles and "officer" in principal.roles and not principal.institution:
            raise Problem(403, "no-institution", "기관이 확인되지 않았습니다 / The token names no institution")
        return principal

    return Depends(check)


Citizen = Annotated[Principal, requires("citizen")]
Officer = Annotated[Principal, requires("officer")]
Admin = Annotated[Principal, requires("admin")]
