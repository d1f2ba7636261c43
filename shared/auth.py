"""Who is asking: OIDC bearer tokens, verified in every service against the issuer's rotating keys."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import httpx
import structlog
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, KeySet
from joserfc.jws import extract_compact

from shared.settings import PlatformSettings
from shared.web.problems import Problem

log = structlog.get_logger()

Role = Literal["citizen", "officer", "moderator", "admin"]
ROLES: tuple[Role, ...] = ("citizen", "officer", "moderator", "admin")
ALGORITHMS = ["RS256", "ES256"]
LEEWAY_S = 30
BELIEVED_S = 60.0
REMEMBERED_TOKENS = 20_000
REFRESH_AT_MOST_EVERY_S = 5.0
KEYS_LIVE_S = 600.0
MAX_SUBJECT = 200
MAX_INSTITUTION = 100

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


def _unavailable() -> Problem:
    return Problem(503, "identity-unavailable", "로그인 서버에 닿지 않습니다 / The identity provider cannot be reached",
                   headers={"Retry-After": str(int(REFRESH_AT_MOST_EVERY_S))})  # fmt: skip


class KeyStore:
    """The issuer's keys: fetched when first needed, when old, and when a token names a key not known yet.

    With the issuer away the keys at hand go on being used; requests wait for the issuer only if their key is unknown.
    """

    def __init__(self, settings: PlatformSettings) -> None:
        self._settings = settings
        self._keys = KeySet([])
        self._fetched_at = -math.inf
        self.read = 0
        self._tried_at = -math.inf
        self._lock = asyncio.Lock()
        self._refreshing: asyncio.Task[None] | None = None

    async def for_token(self, key_id: str | None) -> KeySet:
        """Raises a 503 problem when the issuer never answered."""
        if not self._knows(key_id):
            async with self._lock:
                if not self._knows(key_id):
                    await self._refresh()
        elif time.monotonic() - self._fetched_at > KEYS_LIVE_S and not self._lock.locked():
            self._refreshing = asyncio.create_task(self._refresh_alone())
        if not self._keys.keys:
            raise _unavailable()
        return self._keys

    def _knows(self, key_id: str | None) -> bool:
        return any(key.kid == key_id for key in self._keys.keys)

    async def _refresh_alone(self) -> None:
        async with self._lock:
            await self._refresh()

    async def _refresh(self) -> None:
        if time.monotonic() - self._tried_at < REFRESH_AT_MOST_EVERY_S:
            return
        self._tried_at = time.monotonic()
        try:
            async with httpx.AsyncClient(timeout=5) as client:
                url = self._settings.oidc_jwks_url or await self._discover(client)
                answer = await client.get(url)
                answer.raise_for_status()
                self._keys = _usable(answer.json()["keys"])
                self._fetched_at = time.monotonic()
                self.read += 1
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
            log.warning("jwks_unreachable", error=type(error).__name__)

    async def _discover(self, client: httpx.AsyncClient) -> str:
        answer = await client.get(f"{self._settings.oidc_issuer.rstrip('/')}/.well-known/openid-configuration")
        answer.raise_for_status()
        return str(answer.json()["jwks_uri"])


def _usable(described: list[Any]) -> KeySet:
    """The keys that can verify one of our algorithms; an issuer may publish others beside them."""
    keys = []
    for one in described:
        try:
            if one.get("kty") in ("RSA", "EC") and one.get("use", "sig") == "sig":
                keys.append(JWKRegistry.import_key(one))
        except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("jwk_unusable", error=type(error).__name__)
    return KeySet(keys)


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
        self._verified: dict[str, tuple[Principal, float]] = {}
        self._verified_by = 0

    async def principal(self, token: str) -> Principal:
        """Raises a 401 problem that says what was wrong with the token, and never repeats the token.

        A token that was verified is believed for a minute more, never past its expiry, and not once the keys were read
        again.
        """
        if self._keys.read != self._verified_by:
            self._verified.clear()
            self._verified_by = self._keys.read
        known = self._verified.get(token)
        if known is not None and time.monotonic() < known[1]:
            return known[0]
        principal, expires_at = await self._verify(token)
        if len(self._verified) >= REMEMBERED_TOKENS:
            self._verified.clear()
        self._verified[token] = principal, time.monotonic() + min(BELIEVED_S, expires_at + LEEWAY_S - time.time())
        return principal

    async def _verify(self, token: str) -> tuple[Principal, float]:
        try:
            key_id = _key_id(token)
            decoded = jwt.decode(token, await self._keys.for_token(key_id), algorithms=ALGORITHMS)
            self._claims.validate(decoded.claims)
            return _principal(decoded.claims), float(decoded.claims["exp"])
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise _unauthenticated(getattr(error, "error", None) or "malformed token") from None


def _key_id(token: str) -> str | None:
    named = extract_compact(token.encode()).headers().get("kid")
    return named if isinstance(named, str) else None


def _principal(claims: dict[str, Any]) -> Principal:
    subject, institution = claims["sub"], claims.get("institution")
    # A cut subject could become somebody else's; one that cannot be printed cannot be stored.
    if not isinstance(subject, str) or len(subject) > MAX_SUBJECT or not subject.isprintable():
        raise ValueError("unusable subject")
    realm = claims.get("realm_access")
    named = claims.get("roles") or (realm.get("roles") if isinstance(realm, dict) else None)
    roles = frozenset(role for role in ROLES if isinstance(named, list) and role in named)
    usable = isinstance(institution, str) and 0 < len(institution) <= MAX_INSTITUTION and institution.isprintable()
    return Principal(subject, roles, institution if usable else None)


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
        held = principal.roles.intersection(roles)
        if not held:
            raise Problem(403, "forbidden", "권한이 없습니다 / Your role may not do this", needs=sorted(roles))
        if held == {"officer"} and not principal.institution:
            raise Problem(403, "no-institution", "기관이 확인되지 않았습니다 / The token names no institution")
        return principal

    return Depends(check)


Citizen = Annotated[Principal, requires("citizen")]
Officer = Annotated[Principal, requires("officer")]
Admin = Annotated[Principal, requires("admin")]
