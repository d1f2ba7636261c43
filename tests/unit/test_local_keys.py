"""The development issuer: real signatures, rotation, and no life in production."""

from __future__ import annotations

import stat
from pathlib import Path

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from deploy.local import issuer
from deploy.local.errors import LocalError
from deploy.local.keys import LIFETIME_S, Identity, Keys, identity

ISSUER = "http://127.0.0.1:8080/auth"


def published_by(keys: Keys) -> KeySet:
    return KeySet([ECKey.import_key(key) for key in keys.published()["keys"]])


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("citizen:민지", {"sub": "citizen:민지", "name": "민지", "roles": ["citizen"]}),
        (
            "officer:광산구청",
            {"sub": "officer:광산구청", "name": "광산구청", "roles": ["officer"], "institution": "광산구청"},
        ),
        ("moderator", {"sub": "moderator:moderator", "name": "moderator", "roles": ["moderator"]}),
        ("admin:root", {"sub": "admin:root", "name": "root", "roles": ["admin"]}),
    ],
)
def test_identities_become_claims(text: str, claims: dict[str, object]) -> None:
    assert identity(text).claims() == claims


@pytest.mark.parametrize("text", ["", "citizen", "citizen:", "officer: ", "king:arthur", "citizen:" + "긴" * 65])
def test_other_identities_are_refused(text: str) -> None:
    with pytest.raises(LocalError):
        identity(text)


def test_a_token_verifies_with_the_published_keys(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    token = keys.sign(Identity("citizen", "민지"), ISSUER, now=1_000_000)
    decoded = jwt.decode(token, published_by(keys), algorithms=["ES256"])
    assert decoded.claims["iss"] == ISSUER
    assert decoded.claims["aud"] == "gwangsan"
    assert decoded.claims["exp"] - decoded.claims["iat"] == LIFETIME_S


def test_a_rotation_signs_with_the_new_key_and_keeps_the_old_published(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    before = keys.sign(Identity("citizen", "민지"), ISSUER)
    kid = keys.rotate()
    after = keys.sign(Identity("citizen", "민지"), ISSUER)
    published = published_by(keys)
    headers = [jwt.decode(token, published, algorithms=["ES256"]).header for token in (before, after)]
    assert headers[1]["kid"] == kid != headers[0]["kid"]


def test_private_keys_are_never_published_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.ensure()
    assert all("d" not in key for key in keys.published()["keys"])
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_production_refuses_tokens_and_the_issuer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GWANGSAN_ENVIRONMENT", "production")
    with pytest.raises(LocalError, match="refused when GWANGSAN_ENVIRONMENT=production"):
        Keys(tmp_path).sign(Identity("admin", "admin"), ISSUER)
    with pytest.raises(LocalError, match="refused"):
        issuer.build(Keys(tmp_path), ISSUER)
    assert list(tmp_path.iterdir()) == []


async def test_the_issuer_gives_tokens_by_form_and_by_json(tmp_path: Path) -> None:
    transport = httpx.ASGITransport(issuer.build(Keys(tmp_path), ISSUER))
    async with httpx.AsyncClient(transport=transport, base_url="http://issuer") as client:
        discovery = (await client.get("/.well-known/openid-configuration")).json()
        assert discovery["issuer"] == ISSUER
        published = KeySet.import_key_set((await client.get("/jwks.json")).json())
        for sent in ({"data": {"as": "officer:광산구청"}}, {"json": {"as": "officer:광산구청"}}):
            told = (await client.post("/token", **sent)).json()  # type: ignore[arg-type]
            decoded = jwt.decode(told["access_token"], published, algorithms=["ES256"])
            assert decoded.claims["institution"] == "광산구청"


@pytest.mark.parametrize("body", [b"", b"as=king", b"{", b"[1]", b"x" * 5000])
async def test_the_issuer_refuses_what_names_nobody(tmp_path: Path, body: bytes) -> None:
    transport = httpx.ASGITransport(issuer.build(Keys(tmp_path), ISSUER))
    async with httpx.AsyncClient(transport=transport, base_url="http://issuer") as client:
        for kind in ("application/json", "application/x-www-form-urlencoded"):
            answer = await client.post("/token", content=body, headers={"Content-Type": kind})
            assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
