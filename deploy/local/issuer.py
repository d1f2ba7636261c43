"""`python -m deploy.local.issuer`: OpenID Connect as far as development needs it, refused in production."""

import os
import sys
from pathlib import Path
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.local.errors import LocalError
from deploy.local.home import default_home
from deploy.local.keys import LIFETIME_S, ROLES, Keys, identity, refuse_production

BODY_LIMIT_BYTES = 4096


def build(keys: Keys, issuer: str) -> Starlette:
    """The issuer as an application. Handlers read the key files anew, so that a rotation needs no restart."""
    refuse_production()
    keys.ensure()

    async def discovery(_: Request) -> Response:
        return JSONResponse(_metadata(issuer))

    async def jwks(_: Request) -> Response:
        return JSONResponse(keys.published(), headers={"Cache-Control": "max-age=60"})

    async def token(request: Request) -> Response:
        try:
            who = identity(str((await _form(request)).get("as", "")))
        except (LocalError, ValueError) as error:
            return _problem(400, f"{error}; send as=citizen:NAME, roles are {', '.join(ROLES)}")
        signed = keys.sign(who, issuer)
        claims = who.claims()
        return JSONResponse(
            {"access_token": signed, "token_type": "Bearer", "expires_in": LIFETIME_S, **claims},
            headers={"Cache-Control": "no-store"},
        )

    async def rotate(_: Request) -> Response:
        return JSONResponse({"kid": keys.rotate()})

    async def alive(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return Starlette(
        routes=[
            Route("/.well-known/openid-configuration", discovery),
            Route("/jwks.json", jwks),
            Route("/token", token, methods=["POST"]),
            Route("/rotate", rotate, methods=["POST"]),
            Route("/healthz", alive),
            Route("/readyz", alive),
        ]
    )


def _metadata(issuer: str) -> dict[str, object]:
    """OpenID Connect Discovery 1.0, as far as this issuer goes."""
    return {
        "issuer": issuer,
        "jwks_uri": f"{issuer}/jwks.json",
        "token_endpoint": f"{issuer}/token",
        "response_types_supported": ["token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "claims_supported": ["sub", "name", "roles", "institution"],
    }


async def _form(request: Request) -> dict[str, object]:
    """JSON or a URL-encoded form, whichever was sent."""
    body = await request.body()
    if len(body) > BODY_LIMIT_BYTES:
        raise ValueError("the body is too large")
    if request.headers.get("content-type", "").startswith("application/json"):
        sent = await request.json()
        return sent if isinstance(sent, dict) else {}
    return dict(parse_qsl(body.decode("utf-8", "replace")))


def _problem(status: int, detail: str) -> Response:
    content = {"type": "about:blank", "title": "Bad request", "status": status, "detail": detail}
    return JSONResponse(content, status_code=status, media_type="application/problem+json")


def main() -> int:
    import uvicorn

    try:
        folder = os.environ.get("GWANGSAN_ISSUER_KEYS")
        keys = Keys(Path(folder) if folder else default_home().issuer)
        app = build(keys, os.environ["GWANGSAN_OIDC_ISSUER"])
    except LocalError as error:
        sys.stderr.write("\n".join(error.lines()) + "\n")
        return 1
    uvicorn.run(
        app, host=os.environ.get("GWANGSAN_HOST", "127.0.0.1"), port=int(os.environ["GWANGSAN_PORT"]), access_log=False
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
