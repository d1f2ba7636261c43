"""An OIDC issuer for tests: discovery and JWKS over real HTTP, keys that rotate, tokens with any claims."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

from joserfc import jwt
from joserfc.jwk import ECKey

AUDIENCE = "gwangsan"


class Issuer:
    """Serves from a thread of its own. `stop` and `start` keep the port, so that an outage can end."""

    def __init__(self) -> None:
        self.keys: list[ECKey] = []
        self.extra_keys: list[dict[str, Any]] = []
        self.requests = 0
        self._port = 0
        self._server: ThreadingHTTPServer | None = None
        self.rotate()
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def rotate(self, *, keep_old: bool = True) -> None:
        """A new key signs from now on; the old ones stay published unless told otherwise."""
        key = ECKey.generate_key("P-256", {"kid": uuid4().hex, "use": "sig", "alg": "ES256"})
        self.keys = [*(self.keys if keep_old else []), key]

    def start(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), _handler_of(self))
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def document(self, path: str) -> dict[str, Any] | None:
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/jwks"}
        if path == "/jwks":
            return {"keys": [*(key.as_dict(private=False) for key in self.keys), *self.extra_keys]}
        return None

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Claims of a good token; a claim given as None is left out."""
        now = int(time.time())
        good = {"iss": self.url, "aud": AUDIENCE, "sub": "somebody", "iat": now, "exp": now + 600}
        return {name: value for name, value in {**good, **changed}.items() if value is not None}

    def sign(self, claims: Mapping[str, Any], *, key: Any = None, header: Mapping[str, Any] | None = None) -> str:
        """Sign any claims with the newest key, or with another key and header."""
        newest = self.keys[-1]
        algorithm = dict(header or {"alg": "ES256", "kid": newest.kid})
        return jwt.encode(algorithm, dict(claims), key or newest, algorithms=["ES256", "RS256", "HS256"])


def token(issuer: Issuer, as_: str = "citizen:하늘", **claims: Any) -> str:
    """A good token of `citizen:NAME`, `officer:기관`, `moderator` or `admin`; further claims replace or remove."""
    role, _, name = as_.partition(":")
    who: dict[str, Any] = {"sub": as_, "name": name or role, "roles": [role]}
    if role == "officer":
        who["institution"] = name
    return issuer.sign(issuer.claims(**{**who, **claims}))


def _handler_of(issuer: Issuer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.requests += 1
            document = issuer.document(self.path)
            body = json.dumps(document or {}).encode()
            self.send_response(200 if document else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    return Handler
