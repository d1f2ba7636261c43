"""Tokens against a real issuer over HTTP: what is wrong is refused with a problem, whatever it is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import APIRouter, FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, RSAKey

from shared import auth
from shared.auth import Citizen, Officer, Principal, Verifier, requires
from shared.settings import PlatformSettings
from shared.web import create_app
from tests.issuer import Issuer, token
from tests.waiting import until

pytestmark = pytest.mark.component

router = APIRouter()


@router.get("/citizen")
async def for_citizens(who: Citizen) -> dict[str, Any]:
    return {"subject": who.subject, "roles": sorted(who.roles)}


@router.get("/officer")
async def for_officers(who: Officer) -> dict[str, Any]:
    return {"institution": who.institution}


@router.get("/either")
async def for_either(who: Principal = requires("citizen", "officer")) -> dict[str, Any]:
    return {"subject": who.subject}


@pytest.fixture
def own_issuer() -> Iterator[Issuer]:
    """One that a test may rotate and stop."""
    serving = Issuer()
    yield serving
    serving.stop()


def app_of(issuer: Issuer, **changed: Any) -> FastAPI:
    settings = PlatformSettings(oidc_issuer=issuer.url, oidc_jwks_url=None, **changed)
    app = create_app("tests", settings, routers=[router])
    app.state.verifier = Verifier(settings)
    return app


def client_of(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://service")


@pytest_asyncio.fixture(scope="module")
async def client(issuer: Issuer) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app_of(issuer)) as made:
        yield made


async def ask(client: httpx.AsyncClient, bearer: str | None, path: str = "/citizen") -> httpx.Response:
    return await client.get(path, headers={} if bearer is None else {"Authorization": f"Bearer {bearer}"})


def expect_problem(answer: httpx.Response, status: int, slug: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].endswith(f"/{slug}")
    assert answer.json()["status"] == status


async def test_a_good_token_tells_who_it_is(client: httpx.AsyncClient, issuer: Issuer) -> None:
    answer = await ask(client, token(issuer, "citizen:하늘"))
    assert answer.json() == {"subject": "citizen:하늘", "roles": ["citizen"]}
    answer = await ask(client, token(issuer, "officer:수완동"), "/officer")
    assert answer.json() == {"institution": "수완동"}


async def test_roles_may_come_as_keycloak_tells_them(client: httpx.AsyncClient, issuer: Issuer) -> None:
    kept = token(issuer, roles=None, realm_access={"roles": ["citizen", "offline_access"]})
    assert (await ask(client, kept)).json()["roles"] == ["citizen"]


async def test_without_a_token_the_answer_says_how_to_sign_in(client: httpx.AsyncClient) -> None:
    answer = await ask(client, None)
    expect_problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "http://elsewhere.example"},
        {"iss": None},
        {"aud": "another-service"},
        {"aud": None},
        {"exp": 1_700_000_000},
        {"exp": None},
        {"exp": "tomorrow"},
        {"nbf": int(time.time()) + 3600},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 201},
        {"sub": "a\0b"},
        {"sub": "a\nb"},
    ],
    ids=str,
)
async def test_a_wrong_claim_is_refused(client: httpx.AsyncClient, issuer: Issuer, wrong: dict[str, Any]) -> None:
    answer = await ask(client, token(issuer, **wrong))
    expect_problem(answer, 401, "unauthenticated")
    assert "invalid_token" in answer.headers["www-authenticate"]


async def test_an_audience_among_several_is_enough(client: httpx.AsyncClient, issuer: Issuer) -> None:
    assert (await ask(client, token(issuer, aud=["other", "gwangsan"]))).status_code == 200


def unsigned(claims: object, header: object) -> str:
    def part(what: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(what).encode()).decode().rstrip("=")

    return f"{part(header)}.{part(claims)}."


async def test_no_algorithm_but_ours_is_accepted(client: httpx.AsyncClient, issuer: Issuer) -> None:
    claims, kid = issuer.claims(roles=["citizen"]), issuer.keys[-1].kid
    expect_problem(await ask(client, unsigned(claims, {"alg": "none"})), 401, "unauthenticated")
    expect_problem(await ask(client, unsigned(claims, {"alg": "none", "kid": kid})), 401, "unauthenticated")
    signed_part = unsigned(claims, {"alg": "HS256", "kid": kid}).rstrip(".")
    for secret in (issuer.keys[-1].as_pem(private=False), json.dumps(issuer.keys[-1].as_dict(private=False)).encode()):
        mac = hmac.new(secret, signed_part.encode(), hashlib.sha256).digest()
        forged = f"{signed_part}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
        expect_problem(await ask(client, forged), 401, "unauthenticated")


async def test_a_signature_by_any_other_key_is_refused(client: httpx.AsyncClient, issuer: Issuer) -> None:
    claims, kid = issuer.claims(roles=["citizen"]), issuer.keys[-1].kid
    stranger = ECKey.generate_key("P-256")
    for header in ({"alg": "ES256", "kid": kid}, {"alg": "ES256", "kid": "unknown"}, {"alg": "ES256"}):
        forged = issuer.sign(claims, key=stranger, header=header)
        expect_problem(await ask(client, forged), 401, "unauthenticated")
    head, body, signature = token(issuer).split(".")
    changed = unsigned({**claims, "roles": ["admin"]}, {}).split(".")[1]
    expect_problem(await ask(client, f"{head}.{changed}.{signature}"), 401, "unauthenticated")
    expect_problem(await ask(client, f"{head}.{body}."), 401, "unauthenticated")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    garbage=st.one_of(
        st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=80),
        st.lists(st.binary(max_size=30), min_size=1, max_size=5).map(
            lambda parts: ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
        ),
        st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)).map(
            lambda header: unsigned({}, header)
        ),
    )
)
async def test_garbage_is_refused_and_never_breaks_anything(client: httpx.AsyncClient, garbage: str) -> None:
    expect_problem(await ask(client, garbage), 401, "unauthenticated")


async def test_a_missing_role_is_forbidden(client: httpx.AsyncClient, issuer: Issuer) -> None:
    answer = await ask(client, token(issuer, "citizen:하늘"), "/officer")
    expect_problem(answer, 403, "forbidden")
    assert answer.json()["needs"] == ["officer"]
    for roles in (None, [], "citizen", "not-a-citizen", {"citizen": True}, [["citizen"]]):
        expect_problem(await ask(client, token(issuer, roles=roles)), 403, "forbidden")
    expect_problem(
        await ask(client, token(issuer, "officer:수완동", institution=None), "/officer"), 403, "no-institution"
    )


async def test_an_officer_without_institution_may_still_do_what_citizens_may(
    client: httpx.AsyncClient, issuer: Issuer
) -> None:
    both = token(issuer, roles=["citizen", "officer"])
    assert (await ask(client, both, "/either")).status_code == 200


async def test_a_rotated_key_is_accepted_without_a_restart(own_issuer: Issuer) -> None:
    async with client_of(app_of(own_issuer)) as client:
        old = token(own_issuer)
        assert (await ask(client, old)).status_code == 200
        own_issuer.rotate()
        rotated = token(own_issuer)

        async def accepted() -> bool:
            return (await ask(client, rotated)).status_code == 200

        await until(accepted, auth.REFRESH_AT_MOST_EVERY_S * 2)
        assert (await ask(client, old)).status_code == 200


async def test_a_withdrawn_key_is_refused_once_the_keys_were_read_again(own_issuer: Issuer) -> None:
    async with client_of(app_of(own_issuer)) as client:
        leaked = token(own_issuer)
        assert (await ask(client, leaked)).status_code == 200
        own_issuer.rotate(keep_old=False)

        async def rotated() -> bool:
            return (await ask(client, token(own_issuer))).status_code == 200

        await until(rotated, auth.REFRESH_AT_MOST_EVERY_S * 2)
        expect_problem(await ask(client, leaked), 401, "unauthenticated")


async def test_unknown_keys_do_not_turn_into_a_flood_at_the_issuer(own_issuer: Issuer) -> None:
    async with client_of(app_of(own_issuer)) as client:
        await ask(client, token(own_issuer))
        before = own_issuer.requests
        for number in range(50):
            await ask(client, unsigned({}, {"alg": "ES256", "kid": f"invented-{number}"}))
        assert own_issuer.requests - before <= 2


async def test_an_issuer_that_is_away_is_a_503_until_it_answers(own_issuer: Issuer) -> None:
    good = token(own_issuer)
    own_issuer.stop()
    async with client_of(app_of(own_issuer)) as client:
        for _ in range(3):
            answer = await ask(client, good)
            expect_problem(answer, 503, "identity-unavailable")
            assert answer.headers["retry-after"] == "5"
        expect_problem(await ask(client, None), 401, "unauthenticated")
        own_issuer.start()

        async def back() -> bool:
            return (await ask(client, good)).status_code == 200

        await until(back, auth.REFRESH_AT_MOST_EVERY_S * 2)


async def test_keys_at_hand_go_on_while_the_issuer_is_away(own_issuer: Issuer) -> None:
    async with client_of(app_of(own_issuer)) as client:
        good = token(own_issuer)
        assert (await ask(client, good)).status_code == 200
        own_issuer.stop()
        assert (await ask(client, good)).status_code == 200
        expect_problem(await ask(client, unsigned({}, {"alg": "ES256", "kid": "new"})), 401, "unauthenticated")


async def test_keys_that_are_not_for_us_disturb_nothing(own_issuer: Issuer) -> None:
    own_issuer.extra_keys = [
        {"kty": "OKP", "crv": "X448", "x": "AA", "kid": "strange"},
        {"kty": "RSA", "n": 7},
        RSAKey.generate_key(2048, {"kid": "enc", "use": "enc"}).as_dict(private=False),
    ]
    async with client_of(app_of(own_issuer)) as client:
        assert (await ask(client, token(own_issuer))).status_code == 200


async def test_rsa_keys_work_too(own_issuer: Issuer) -> None:
    key = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
    own_issuer.extra_keys = [key.as_dict(private=False)]
    signed = own_issuer.sign(own_issuer.claims(roles=["citizen"]), key=key, header={"alg": "RS256", "kid": "rsa"})
    async with client_of(app_of(own_issuer)) as client:
        assert (await ask(client, signed)).status_code == 200
